"""Pictures of strangers: what every odd kind becomes, and what is refused."""

import contextlib
import errno
import gc
import io
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.patience import LIMIT_SECONDS
from tests.server import ROOT
from var_core import VARPipeline, generators_from_seeds
from var_core.animations import is_still
from var_core.checkpoints import CheckpointError
from var_core.editing import Margins
from var_core.images import MAX_FILE_BYTES, VISITORS, read_image, read_layers
from var_core.jobs.clip_files import read_clip_recipe
from var_core.jobs.png_recipe import read_png_recipe
from var_core.jobs.reconstruction import reconstruct
from var_core.official.convert import read_official

GREY = np.arange(20, dtype=np.uint8).reshape(4, 5) * 13
COLOURS = np.stack([GREY, GREY[::-1], 255 - GREY], axis=2)


def grey(values: np.ndarray) -> np.ndarray:
    return np.repeat(values[..., None], 3, axis=2)


def over_white(values: np.ndarray, alpha: int) -> np.ndarray:
    """Alpha compositing as Pillow rounds it, to one step."""
    return np.round(values * (alpha / 255) + 255 - alpha).astype(np.uint8)


def with_alpha(alpha: int) -> Image.Image:
    image = Image.fromarray(COLOURS).convert("RGBA")
    image.putalpha(alpha)
    return image


def palette_with_a_hole() -> Image.Image:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putdata([0, 1])
    image.info["transparency"] = 1
    return image


KINDS: dict[str, tuple[Callable[[], Image.Image], str, np.ndarray, int]] = {
    # name: the picture, its format, what is read, largest difference
    "rgb": (lambda: Image.fromarray(COLOURS), "PNG", COLOURS, 0),
    "rgb-webp": (lambda: Image.fromarray(COLOURS), "WEBP", COLOURS, 0),
    "grey": (lambda: Image.fromarray(GREY), "PNG", grey(GREY), 0),
    "grey-alpha": (
        lambda: Image.merge("LA", (Image.fromarray(GREY), Image.new("L", (5, 4), 128))),
        "PNG",
        grey(over_white(GREY, 128)),
        1,
    ),
    "one-bit": (
        lambda: Image.fromarray(GREY > 99),
        "PNG",
        grey(np.where(GREY > 99, 255, 0).astype(np.uint8)),
        0,
    ),
    "sixteen-bit": (
        lambda: Image.fromarray(GREY.astype(np.uint16) * 257),
        "PNG",
        grey(GREY),
        0,
    ),
    "opaque": (lambda: with_alpha(255), "PNG", COLOURS, 0),
    "half-transparent": (lambda: with_alpha(128), "PNG", over_white(COLOURS, 128), 1),
    "transparent": (lambda: with_alpha(0), "PNG", np.full_like(COLOURS, 255), 0),
    "palette": (
        lambda: Image.fromarray(GREY).convert("P"),
        "PNG",
        grey(GREY),
        0,
    ),
    "palette-with-a-hole": (
        palette_with_a_hole,
        "PNG",
        np.array([[[255, 0, 0], [255, 255, 255]]], np.uint8),
        0,
    ),
    "cmyk": (
        lambda: Image.new("CMYK", (16, 16), (0, 255, 255, 0)),
        "JPEG",
        np.full((16, 16, 3), (255, 0, 0), np.uint8),
        3,
    ),
    "one-pixel-high": (lambda: Image.new("RGB", (300, 1), "red"), "PNG", None, 0),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_picture_is_defined(kind: str, tmp_path: Path) -> None:
    make, file_format, expected, tolerance = KINDS[kind]
    path = tmp_path / "picture"
    make().save(path, format=file_format, **({"lossless": True} if file_format == "WEBP" else {}))
    found = np.asarray(read_image(path), np.int16)
    if expected is None:
        expected = np.asarray(make(), np.int16)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= tolerance


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright(orientation: int, tmp_path: Path) -> None:
    path = tmp_path / "turned.png"
    image = Image.fromarray(COLOURS)
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(path, exif=exif)
    with Image.open(path) as saved:
        upright = np.asarray(ImageOps.exif_transpose(saved).convert("RGB"))
    assert np.array_equal(np.asarray(read_image(path)), upright)
    assert (upright.shape[:2] == (5, 4)) == (orientation > 4)


@pytest.mark.parametrize("file_format", ["PNG", "WEBP"])
def test_of_a_moving_picture_the_first_frame_is_read(file_format: str, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (6, 6), colour) for colour in ("red", "lime", "blue")]
    path = tmp_path / "moving"
    lossless = {"lossless": True} if file_format == "WEBP" else {}
    frames[0].save(
        path, format=file_format, save_all=True, append_images=frames[1:], duration=50, **lossless
    )
    assert np.array_equal(np.asarray(read_image(path)), np.asarray(frames[0]))


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises a size and holds hardly anything."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def bytes_of(image: Image.Image, file_format: str, tmp_path: Path) -> bytes:
    image.save(tmp_path / "made", format=file_format)
    return (tmp_path / "made").read_bytes()


