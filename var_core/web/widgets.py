"""Small widgets that several tabs use."""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import gradio as gr

from var_core.model_info import ModelInfo
from var_core.serving.uploads import remove_upload
from var_core.web.assets import read_asset
from var_core.web.html import plain_html


def scripted_html(html: str, scripts: Sequence[str], elem_id: str) -> gr.HTML:
    """HTML whose clicks scripts turn into events.

    Args:
        html: what it shows at first.
        scripts: files that are run one after the other, as one text, which also names the events.
        elem_id: id of the element.
    """
    return gr.HTML(html, elem_id=elem_id, js_on_load="".join(map(read_asset, scripts)))


def built_in_browser(
    info: ModelInfo,
    templates: Sequence[str],
    scripts: Sequence[str],
    elem_id: str,
    value: str = "",
    facts: Mapping[str, object] | None = None,
) -> gr.HTML:
    """A part of the page that scripts build; they know the model as `MODEL`.

    Its name and size stand there as JSON inside a string: gradio takes every word between quotes in
    a script for the name of an event.

    Args:
        info: model of the page.
        templates: files with its HTML, one after the other.
        scripts: files that are run one after the other, as one text.
        elem_id: id of the element.
        value: what the scripts are told at first.
        facts: what else they know, beside name and size of the model.
    """
    known = {"name": info.name, "shape": info.image_shape, **(facts or {})}
    model = json.dumps(json.dumps(known))
    return gr.HTML(
        value,
        html_template="".join(map(read_asset, templates)),
        js_on_load=f"const MODEL = JSON.parse({model});\n" + "".join(map(read_asset, scripts)),
        apply_default_css=False,
        elem_id=elem_id,
    )


def sentence(text: str, elem_id: str) -> gr.HTML:
    """A sentence about what happens, shown as it is: parts of it may come from strangers.

    It is no class of its own, since gradio writes a file beside the module of each such class.
    """
    widget = gr.HTML(plain_html(text), elem_id=elem_id)
    widget.postprocess = plain_sentence
    return widget


def plain_sentence(value: str | None) -> str | None:
    """The value of a sentence as the page gets it."""
    return None if value is None else plain_html(value)


def warn(words: str) -> None:
    """Show a warning, which is plain text."""
    gr.Warning(plain_html(words))


@contextlib.contextmanager
def deleting(path: object) -> Iterator[str]:
    """Delete an uploaded file when the block ends.

    Raises:
        ValueError: if there is none.
    """
    if not isinstance(path, str):
        raise ValueError("choose a file first")
    try:
        yield path
    finally:
        remove_upload(Path(path))
