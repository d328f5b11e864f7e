"""HTML of the scale strip and the history."""

from collections.abc import Sequence
from html import escape

MAX_WORDS = 500  # characters of a sentence


def plain_html(text: str) -> str:
    """HTML that shows a text as it is, whoever wrote parts of it; long texts are cut."""
    shown = text if len(text) <= MAX_WORDS else text[: MAX_WORDS - 3] + "..."
    return escape(shown, quote=False)


def strip_html(thumbnails: Sequence[str], sides: Sequence[int], num_sketches: int = 0) -> str:
    """The row of all scales; scales that are not drawn yet are empty frames of the same size.

    Args:
        thumbnails: URLs of the pictures so far; each becomes a button with `data-scale`.
        sides: sides of the token maps of all scales.
        num_sketches: number of pictures, from the first one, that are sketches.
    """
    cells = []
    for number, side in enumerate(sides, start=1):
        picture = "<span></span>"
        if number <= len(thumbnails):
            text = f"scale {number}, {side} by {side} tokens"
            kind = "Sketch" if number <= num_sketches else "Picture"
            picture = (
                f'<button type="button" data-scale="{number}" title="Look at {text}">'
                f'<img src="{thumbnails[number - 1]}" alt="{kind} after {text}"></button>'
            )
        cells.append(f"<figure>{picture}<figcaption>{side}&times;{side}</figcaption></figure>")
    return f'<div class="scale-strip">{"".join(cells)}</div>'


def history_html(entries: Sequence[tuple[int, str, str]]) -> str:
    """Earlier pictures, the newest first.

    Args:
        entries: (number, thumbnail URL, words) of each picture, the oldest first. Each becomes two
            buttons whose `data-restore` and `data-delete` hold its number.
    """
    if not entries:
        return "<p>What you draw is kept here, until you close or reload the page.</p>"
    cells = []
    for number, url, words in reversed(entries):
        text = escape(words, quote=True)
        cells.append(
            f'<figure><button type="button" data-restore="{number}" title="Draw again: {text}">'
            f'<img src="{url}" alt="{text}"></button>'
            f'<button type="button" class="delete" data-delete="{number}" '
            f'aria-label="Delete {text}" title="Delete">&times;</button></figure>'
        )
    return f'<div class="history">{"".join(cells)}</div>'
