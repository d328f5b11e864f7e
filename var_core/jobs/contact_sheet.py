"""Pictures side by side, and the animation of how one formed."""

import math
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

PREVIEW_SIDE = 256  # pixels; smaller previews are enlarged before they are compressed
GAP = 4  # pixels between the pictures of a sheet
COLUMNS = 4
CAPTION_SIZE = 11  # pixels
LINE_HEIGHT = 15  # pixels
CAPTIONED_SIDE = 128  # pixels; smaller pictures are enlarged, so that captions fit under them
MOVING_SIDE = 256  # pixels; smaller frames are enlarged
FRAME_MILLISECONDS = 450
LAST_MILLISECONDS = 1800


def enlarge(
    image: Image.Image, side: int, resample: Image.Resampling = Image.Resampling.LANCZOS
) -> Image.Image:
    """Enlarge a whole number of times, until the width is at least `side`."""
    factor = math.ceil(side / image.width)
    if factor <= 1:
        return image
    return image.resize((image.width * factor, image.height * factor), resample)


def contact_sheet(
    images: Sequence[Image.Image], columns: int = 0, captions: Sequence[str] = ()
) -> Image.Image:
    """Pictures of one size in rows on white; a single one without a caption stays as it is.

    Args:
        images: RGB pictures of one size.
        columns: pictures in a row; 0 takes 2 for four pictures, else at most 4.
        captions: text under each picture, one or more lines; empty for no captions.
    """
    if len(images) == 1 and not captions:
        return images[0]
    if captions:
        images = [enlarge(image, CAPTIONED_SIDE) for image in images]
    columns = columns or (2 if len(images) == 4 else min(COLUMNS, len(images)))
    rows = math.ceil(len(images) / columns)
    width, height = images[0].size
    caption_height = LINE_HEIGHT * max((len(one.splitlines()) for one in captions), default=0)
    step = width + GAP, height + GAP + caption_height
    sheet = Image.new("RGB", (columns * step[0] - GAP, rows * step[1] - GAP), "white")
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        sheet.paste(image, (column * step[0], row * step[1]))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(CAPTION_SIZE)
    for index, caption in enumerate(captions):
        row, column = divmod(index, columns)
        middle = column * step[0] + width / 2, row * step[1] + height + caption_height / 2
        draw.text(middle, caption, fill="black", font=font, anchor="mm", align="center")
    return sheet


def write_animation(path: Path, frames: Sequence[Image.Image]) -> None:
    """Write the forming of a picture as an endless WebP animation.

    Args:
        path: WebP file to write.
        frames: pictures of one size, coarse to fine; small ones are enlarged.

    Raises:
        OSError: if there is no space or no permission.
    """
    moving = [enlarge(frame, MOVING_SIDE) for frame in frames]
    durations = [FRAME_MILLISECONDS] * (len(moving) - 1) + [LAST_MILLISECONDS]
    moving[0].save(
        path,
        format="WEBP",
        save_all=True,
        append_images=moving[1:],
        duration=durations,
        loop=0,
        quality=90,
        method=2,
    )