def test_what_is_no_picture_or_too_large_is_refused_in_our_words(tmp_path: Path) -> None:
    image = Image.fromarray(COLOURS)
    whole = bytes_of(image, "PNG", tmp_path)
    refused = {
        "empty": b"",
        "text": b"hello",
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "cut": whole[: len(whole) // 2],
        "gif": bytes_of(image, "GIF", tmp_path),
        "bmp": bytes_of(image, "BMP", tmp_path),
        "tiff": bytes_of(image, "TIFF", tmp_path),
        "wide": png_header(20_000, 10),
        "bomb": png_header(4_100, 4_100),
        "huge-bomb": png_header(2**31 - 1, 2**31 - 1),
        "nothing": png_header(0, 0),
        "long": whole + b" " * MAX_FILE_BYTES,
    }
    for name, content in refused.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"^{name} (is|has)") as caught:
            read_image(path)
        words = str(caught.value)
        assert str(tmp_path) not in words and " at 0x" not in words


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def text_bomb(kind: bytes) -> bytes:
    """A PNG whose text chunks hold a gigabyte."""
    text = zlib.compress(bytes(60_000_000), 9)
    head = {b"zTXt": b"k\0\0", b"iTXt": b"k\0\1\0\0\0"}[kind] + text
    whole = png_header(8, 8)
    return whole[:33] + chunk(kind, head) * 18 + whole[33:]


def moving_bomb() -> bytes:
    """A GIF of ten thousand frames."""
    file = io.BytesIO()
    frames = [Image.new("L", (9, 9), number % 256) for number in range(10_000)]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    return file.getvalue()


def flat(file_format: str, size: tuple[int, int], **options: object) -> bytes:
    file = io.BytesIO()
    Image.new("1" if file_format != "WEBP" else "RGB", size).save(file, file_format, **options)
    return file.getvalue()


def colour_bomb(side: int) -> bytes:
    """A PNG that unpacks to half a gigabyte, just below the limit that Pillow has itself."""
    lines = zlib.compressobj(9)
    row = bytes(3 * side + 1)
    data = b"".join(lines.compress(row) for _ in range(side)) + lines.flush()
    whole = png_header(side, side)
    return whole[:33] + chunk(b"IDAT", data) + chunk(b"IEND", b"")


BOMBS: dict[str, Callable[[], bytes]] = {
    "png-10k": lambda: flat("PNG", (10_000, 10_000)),
    "png-13k": lambda: colour_bomb(13_000),
    "png-60k": lambda: png_header(60_000, 60_000),
    "png-flat": lambda: png_header(4_000, 4_000),  # within the limits, but there are no pixels
    "gif-10k": lambda: flat("GIF", (10_000, 10_000)),
    "webp-16k": lambda: flat("WEBP", (16_000, 2_000), quality=1, method=0),
    "tiff-30k": lambda: flat("TIFF", (30_000, 30_000), compression="group4"),
    "jpeg-20k": lambda: flat("JPEG", (20_000, 2_000), quality=1),
    "moving": moving_bomb,
    "text-compressed": lambda: text_bomb(b"zTXt"),
    "text-international": lambda: text_bomb(b"iTXt"),
}


