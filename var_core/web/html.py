"""HTML of the scale strip."""

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
