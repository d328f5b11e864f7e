"""The first line of the page: its name, and small buttons for the model, the theme and help."""

from collections.abc import Sequence
from html import escape

from var_core.model_info import ModelInfo
from var_core.official.catalogue import ModelCard, how_to_get

TAGLINE = "Type what you want to see. Watch it form, scale by scale."
KEYS = (
    ("Ctrl + Enter", "draw"),
    ("Esc", "stop"),
    ("B, E, R", "brush, eraser, box (while editing)"),
    ("[ and ]", "size of the brush"),
    ("Ctrl + Z, Ctrl + Y", "undo, redo"),
)


def header_html(
    info: ModelInfo, device: str, names: Sequence[str], missing: Sequence[ModelCard]
) -> str:
    """The header.

    Args:
        info: model of this page.
        device: type of the device that draws.
        names: names of the installed models; the model of the front page comes first.
        missing: models that are not installed.
    """
    keys = "".join(f"<dt><kbd>{key}</kbd></dt><dd>{what}</dd>" for key, what in KEYS)
    height, width = info.image_shape
    about = f"{width}x{height} pixels, {info.schedule.num_scales} scales, drawn on {device}"
    return (
        f'<div class="header"><h1>VAR Studio</h1><p>{TAGLINE}</p><div class="chips">'
        f'<button type="button" popovertarget="models">{escape(info.name)}</button>'
        '<button type="button" data-part="theme" aria-pressed="false" aria-label="Dark theme" '
        'title="Dark theme">&#9680;</button>'
        '<button type="button" popovertarget="help" aria-label="Help" title="Help">?</button>'
        f'</div></div><div id="models" class="sheet-of" popover><h2>Models</h2>'
        f"<p>{escape(info.name)}: {about}</p>{models_html(names, info.name, missing)}</div>"
        f'<div id="help" class="sheet-of" popover><h2>Keys</h2><dl>{keys}</dl>'
        "<p>Drop a PNG that was drawn here anywhere on this page to get its settings back.</p>"
        '<p>Programs draw too: <a href="agents.md" target="_self">how they do</a>.</p>'
        "<p>Nothing that you type or open leaves the machine that runs this page.</p></div>"
    )


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
