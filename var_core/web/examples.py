"""Pictures of a model that were drawn beforehand: examples with their recipes, faces of labels.

They are files of `assets/examples/MODEL`, written by `python -m tests.example_pictures`.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

from PIL import Image

from var_core.devices import PRECISIONS
from var_core.jobs.data_url import preview_url
from var_core.web.assets import asset_path
from var_core.web.controls import Controls
from var_core.web.orders import Order, order_request

THUMBNAIL = 96  # pixels

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Example:
    """A picture that a click draws again.

    Attributes:
        words: what it shows.
        order: what draws it.
        picture: it, as a small data URL.
    """

    words: str
    order: Order
    picture: str


def examples_folder(model: str) -> Path:
    """The folder for the pictures of a model, which may not be there."""
    return asset_path("examples") / model


def read_examples(controls: Controls) -> list[Example]:
    """The examples of a model, in the order of their file names."""
    found = []
    for path in sorted(examples_folder(controls.info.name).glob("*.png")):
        try:
            values, kept = controls.from_recipe(path)
            order = Order({**values, "precision": PRECISIONS[0]}, kept=kept)  # what is fastest here
            wish = order_request(controls, order).wishes[0]
        except ValueError as error:  # of another model with this name
            _log.warning("an example was skipped: %s", error)
            continue
        words = ", ".join([*wish.phrases, *controls.labels.telling_names(wish.label)])
        found.append(Example(words, order, _thumbnail(path)))
    return found


def read_faces(model: str) -> Mapping[str, Mapping[str, str]]:
    """Small pictures of labels, as data URLs under the names of attribute and label."""
    folders = [one for one in examples_folder(model).glob("*") if one.is_dir()]
    return {
        folder.name: {path.stem: _thumbnail(path) for path in folder.glob("*.png")}
        for folder in folders
    }


def examples_html(examples: list[Example]) -> str:
    """A row of buttons, one an example."""
    buttons = "".join(
        f'<button type="button" id="example-{place}" data-example="{escape(one.order.query())}" '
        f'title="Draw: {escape(one.words)}"><img src="{one.picture}" alt="{escape(one.words)}">'
        "</button>"
        for place, one in enumerate(examples)
    )
    return f'<div class="examples"><h2>Examples</h2><div class="row-of">{buttons}</div></div>'


def _thumbnail(path: Path) -> str:
    with Image.open(path, formats=("PNG",)) as picture:
        return preview_url(picture, THUMBNAIL)
