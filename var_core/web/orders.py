"""What draws pictures again: the values of the page as they stand in a link, and what they mean."""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
from torch import Tensor

from var_core.jobs.comparison import parse_axis, read_axis
from var_core.jobs.parsing import SAMPLING_OPTIONS, compare, count_up, read_tokens
from var_core.jobs.png_recipe import read_png_recipe
from var_core.jobs.progress import JobProgress
from var_core.jobs.requests import DrawRequest
from var_core.model_info import ModelInfo
from var_core.ranges import check_int
from var_core.web.controls import Controls
from var_core.web.label_choices import ANY

SIDES = ("rows", "columns")  # of a sheet
OF_SIDES = tuple(name for side in SIDES for name in (side, f"{side}_values"))
DRAWN = ("seed", "kept", *OF_SIDES)  # where a link has one of these, it names pictures
PLAIN = {*SAMPLING_OPTIONS, "count", "precision", "seed", "with_recipe"}  # how, not what
SMOOTH = "a smooth picture has no tokens to keep: draw it with Smooth off first"


@dataclass(frozen=True)
class Order:
    """Everything that decides what a drawing looks like.

    Attributes:
        values: values of the controls.
        sides: settings of the rows and columns of a sheet, with their values as they were typed;
            empty for pictures that are alike.
        kept: token maps (1, h, w) of the first scales of an earlier picture, which all pictures
            keep; those of a sheet as many as their row or column says.
    """

    values: Mapping[str, object]
    sides: tuple[tuple[str, str], ...] = ()
    kept: tuple[Tensor, ...] = field(default=(), repr=False)

    def query(self) -> str:
        """The order as the query of a link; `read_order` reads it.

        Equal orders have equal queries: what is asked for comes first, then sampling, by name.
        """
        shown = {name: _written(value) for name, value in self.values.items()}
        if self.values.get("with_recipe") is True:
            del shown["with_recipe"]
        for side, (name, text) in zip(SIDES, self.sides, strict=False):
            shown |= {side: name, f"{side}_values": text}
        if self.kept:
            shown["kept"] = _pack(self.kept)
        given = [(name, text) for name, text in shown.items() if text]
        return urlencode(sorted(given, key=lambda pair: (pair[0] in PLAIN, pair[0])))


def read_order(controls: Controls, query: Mapping[str, str]) -> tuple[Order, list[str]]:
    """The order of a link, and a sentence for each value that was left out because it is wrong."""
    values, refused = controls.from_query(query)
    order = Order(values)
    try:
        order = replace(order, kept=_unpack(controls.info, query.get("kept", "")))
        if any(name in query for name in OF_SIDES):
            if missing := [side for side in SIDES if not query.get(side)]:
                raise ValueError(f"a sheet needs {missing[0]} too")
            texts = [(query.get(side, ""), query.get(f"{side}_values", "")) for side in SIDES]
            order = replace(order, sides=tuple(texts))
        order_request(controls, order)
    except ValueError as error:
        refused.append(f"The link was read in part: {error}")
        order = Order(values)
    return order, refused


def use_of_link(controls: Controls, query: Mapping[str, str], refused: Sequence[str]) -> str:
    """What a page that is opened by a link does with it; `assets/page.js` reads this.

    Args:
        controls: controls of the page.
        query: query of the link.
        refused: what is wrong in it.

    Returns:
        "draw" its pictures, "show" its values, "say" what is wrong and draw nothing, or "" if the
        query tells the page nothing.
    """
    if refused:
        return "say"
    if any(name in query for name in DRAWN):
        return "draw"
    return "show" if any(name in query for name in ("tab", *controls.names)) else ""


def order_request(controls: Controls, order: Order) -> DrawRequest:
    """The request of an order.

    Raises:
        ValueError: if a value is out of range, or kept scales do not go with the rest.
    """
    choice = controls.read(order.values)
    if order.sides:
        rows, columns = (parse_axis(controls.info, *side) for side in order.sides)
        return compare(choice.settings, controls.info, rows, columns, order.kept)
    request = count_up(choice.settings, choice.count)
    keep = tuple(tokens.expand(choice.count, -1, -1) for tokens in order.kept)
    return replace(request, keep=keep)


