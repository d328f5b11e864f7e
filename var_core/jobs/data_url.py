"""Pictures as data URLs: PNG pixel for pixel, JPEG previews."""

import base64
import io

from PIL import Image

from var_core.jobs.png_recipe import Recipe, png_bytes

JPEG_QUALITY = 85


def png_url(image: Image.Image, recipe: Recipe | None = None) -> str:
    """A picture as a PNG data URL, pixel for pixel, with or without its recipe."""
    return _data_url(png_bytes(image, recipe), "png")


def preview_url(image: Image.Image, side: int) -> str:
    """A picture as the data URL of a JPEG.

    Args:
        image: picture of any size.
        side: pixels of the longer side, at most.
    """
    small = image.convert("RGB")
    small.thumbnail((side, side))
    return jpeg_url(small)


def jpeg_url(image: Image.Image) -> str:
    """An RGB picture as a JPEG data URL, in its size."""
    buffer = io.BytesIO()
    image.save(buffer, format="jpeg", quality=JPEG_QUALITY)
    return _data_url(buffer.getvalue(), "jpeg")


def _data_url(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
