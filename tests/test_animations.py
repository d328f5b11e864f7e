"""Animations are read whole or refused in one sentence, and soon."""

import io
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from var_core import animations
from var_core.animations import MAX_FRAMES, read_animation
from var_core.picture_headers import gif_size

RATE = 8
COLOURS = ("red", "lime", "blue", "white")


def animation(
    kind: str = "WEBP",
    colours: Sequence[str] = COLOURS,
    duration: int | list[int] = 125,
    size: tuple[int, int] = (6, 4),
    **how: object,
) -> bytes:
    first, *rest = [Image.new("RGB", size, colour) for colour in colours]
    file = io.BytesIO()
    if kind == "WEBP":
        how["lossless"] = True
    first.save(file, kind, save_all=True, append_images=rest, duration=duration, **how)
    return file.getvalue()


def colours_of(frames: Sequence[Image.Image]) -> list[tuple[int, ...]]:
    return [frame.getpixel((0, 0)) for frame in frames]


@pytest.mark.parametrize("kind", ["WEBP", "GIF", "PNG"])
def test_frames_come_back_in_their_order(kind: str) -> None:
    frames = read_animation(animation(kind), RATE)
    assert colours_of(frames) == [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)]
    assert {(frame.mode, frame.size) for frame in frames} == {("RGB", (6, 4))}


def test_frames_are_taken_at_the_rate_that_is_asked_for() -> None:
    slow = read_animation(animation(duration=[250, 125, 250, 125]), RATE)
    assert colours_of(slow) == [
        (255, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 255), (255, 255, 255),
    ]  # fmt: skip
    fast = read_animation(animation(duration=62), RATE)
    assert len(fast) == 2


def test_a_still_picture_is_an_animation_of_one_frame() -> None:
    assert len(read_animation(animation("PNG", ["red"]), RATE)) == 1


def test_transparency_becomes_white() -> None:
    layers = [Image.new("RGBA", (4, 4), (255, 0, 0, alpha)) for alpha in (255, 0)]
    file = io.BytesIO()
    layers[0].save(file, "WEBP", save_all=True, append_images=layers[1:], duration=125)
    assert read_animation(file.getvalue(), RATE)[1].getpixel((1, 1)) == (255, 255, 255)


def test_too_many_frames_are_refused_without_reading_them_all() -> None:
    colours = COLOURS * ((MAX_FRAMES + 4) // 4)
    with pytest.raises(ValueError, match="more than 600 frames"):
        read_animation(animation("GIF", colours, size=(1, 1)), RATE)


def test_too_many_pixels_in_all_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(animations, "MAX_PIXELS", 2_000_000)
    with pytest.raises(ValueError, match="more than 2 megapixels in all its frames"):
        read_animation(animation("GIF", size=(1000, 600)), RATE)


def test_a_gigantic_canvas_is_refused_by_its_header() -> None:
    small = animation("GIF")
    gigantic = small[:6] + struct.pack("<HH", 65535, 65535) + small[10:]
    with pytest.raises(ValueError, match=r"65535x65535 pixels; the limits|not a readable"):
        read_animation(gigantic, RATE)
    with pytest.raises(ValueError, match="9000x2 pixels; the limits are 8192 a side"):
        read_animation(animation("GIF", size=(9000, 2)), RATE)


def gif_frame(width: int, height: int, disposal: int = 0) -> bytes:
    control = struct.pack("<2sBBHBB", b"!\xf9", 4, disposal << 2, 10, 0, 0)
    return control + struct.pack("<cHHHHB", b",", 0, 0, width, height, 0) + b"\2\2\x44\1\0"


def gif(*parts: bytes) -> bytes:
    """A GIF file with a screen of 2x2 pixels."""
    return struct.pack("<6sHHBBB", b"GIF89a", 2, 2, 0x80, 0, 0) + bytes(6) + b"".join(parts) + b";"


LOOPED = b"!\xff\x0bNETSCAPE2.0"


@pytest.mark.parametrize(
    "before",
    [
        b"",
        gif_frame(2, 2),
        gif_frame(2, 2) + bytes(3),  # skipped, as all between two blocks
        gif_frame(2, 2) + b"!\xfe\2ab\1c\0!\xfe\0",
        gif_frame(2, 2) + b"!\1\0\1,\0",  # Pillow goes on after the empty block
        gif_frame(2, 2) + LOOPED + b"\0",
        LOOPED + b"\3\1\0\0\0",
        LOOPED + b"\0\1,\0",  # also here, before the first frame
    ],
)
def test_a_small_gif_with_a_gigantic_frame_is_refused_before_it_is_opened(
    before: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)  # the frames hold one pixel
    small = gif(before, gif_frame(5, 3), gif_frame(2, 2))
    with Image.open(io.BytesIO(small)) as image:
        image.seek(image.n_frames - 2)
        assert image.size == gif_size(small) == (5, 3)
    monkeypatch.setattr(Image, "open", None)
    with pytest.raises(ValueError, match="13370x13370 pixels; the limits are 8192 a side"):
        read_animation(gif(before, gif_frame(13370, 13370, 2)), RATE)


@pytest.mark.parametrize("part", [b"\1a" * 1001, b"\0!\xfe\1a" * 1001])
def test_a_gif_of_endless_comments_is_refused_before_it_is_opened(
    part: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "open", None)
    with pytest.raises(ValueError, match="is not a readable") as error:
        read_animation(gif(b"!\xfe", part, b"\0", gif_frame(2, 2)), RATE)
    assert "more than 1000 blocks of comments" in str(error.value.__cause__)
    with pytest.raises(ValueError, match="more than 100000 blocks"):
        gif_size(gif(b"!\1", b"\1a" * 100_001))


@pytest.mark.parametrize("kind", ["WEBP", "GIF", "PNG"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_a_broken_animation_is_refused_or_read_as_far_as_it_goes(kind: str, part: float) -> None:
    dice = np.random.default_rng(0)
    noise = [Image.fromarray(dice.integers(0, 256, (16, 16, 3), dtype=np.uint8)) for _ in range(4)]
    file = io.BytesIO()
    noise[0].save(file, kind, save_all=True, append_images=noise[1:], duration=125)
    broken = file.getvalue()[: round(part * len(file.getvalue()))]
    try:
        assert 1 <= len(read_animation(broken, RATE)) <= 4
    except ValueError as error:
        assert str(error) == "the picture is not a readable WebP, GIF or PNG animation"


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"RIFF\0\0\0\0WEBPVP8X", b"no picture"])
def test_what_is_no_animation_is_refused(content: bytes) -> None:
    with pytest.raises(
        ValueError, match="the picture is not a readable WebP, GIF or PNG animation"
    ):
        read_animation(content, RATE)


def test_other_formats_missing_and_large_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.new("RGB", (4, 4)).save(path)
    with pytest.raises(ValueError, match=r"a\.jpg is not a readable"):
        read_animation(path, RATE)
    with pytest.raises(ValueError, match=r"there is no file b\.gif"):
        read_animation(tmp_path / "b.gif", RATE)
    path.write_bytes(bytes(10_000_001))
    with pytest.raises(ValueError, match="larger than 10 MB"):
        read_animation(path, RATE)
