"""HTML of the scale strip, the history and the list of models."""

from collections.abc import Sequence
from html import escape

from var_core.official.catalogue import ModelCard, how_to_get

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


def models_html(names: Sequence[str], here: str, missing: Sequence[ModelCard]) -> str:
    """Installed models as links, the others with the command that installs them.

    Args:
        names: names of the installed models; the model of the front page comes first.
        here: name of the model of this page.
        missing: models that are not installed.
    """
    lines = []
    for number, name in enumerate(names):
        address = "/" if number == 0 else f"/{escape(name)}"
        link = f'<a href="{address}" target="_self">{escape(name)}</a>'
        lines.append(f"<b>{escape(name)}</b>, this page" if name == here else link)
    lines += [
        f"{escape(card.name)}, {card.pixels} px, {card.parameters} million parameters, is not "
        f"installed: <code>{escape(how_to_get(card))}</code>, then start again"
        for card in missing
    ]
    return f'<ul class="models">{"".join(f"<li>{line}</li>" for line in lines)}</ul>'
