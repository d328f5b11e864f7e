"""Animations: the one reader of moving pictures, judged before they are unpacked."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

from PIL import Image

from var_core.images import (
    VISITORS,
    PictureLimits,
    content_of,
    is_of_machine,
    on_white,
    open_source,
    opened,
    upright_layers,
)
from var_core.picture_headers import check_png, exif_of, gif_size, orientation_of

FORMATS = ("WEBP", "GIF", "PNG")  # PNG as one of several frames
MAX_FRAMES = 600
MAX_PIXELS = 64_000_000  # of all frames together
MAX_MILLISECONDS = 60_000  # of one frame
USUAL_MILLISECONDS = 100  # of a frame that does not say how long it is shown
ANIMATED = replace(VISITORS, formats=FORMATS)


def read_animation(
    source: str | Path | bytes, rate: int, limits: PictureLimits = ANIMATED
) -> list[Image.Image]:
    """Read an animation, or a picture as one of a single frame, as RGB frames.

    Args:
        source: path or content of a WebP, GIF or PNG file.
        rate: frames a second to return; those of the file are repeated or left out.
        limits: what may be read of the file and of each frame.

    Raises:
        ValueError: if it is no such file, damaged, or has too many frames or pixels; no more than
            the limits allow has been unpacked then.
    """
    file, name = open_source(source, limits)
    frames: list[Image.Image] = []
    times = [0.0]  # at which frames begin, in milliseconds, and the end
    try:
        content = content_of(file)
        check_png(content)
        _check_size(name, gif_size(content), limits)
        with Image.open(file, formats=limits.formats) as image:
            _check_size(name, image.size, limits)
            for frame, milliseconds in _decoded(image, name):
                frames.append(frame)
                times.append(times[-1] + milliseconds)
    except _TooLargeError:
        raise
    except Exception as error:  # Pillow has many words for bad files, all of them foreign
        if is_of_machine(error):
            raise
        raise ValueError(f"{name} is not a readable WebP, GIF or PNG animation") from error
    return _at_rate(frames, times, rate)


def is_still(path: Path) -> bool:
    """Whether a file is a WebP, GIF or PNG picture of one frame, of any size.

    Raises:
        ValueError: if there is no such file.
    """
    file, _ = open_source(path, None)
    try:
        with opened(file, FORMATS, None) as image:
            return getattr(image, "n_frames", 1) == 1
    except Exception as error:
        if is_of_machine(error):
            raise
        return False


class _TooLargeError(ValueError):
    """An animation has more frames or pixels than are read."""


def _check_size(name: str, size: tuple[int, int], limits: PictureLimits) -> None:
    """Raise _TooLargeError if the frames have too many pixels."""
    try:
        limits.check_size(name, *size)
    except ValueError as error:
        raise _TooLargeError(str(error)) from None


def _decoded(image: Image.Image, name: str) -> Iterator[tuple[Image.Image, float]]:
    """Frames, and the milliseconds each is shown."""
    for number in count():
        try:
            image.seek(number)
        except EOFError:
            return
        if number >= MAX_FRAMES:
            raise _TooLargeError(f"{name} has more than {MAX_FRAMES} frames")
        if (number + 1) * image.width * image.height > MAX_PIXELS:
            raise _TooLargeError(
                f"{name} has more than {MAX_PIXELS // 1_000_000} megapixels in all its frames"
            )
        copy = image.copy()
        kept = ("transparency",)  # and of what else a file says, how a still picture is turned
        copy.info = {key: value for key, value in image.info.items() if key in kept}
        if "exif" in image.info and getattr(image, "n_frames", 1) == 1:
            copy.info["exif"] = exif_of(orientation_of(image.info["exif"]))
        shown = float(image.info.get("duration", 0))
        is_told = 0 < shown <= MAX_MILLISECONDS
        yield on_white(upright_layers(copy)), shown if is_told else USUAL_MILLISECONDS


def _at_rate(frames: list[Image.Image], times: list[float], rate: int) -> list[Image.Image]:
    """The frame that is shown at the middle of each step of time."""
    step, place, chosen = 1000 / rate, 0, []
    for number in range(max(1, min(MAX_FRAMES, round(times[-1] / step)))):
        while place < len(frames) - 1 and times[place + 1] <= (number + 0.5) * step:
            place += 1
        chosen.append(frames[place])
    return chosen
