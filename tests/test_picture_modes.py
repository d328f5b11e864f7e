"""Pictures of every mode of Pillow have a defined look, or are refused in words."""

import numpy as np
import pytest
from PIL import Image

from var_core.editing import check_mask
from var_core.images import upright

GREY = np.arange(20, dtype=np.uint8).reshape(4, 5) * 13
WIDE = GREY.astype(np.int32)


def made(mode: str) -> Image.Image:
    image = Image.fromarray(GREY)
    for one in {"La": ("LA", "La"), "RGBa": ("RGBA", "RGBa")}.get(mode, (mode,)):
        image = image.convert(one)
    return image


@pytest.mark.parametrize(
    "image",
    [
        *map(made, ("L", "P", "RGB", "RGBA", "RGBX", "LA", "La", "RGBa", "I", "YCbCr")),
        Image.fromarray(WIDE * 257),
        Image.fromarray((WIDE * 257).astype(np.uint16)),
        Image.frombytes("I;16B", (5, 4), (WIDE * 257).astype(">u2").tobytes()),
    ],
    ids=lambda image: f"{image.mode}-{np.asarray(image).max()}",
)
def test_a_grey_picture_looks_the_same_in_every_mode(image: Image.Image) -> None:
    expected = np.repeat(GREY[..., None], 3, axis=2)
    assert np.array_equal(upright(image), expected)


def test_sixteen_bits_are_sixteen_bits_however_dark() -> None:
    assert np.asarray(upright(Image.fromarray(GREY.astype(np.uint16)))).max() == 1


def test_a_mask_of_whole_numbers_is_read_as_one_of_levels() -> None:
    mask = Image.fromarray(np.where(GREY > 100, 255, 0).astype(np.int32))
    assert mask.mode == "I"
    assert np.array_equal(check_mask(mask, (5, 4)), GREY > 100)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (made("F"), 'no known range: scale it to 0 to 255, and convert it to mode "L"'),
        (Image.fromarray(WIDE - 1), "0 to 255 or 0 to 65535, got -1 to 246"),
        (Image.fromarray(WIDE * 1000), "0 to 255 or 0 to 65535, got 0 to 247000"),
        (Image.new("RGB", (0, 5)), "must have pixels, got 0x5"),
        (Image.new("I", (3, 0)), "must have pixels, got 3x0"),
        (GREY, "must be a PIL picture, got ndarray"),
    ],
)
def test_a_picture_of_unknown_range_is_refused(image: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        upright(image)