def recipe_sides(info: ModelInfo, path: str) -> tuple[tuple[str, str], ...]:
    """The sides of the sheet in a PNG file, as they are typed; none of a single picture.

    Raises:
        ValueError: if the recipe is damaged, or does not fit the model.
    """
    recipe = read_png_recipe(path) or {}
    if "compare" not in recipe:
        return ()
    axes = []
    for side in SIDES:
        found = recipe["compare"]
        given = found.get(side) if isinstance(found, dict) else None
        if not isinstance(given, dict) or len(given) != 1:
            raise ValueError(f"the recipe of {Path(path).name} is damaged")
        axes += [read_axis(info, *pair) for pair in given.items()]
    return tuple((axis.name, axis.text) for axis in axes)


def picture_order(
    controls: Controls, request: DrawRequest, place: int, with_recipe: object = True
) -> Order:
    """The order that draws one picture of a request alone, to the same pixels."""
    values = {**picture_values(controls, request, place), "with_recipe": with_recipe}
    return Order(values, kept=request.kept(place))


def picture_values(controls: Controls, request: DrawRequest, place: int) -> dict[str, object]:
    """Values of the controls for one picture of a request.

    Args:
        controls: controls of the model.
        request: what was drawn.
        place: place of the picture, from 0.
    """
    wish = request.wishes[place]
    words = {"prompt": [*wish.phrases], "negative_prompt": ", ".join(wish.negative)}
    names = controls.labels.names(wish.label)
    options = request.options[place]
    return {
        **controls.defaults(),
        **{name: words[name] for name in controls.prompts},
        **{name: names[name] or ANY for name in controls.attributes},
        **{name: getattr(options, name) for name in SAMPLING_OPTIONS},
        "seed": request.seeds[place],
        "precision": request.precision,
    }


def kept_scales(progress: JobProgress | None, place: int, scale: object) -> tuple[Tensor, ...]:
    """Token maps (1, h, w) of the first scales of one picture, to go on from.

    Raises:
        ValueError: if nothing was drawn yet, or the scale is out of range.
    """
    if progress is None or not progress.token_maps:
        raise ValueError("there is no picture yet to go on from: draw one first")
    if progress.request.is_smooth:
        raise ValueError(SMOOTH)
    token_maps: Sequence[Tensor] = progress.token_maps
    total = progress.total or len(token_maps)
    keep = check_int("scale", scale, 1, min(len(token_maps), total - 1))
    return tuple(tokens[place : place + 1] for tokens in token_maps[:keep])


def _written(value: object) -> str:
    """A value as text, the same for 1 and 1.0: browsers send the one for the other."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list):  # phrases: commas and joining words inside them split nothing
        return json.dumps(value, ensure_ascii=False) if value else ""
    return "" if value is None else str(value)


def _pack(kept: Sequence[Tensor]) -> str:
    """Token maps as text that needs no escapes in a link."""
    numbers = np.concatenate([tokens.flatten().numpy() for tokens in kept]).astype("<u4")
    narrow = numbers.astype("<u2")
    wide = not np.array_equal(narrow, numbers)
    text = base64.urlsafe_b64encode((numbers if wide else narrow).tobytes()).decode("ascii")
    return ("w" if wide else "n") + text.rstrip("=")


def _unpack(info: ModelInfo, text: str) -> tuple[Tensor, ...]:
    """The token maps of such a text; none of an empty one.

    Raises:
        ValueError: if it is damaged, or does not fit the model.
    """
    if not text:
        return ()
    damaged = "its kept scales are damaged, or of another model"
    sizes = info.schedule.sizes
    kind = {"n": "<u2", "w": "<u4"}.get(text[0])
    if kind is None or len(text) > 8 * sum(sizes):
        raise ValueError(damaged)
    try:
        data = base64.b64decode(text[1:] + "=" * (-(len(text) - 1) % 4), b"-_", validate=True)
        numbers = np.frombuffer(data, kind).tolist()
    except (binascii.Error, ValueError) as error:
        raise ValueError(damaged) from error
    scales = []
    for size in sizes[:-1]:
        if numbers:
            scales.append(numbers[:size])
            numbers = numbers[size:]
    if numbers:
        raise ValueError(damaged)
    try:
        return read_tokens(info, scales)
    except ValueError as error:
        raise ValueError(damaged) from error
