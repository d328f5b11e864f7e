"""Painted masks as JSON of run lengths, the form in which the page sends them."""

import json

import numpy as np
from PIL import Image

from var_core.counted_json import JsonLimits, read_counted
from var_core.images import MAX_PIXELS
from var_core.ranges import check_int

MAX_TEXT = 4_000_000  # characters
LIMITS = JsonLimits(  # a run for each pixel of what is painted on, 1024 a side; no lists in lists
    size=MAX_TEXT, plain_bytes=MAX_TEXT, values=1_100_000, groups=2, depth=2
)


def write_runs(mask: np.ndarray) -> str:
    """A mask as JSON: width, height and lengths of runs, row by row.

    Args:
        mask: (H, W) bool.

    Returns:
        `{"width": W, "height": H, "runs": [...]}`; the runs alternate, beginning with what is kept,
        which may be 0 long.
    """
    flat = np.concatenate(([False], mask.ravel(), [not mask.ravel()[-1]]))
    ends = np.flatnonzero(flat[1:] != flat[:-1])
    runs = np.diff(np.concatenate(([0], ends))).tolist()
    height, width = mask.shape
    return json.dumps({"width": width, "height": height, "runs": runs}, separators=(",", ":"))


def read_runs(text: object) -> np.ndarray:
    """A mask from its JSON.

    Args:
        text: JSON as `write_runs` makes it.

    Returns:
        (H, W) bool.

    Raises:
        ValueError: if it is malformed, too large, or its runs do not add up to width x height;
            nothing large has been allocated then.
    """
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        raise ValueError(f"a mask is a text of at most {MAX_TEXT} characters")
    try:
        content = read_counted(text, LIMITS)
    except ValueError as error:
        raise ValueError("the mask is no JSON") from error
    if not isinstance(content, dict) or set(content) != {"width", "height", "runs"}:
        raise ValueError("a mask has width, height and runs")
    width = check_int("the width of the mask", content["width"], 1, 8192)
    height = check_int("the height of the mask", content["height"], 1, 8192)
    runs = content["runs"]
    if width * height > MAX_PIXELS:
        raise ValueError(f"a mask has at most {MAX_PIXELS // 1_000_000} megapixels")
    if not isinstance(runs, list) or any(type(run) is not int or run < 0 for run in runs):
        raise ValueError("the runs of a mask are whole numbers, 0 or more")
    if sum(runs) != width * height:
        raise ValueError(f"the runs of a {width}x{height} mask add up to {width * height}")
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(height, width)


def resize_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a mask to the size of its picture, by the nearest pixel.

    Args:
        mask: (H, W) bool.
        size: width and height.

    Raises:
        ValueError: if the shapes differ by more than what rounding both sides of one of them to
            whole pixels explains.
    """
    if mask.shape[::-1] == size:
        return mask
    height, width = mask.shape
    # half a pixel of the width counts as many times as the other one is high, and so for the height
    if abs(width * size[1] - height * size[0]) > max(width, height, *size):
        raise ValueError(
            f"the mask is {width}x{height}, the picture {size[0]}x{size[1]}: "
            "they must have the same shape"
        )
    return np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))
