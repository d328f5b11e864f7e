"""One reader of masks: what is light and opaque is redrawn, whichever way a mask comes."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from var_core.editing import check_mask, read_mask
from var_core.images import read_image

SIZE = (12, 8)  # width, height
PLACE = (slice(1, 4), slice(2, 9))
EXPECTED = np.zeros(SIZE[::-1], bool)
EXPECTED[PLACE] = True


def layers(ground: tuple[int, ...], stroke: tuple[int, ...]) -> Image.Image:
    values = np.empty((*EXPECTED.shape, 4), np.uint8)
    values[:] = ground
    values[PLACE] = stroke
    return Image.fromarray(values)


def with_hidden_palette_ground() -> Image.Image:
    image = Image.fromarray(EXPECTED.astype(np.uint8)).convert("L")
    image = Image.fromarray(np.asarray(image), "P")
    image.putpalette([255, 255, 255, 255, 255, 255])
    image.info["transparency"] = 0
    return image


def turned(image: Image.Image) -> Image.Image:
    """The same picture, stored on its side with a note of how to turn it."""
    stored = image.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    stored.info["exif"] = exif.tobytes()
    return stored


WHITE, BLACK = (255, 255, 255, 255), (0, 0, 0, 255)
SAME = {
    "black ground": layers(BLACK, WHITE),
    "clear ground": layers((0, 0, 0, 0), WHITE),
    "clear white ground": layers((255, 255, 255, 0), WHITE),
    "opaque and black around a hole": layers((0, 0, 0, 255), WHITE),
    "grey and alpha": layers((255, 255, 255, 0), WHITE).convert("LA"),
    "palette": with_hidden_palette_ground(),
    "one bit": Image.fromarray(EXPECTED),
    "sixteen bits": Image.fromarray(np.where(EXPECTED, 65535, 300).astype(np.uint16)),
    "on its side": turned(layers(BLACK, WHITE).convert("RGB")),
}


def as_png(image: Image.Image) -> bytes:
    """The file of a mask."""
    buffer = io.BytesIO()
    exif = {"exif": image.info["exif"]} if "exif" in image.info else {}
    image.save(buffer, "PNG", **exif)
    return buffer.getvalue()


@pytest.mark.parametrize("name", SAME)
def test_a_mask_means_the_same_as_file_as_bytes_and_as_picture(name: str, tmp_path: Path) -> None:
    image, content = SAME[name], as_png(SAME[name])
    path = tmp_path / "mask.png"
    path.write_bytes(content)
    for found in (
        read_mask(path),
        read_mask(content),
        read_mask(path, limits=None),
        check_mask(image, SIZE),
        check_mask(Image.open(path), SIZE),
    ):
        assert np.array_equal(found, EXPECTED)


@pytest.mark.parametrize(
    "image",
    [
        layers((0, 0, 0, 0), BLACK),  # black strokes on nothing
        layers((0, 0, 0, 0), (200, 0, 0, 255)),  # red strokes on nothing
        layers(BLACK, (0, 0, 0, 0)),  # a hole in black
        layers((0, 0, 0, 0), (255, 255, 255, 90)),  # faint strokes
    ],
)
def test_what_may_mean_either_is_refused_in_words(image: Image.Image) -> None:
    for read in (lambda: read_mask(as_png(image)), lambda: check_mask(image, SIZE)):
        with pytest.raises(ValueError, match="does not say what to redraw; paint that white"):
            read()


@pytest.mark.parametrize(
    "values",
    [
        EXPECTED,
        EXPECTED.astype(np.uint8),
        EXPECTED.astype(np.float32),
        np.where(EXPECTED, 255, 9).astype(np.uint8),
        np.where(EXPECTED, 128, 127),
        Image.fromarray(EXPECTED.astype(np.float32)),
    ],
)
def test_arrays_hold_shares_or_levels(values: object) -> None:
    assert np.array_equal(check_mask(values, SIZE), EXPECTED)


@pytest.mark.parametrize("values", [EXPECTED * 255.0, EXPECTED * -1, EXPECTED * 65535])
def test_an_array_of_unknown_range_is_refused(values: np.ndarray) -> None:
    with pytest.raises(ValueError, match="from 0 to 1, or whole numbers to 255"):
        check_mask(values, SIZE)


def test_a_mask_beside_a_turned_photo_covers_what_one_sees(tmp_path: Path) -> None:
    seen = layers(BLACK, WHITE).convert("RGB")
    for name, image in (("photo.png", turned(seen)), ("mask.png", turned(seen))):
        image.save(tmp_path / name, exif=image.info["exif"])
    photo = np.asarray(read_image(tmp_path / "photo.png"))
    assert np.array_equal(photo[..., 0] > 0, read_mask(tmp_path / "mask.png"))
