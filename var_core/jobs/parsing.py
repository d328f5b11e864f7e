"""Turns what people send, values of any type, into checked requests.

Everything is checked here, before any network runs; an error names the value and the limits.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from var_core.devices import PRECISIONS
from var_core.editing import RULES, EditOptions, Margins, check_mask
from var_core.images import MAX_FILE_BYTES, MAX_PIXELS
from var_core.jobs.comparison import NO_PICTURE, Axis, Cell, Comparison, cells
from var_core.jobs.progress import JobProgress
from var_core.jobs.requests import DrawRequest, EditRequest, Settings, VaryRequest
from var_core.model_info import ModelInfo
from var_core.option_fields import option_fields
from var_core.ranges import check_choice, check_int
from var_core.sampling import MAX_SEED, SamplingOptions

DEFAULT_SEED = 7
MAX_COUNT = 8
SAMPLING_OPTIONS = tuple(one.name for one in option_fields(SamplingOptions))


def read_settings(
    info: ModelInfo,
    labels: object,
    seed: object,
    options: object,
    prompt: object = None,
    negative_prompt: object = None,
) -> Settings:
    """Check what every drawing needs.

    Args:
        info: model whose labels and limits hold.
        labels: mapping from names of attributes and menus to value names or None.
        seed: whole number.
        options: None, or a mapping from the names of `SAMPLING_OPTIONS` and "precision" to values;
            what is missing takes its default.
        prompt: text, list of phrases, or None.
        negative_prompt: text, list of phrases, or None.

    Raises:
        ValueError: if anything is malformed, unknown or out of range.
    """
    if not isinstance(labels, Mapping):
        raise ValueError(f"labels must be an object of names to values, got {labels!r:.40}")
    for name, value in labels.items():
        if isinstance(value, int):
            shown = f"{value!s:.40}"
            raise ValueError(f"{name!s:.40} must be a name, a text as '{shown}', got {shown}")
    given = {} if options is None else options
    if not isinstance(given, Mapping):
        raise ValueError(f"options must be an object of names to values, got {given!r:.40}")
    known = (*SAMPLING_OPTIONS, "precision")
    for name in given:
        if name not in known:
            raise ValueError(f"options has {', '.join(known)}, not {name!r:.40}")
    precision = check_choice("precision", given.get("precision", PRECISIONS[0]), PRECISIONS)
    return Settings(
        info.reader.read(labels, prompt, negative_prompt),
        check_int("seed", seed, 0, MAX_SEED),
        read_options(info, given),
        info.image_shape,
        precision,
    )


def read_options(info: ModelInfo, given: Mapping[str, object]) -> SamplingOptions:
    """Sampling options from their names and values; what is missing takes the model's default.

    Raises:
        ValueError: if a value has another type or lies outside of the model's limits.
    """
    known = [one for one in info.option_fields if one.name in given]
    return replace(info.options, **{one.name: one.check(given[one.name]) for one in known})


def count_up(settings: Settings, count: object) -> DrawRequest:
    """The same label several times, with seeds counting up.

    Raises:
        ValueError: if a seed or the count is out of range.
    """
    count = check_int("count", count, 1, MAX_COUNT)
    return _alike(settings, count)


def compare(
    settings: Settings, info: ModelInfo, rows: Axis, columns: Axis, kept: Sequence[Tensor] = ()
) -> DrawRequest:
    """A sheet: a row for every value of one setting, a column for every value of another.

    Args:
        settings: settings of every picture, apart from what is compared.
        info: model whose labels and limits hold.
        rows: setting that changes from row to row.
        columns: setting that changes from column to column.
        kept: token maps (1, h, w) of the first scales of an earlier picture; needed where the
            number of kept scales is compared.

    Raises:
        ValueError: if there are too many pictures, or the sides do not go together.
    """
    base = Cell(settings.wish, settings.seed, settings.options)
    drawn = cells(info, base, rows, columns)
    most = max(cell.num_kept for cell in drawn)
    if most > len(kept):
        raise ValueError(NO_PICTURE)
    return DrawRequest(
        tuple(cell.wish for cell in drawn),
        tuple(cell.seed for cell in drawn),
        tuple(cell.options for cell in drawn),
        tuple(tokens.expand(len(drawn), -1, -1) for tokens in kept[:most]),
        tuple(cell.num_kept for cell in drawn),
        settings.precision,
        Comparison(rows, columns, base, tuple(kept[:most])),
    )


def branch(
    settings: Settings, earlier: JobProgress | None, scale: object, num_scales: int
) -> DrawRequest:
    """Keep the first scales of what was drawn, and draw the rest with another label or seed.

    Args:
        settings: settings of the new pictures; the seeds of several pictures count up.
        earlier: what was drawn, finished or stopped half way; None if there is nothing yet.
        scale: number of scales to keep, 1 to K - 1, of those that were drawn.
        num_scales: number of scales of the model, K.

    Raises:
        ValueError: if nothing was drawn yet, or a value is out of range.
    """
    if earlier is None or not earlier.token_maps:
        raise ValueError("there is no picture yet to go on from: press Draw first")
    if earlier.request.is_smooth:
        raise ValueError("a smooth picture has no tokens to keep: draw it with Smooth off first")
    if scale == num_scales:
        raise ValueError(
            "nothing is left to draw after the last scale: look at an earlier one first, "
            f"1 to {num_scales - 1}"
        )
    token_maps = earlier.token_maps
    keep = check_int("scale", scale, 1, min(len(token_maps), num_scales - 1))
    request = _alike(settings, len(token_maps[0]))
    return replace(request, keep=token_maps[:keep])


def progress_from_tokens(
    info: ModelInfo, token_maps: Sequence[Tensor], frames: Sequence[Image.Image] = ()
) -> JobProgress:
    """A job around the token maps of a picture that nobody drew here, to branch from.

    Args:
        info: model whose tokenizer made the token maps.
        token_maps: token maps of all scales, (1, h, w) each.
        frames: decodes after each scale, where somebody wants to look at them.
    """
    request = DrawRequest((info.reader.read(),), (0,), (info.options,))
    return JobProgress(request, tuple((one,) for one in frames), tuple(token_maps))


def edit(
    settings: Settings,
    image: Image.Image,
    mask: object,
    count: object = 1,
    rule: object = RULES[0],
    best_of: object = 1,
) -> EditRequest:
    """Redraw what is under a mask, several times with seeds counting up.

    Args:
        settings: settings of all results.
        image: upright RGB picture.
        mask: mask as for `check_mask`.
        count: number of results, 1 to MAX_COUNT.
        rule: one of RULES.
        best_of: number of candidates of the coarse scales.

    Raises:
        ValueError: if a value is out of range, or the mask is empty or does not fit.
    """
    holes, options = check_mask(mask, image.size), read_edit_options(rule, best_of)
    return _edited(settings, image, holes, None, count, options)


def outpaint(
    settings: Settings,
    image: Image.Image,
    margins: Margins,
    count: object = 1,
    rule: object = RULES[0],
    best_of: object = 1,
) -> EditRequest:
    """Add to the sides of a picture, several times with seeds counting up.

    Raises:
        ValueError: if a value is out of range, or the result would be too large.
    """
    return _edited(settings, image, None, margins, count, read_edit_options(rule, best_of))


def read_edit_options(rule: object, best_of: object) -> EditOptions:
    """Options of an edit.

    Raises:
        ValueError: if a value is out of range.
    """
    return EditOptions(cast(str, rule), cast(int, best_of))  # which checks what it gets


def _edited(
    settings: Settings,
    image: Image.Image,
    mask: np.ndarray | None,
    margins: Margins | None,
    count: object,
    edit_options: EditOptions,
) -> EditRequest:
    count = check_int("count", count, 1, MAX_COUNT)
    width, height = image.size
    if margins is not None:
        width, height = margins.canvas(width, height, settings.image_shape)
    if count > 1 and count * width * height > MAX_PIXELS:
        raise ValueError(
            f"{count} results of {width}x{height} pixels are too many at once; the limit is "
            f"{MAX_PIXELS // 1_000_000} megapixels together"
        )
    return EditRequest(
        image,
        mask,
        margins,
        (settings.wish,) * count,
        _counting(settings.seed, count),
        settings.options,
        edit_options,
        settings.precision,
    )


def vary(
    settings: Settings, image: Image.Image, keep_scales: object, count: object, num_scales: int
) -> VaryRequest:
    """Keep the coarse scales of a picture, draw the rest, with seeds counting up.

    Raises:
        ValueError: if a value is out of range.
    """
    keep = check_int("keep_scales", keep_scales, 1, num_scales - 1)
    return VaryRequest(image, keep, count_up(settings, count))


def _alike(settings: Settings, count: int) -> DrawRequest:
    return DrawRequest(
        (settings.wish,) * count,
        _counting(settings.seed, count),
        (settings.options,) * count,
        precision=settings.precision,
    )


def _counting(seed: int, count: int) -> tuple[int, ...]:
    seed = check_int("seed", seed, 0, MAX_SEED - count + 1)
    return tuple(range(seed, seed + count))


def read_tokens(info: ModelInfo, scales: Iterable[object]) -> tuple[Tensor, ...]:
    """Token maps (1, h, w) or (1, t, h, w) of the first scales of one drawing, from flat lists.

    Raises:
        ValueError: if there are more scales than the model has, or a list does not fit.
    """
    shapes, limit = info.schedule.shapes, info.vocab_size - 1
    maps = []
    for scale_index, tokens in enumerate(scales):
        if scale_index == len(shapes):
            raise ValueError(f"there are only {len(shapes)} scales")
        size, name = info.schedule.size_of(scale_index), "x".join(map(str, shapes[scale_index]))
        if not isinstance(tokens, list) or len(tokens) != size:
            raise ValueError(f"a scale of {name} needs a list of {size} tokens")
        checked = [check_int("a token", token, 0, limit) for token in tokens]
        maps.append(torch.tensor(checked).view(1, *shapes[scale_index]))
    return tuple(maps)


def read_base64(picture: object) -> bytes:
    """The bytes of a file that came as text.

    Args:
        picture: base64, with or without the head of a data URL.

    Raises:
        ValueError: if it is no base64, or longer than a picture may be.
    """
    if not isinstance(picture, str) or len(picture) > MAX_FILE_BYTES * 4 // 3 + 100:
        raise ValueError(f"picture must be base64 of at most {MAX_FILE_BYTES // 1_000_000} MB")
    try:
        return base64.b64decode(picture.rpartition(",")[2], validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("picture is not base64") from error