def memory(name: str) -> int:
    """VmRSS or VmHWM (its highest value) of this process in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux")
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_without_being_unpacked(bomb: str) -> None:
    content = BOMBS[bomb]()
    assert len(content) < MAX_FILE_BYTES
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # forget the highest value
    before = memory("VmRSS")
    with pytest.raises(ValueError, match=r"^the picture (is|has)"):
        read_image(content)
    with contextlib.suppress(ValueError):  # some have a sound header, and hold no recipe
        assert read_png_recipe(content) is None
    assert memory("VmHWM") - before <= 64_000_000


def test_the_largest_picture_is_read_in_bounded_memory() -> None:
    content = flat("PNG", (4_000, 4_000))
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before = memory("VmRSS")
    assert read_image(content).size == (4_000, 4_000)
    assert memory("VmHWM") - before <= 128_000_000


def exif_bomb(num_entries: int, value_bytes: int) -> bytes:
    """EXIF whose entries share one large value: with a copy for each it is very much larger."""
    first = 8 + 2 + 12 * num_entries + 4
    entries = [struct.pack(">HHII", 1000 + i, 1, value_bytes, first) for i in range(num_entries)]
    head = b"MM\0*" + struct.pack(">IH", 8, num_entries)
    return head + b"".join(entries) + bytes(4 + value_bytes)


def with_exif(file_format: str) -> bytes:
    if file_format == "PNG":
        whole = flat("PNG", (8, 8))
        return whole[:33] + chunk(b"eXIf", exif_bomb(1000, 1_000_000)) + whole[33:]
    if file_format == "WEBP":
        return flat("WEBP", (8, 8), exif=b"Exif\0\0" + exif_bomb(1000, 1_000_000))
    whole, exif = flat("JPEG", (8, 8)), exif_bomb(10_000, 500_000)
    parts = [exif[at : at + 60_000] for at in range(0, len(exif), 60_000)]
    parts = [b"\xff\xe1" + struct.pack(">H", len(one) + 8) + b"Exif\0\0" + one for one in parts]
    return whole[:2] + b"".join(parts) + whole[2:]


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux")
@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_values_in_exif_are_not_unpacked(file_format: str) -> None:
    content = with_exif(file_format)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before = memory("VmRSS")
    assert read_image(content).size == (8, 8)
    assert memory("VmHWM") - before <= 64_000_000


def test_a_jpeg_that_goes_over_its_pixels_without_end_is_refused() -> None:
    whole = flat("JPEG", (8, 8), progressive=True)
    scan = whole[whole.rindex(b"\xff\xda") : -2]
    assert read_image(whole[:-2] + scan * 50 + whole[-2:]).size == (8, 8)
    for fill in (b"", b"\xff"):  # a marker may begin with any number of them
        with pytest.raises(ValueError, match="not a readable"):
            read_image(whole[:-2] + (fill + scan) * 200 + whole[-2:])
    assert read_image(whole + scan * 200).size == (8, 8)  # phones put films behind their pictures


@pytest.mark.parametrize("name", [b"tEXt", b"IDAT", b"zzZz"])
@pytest.mark.parametrize("place", [33, -12])  # before the pixels, and after them
def test_a_png_of_countless_chunks_is_refused(name: bytes, place: int) -> None:
    whole, content = flat("PNG", (8, 8)), b"a\0" if name == b"tEXt" else b""
    few = whole[:place] + chunk(name, content) * 500 + whole[place:]
    assert read_image(few).size == (8, 8)
    many = whole[:place] + chunk(name, content) * 400_000 + whole[place:]
    assert len(many) < MAX_FILE_BYTES
    with pytest.raises(ValueError, match="not a readable PNG"):
        read_image(many)
    with pytest.raises(ValueError, match="not a readable PNG"):
        read_png_recipe(many)


@pytest.mark.slow
def test_the_fuzzer_finds_nothing_within_a_few_seconds(tmp_path: Path) -> None:
    words = ["--runs", "3000", "--hang-seconds", str(LIMIT_SECONDS), "--out", str(tmp_path)]
    command = [sys.executable, "-m", "tests.fuzz_images", *words]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_SECONDS)
    if "there is no atheris" in found.stderr:
        pytest.skip("atheris is not installed")
    assert found.returncode == 0, found.stderr[-3000:]
    assert "cov: " in found.stderr  # it was guided by coverage


def stored_oddly(kind: str) -> Image.Image:
    """A picture that looks like COLOURS, or like its first channel, but is stored otherwise."""
    if kind == "turned":
        stored = Image.fromarray(COLOURS).transpose(Image.Transpose.ROTATE_90)
        exif = Image.Exif()
        exif[0x0112] = 6
        stored.info["exif"] = exif.tobytes()
        return stored
    if kind == "sixteen bits":
        return Image.fromarray(GREY.astype(np.uint16) * 257)
    hidden = np.concatenate((COLOURS, np.full((4, 5, 1), 255, np.uint8)), axis=2)
    hidden[0, 0] = (255, 0, 0, 0)
    return Image.fromarray(hidden)


def seen(kind: str) -> Image.Image:
    """What people see of `stored_oddly`."""
    pixels = grey(GREY) if kind == "sixteen bits" else COLOURS.copy()
    if kind == "hidden colour":
        pixels[0, 0] = 255
    return Image.fromarray(pixels)


@pytest.mark.parametrize("kind", ["turned", "sixteen bits", "hidden colour"])
def test_every_method_of_the_pipeline_sees_what_people_see(
    pipeline: VARPipeline, kind: str
) -> None:
    stored, plain = stored_oddly(kind), seen(kind)
    mask = np.zeros((4, 5), bool)
    mask[:, 3:] = True

    def results(image: Image.Image) -> list[bytes]:
        def fresh() -> dict:
            return {"generator": generators_from_seeds([1])}

        drawn = [
            *pipeline.edit(image, mask, **fresh()).images,
            *pipeline.outpaint(image, Margins(left=2), **fresh()).images,
            *pipeline.vary(image, 1, **fresh()).images,
            *pipeline.tokenize(image)[1],
            *pipeline.reconstruct(image),
            *reconstruct(pipeline, image).frames,
        ]
        return [one.tobytes() for one in drawn]

    assert results(stored) == results(plain)


def test_a_picture_whose_range_is_unknown_or_that_is_none_is_refused(
    pipeline: VARPipeline,
) -> None:
    floating = Image.fromarray(np.zeros((4, 4), np.float32))
    for image, message in ((floating, "no known range"), (COLOURS, "must be a PIL picture")):
        with pytest.raises(ValueError, match=message):
            pipeline.tokenize(image)


def test_limits_are_for_visitors_and_not_for_own_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = tmp_path / "large.jpg"
    Image.new("RGB", (5000, 4000), "red").save(large, quality=20)
    with pytest.raises(ValueError, match="5000x4000 pixels; the limits are"):
        read_image(large)
    assert read_image(large, limits=None).size == (5000, 4000)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # Pillow's own, against bombs
    assert read_image(large, limits=None).size == (5000, 4000)
    assert Image.MAX_IMAGE_PIXELS == 1000
    for ending in ("gif", "bmp", "tif", "avif"):
        Image.fromarray(COLOURS).save(tmp_path / f"x.{ending}")
        assert read_image(tmp_path / f"x.{ending}", limits=None).size == (5, 4)
        with pytest.raises(ValueError, match="not a readable PNG, JPEG or WebP"):
            read_image(tmp_path / f"x.{ending}")


def test_a_pipe_is_no_picture(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for limits in (VISITORS, None):
        with pytest.raises(ValueError, match=r"pipe\.png is no file"):
            read_image(tmp_path / "pipe.png", limits)


def test_a_file_that_may_not_be_read_is_said_in_our_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    (tmp_path / "mine.png").write_bytes(flat("PNG", (4, 4)))
    monkeypatch.setattr(Path, "open", refuse)  # the administrator may read all
    for read in (read_image, read_layers, is_still, read_clip_recipe, read_png_recipe):
        with pytest.raises(ValueError, match=r"^mine\.png cannot be read: Permission denied"):
            read(tmp_path / "mine.png")
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_official(tmp_path / "mine.png", "tokenizer", "0" * 64)
