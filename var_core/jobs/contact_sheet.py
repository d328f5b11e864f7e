"""Pictures side by side, and the animation of how one formed."""

import math
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

PREVIEW_SIDE = 256  # pixels; smaller previews are enlarged before they are compressed
GAP = 4  # pixels between the pictures of a sheet
COLUMNS = 4
CAPTION_SIZE = 14  # pixels
LINE_HEIGHT = 19  # pixels
MAX_LINES = 5  # of the words of a row or column
SIDE_WIDTH = 150  # pixels of the words before the rows
EDGE = 12  # pixels around words
CAPTIONED_SIDE = 128  # pixels; smaller pictures are enlarged, so that words fit above them
MOVING_SIDE = 256  # pixels; smaller frames are enlarged
FRAME_MILLISECONDS = 450
LAST_MILLISECONDS = 1800

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def enlarge(
    image: Image.Image, side: int, resample: Image.Resampling = Image.Resampling.LANCZOS
) -> Image.Image:
    """Enlarge a whole number of times, until the width is at least `side`."""
    factor = math.ceil(side / image.width)
    if factor <= 1:
        return image
    return image.resize((image.width * factor, image.height * factor), resample)


def contact_sheet(images: Sequence[Image.Image], columns: int = 0) -> Image.Image:
    """Pictures of one size in rows on white; a single one stays as it is.

    Args:
        images: RGB pictures of one size.
        columns: pictures in a row; 0 takes 2 for four pictures, else at most 4.
    """
    if len(images) == 1:
        return images[0]
    columns = columns or (2 if len(images) == 4 else min(COLUMNS, len(images)))
    rows = math.ceil(len(images) / columns)
    width, height = images[0].size
    step = width + GAP, height + GAP
    sheet = Image.new("RGB", (columns * step[0] - GAP, rows * step[1] - GAP), "white")
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        sheet.paste(image, (column * step[0], row * step[1]))
    return sheet


def labelled_sheet(
    images: Sequence[Image.Image], rows: Sequence[str], columns: Sequence[str]
) -> Image.Image:
    """Pictures of one size on white, with words before each row and above each column.

    Args:
        images: RGB pictures of one size, row by row.
        rows: words for each row.
        columns: words for each column.
    """
    sheet = contact_sheet([enlarge(image, CAPTIONED_SIDE) for image in images], len(columns))
    width, height = sheet.width / len(columns), sheet.height / len(rows)
    font = ImageFont.load_default(CAPTION_SIZE)
    before = [_wrapped(words, font, SIDE_WIDTH - 2 * EDGE) for words in rows]
    above = [_wrapped(words, font, round(width) - 2 * GAP) for words in columns]
    top = LINE_HEIGHT * max(len(lines) for lines in above) + 2 * EDGE
    whole = Image.new("RGB", (sheet.width + SIDE_WIDTH + EDGE, sheet.height + top + EDGE), "white")
    whole.paste(sheet, (SIDE_WIDTH, top))
    draw = ImageDraw.Draw(whole)
    style = {"fill": "black", "font": font, "spacing": LINE_HEIGHT - CAPTION_SIZE}
    for index, lines in enumerate(before):
        middle = SIDE_WIDTH - EDGE, top + (index + 0.5) * height
        draw.text(middle, "\n".join(lines), anchor="rm", align="right", **style)
    for index, lines in enumerate(above):
        middle = SIDE_WIDTH + (index + 0.5) * width, top / 2
        draw.text(middle, "\n".join(lines), anchor="mm", align="center", **style)
    return whole


def _wrapped(text: str, font: Font, width: int) -> list[str]:
    """A text in lines of at most a width, in pixels; longer words and more lines are cut."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    shown = lines[:MAX_LINES]
    if len(lines) > MAX_LINES:
        shown[-1] += " ..."
    while any(font.getlength(line) > width for line in shown):
        shown = [line if font.getlength(line) <= width else line[:-4] + "..." for line in shown]
    return shown


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
