"""Contact sheets of pictures, with words beside and under them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from var_core.tokenizer.frames import fold_frames

SMALLEST = 64  # pixels of a picture on a sheet with captions; smaller ones are enlarged
FONT_SIZE = 11
LINE = 14  # pixels
MARGIN = 108  # pixels left of the pictures
CAPTION_LINES = 2
SHOWN_FRAMES = 4  # of a clip, evenly spread


@dataclass(frozen=True)
class SheetRow:
    """A row of a sheet.

    Attributes:
        title: what the pictures are, written beside them.
        images: (N, 3, H, W) in [-1, 1], or clips (N, 3, F, H, W), of which some frames are shown.
        captions: what each picture shows, written under it; empty for none.
    """

    title: str
    images: Tensor
    captions: Sequence[str] = ()


def sheet_pixels(rows: Sequence[Tensor]) -> np.ndarray:
    """Pictures as a grid.

    Args:
        rows: rows of the sheet, each (N, 3, H, W) in [-1, 1], all of one shape.

    Returns:
        (R*H, N*W, 3) uint8.
    """
    grid = torch.stack(list(rows))  # (R, N, 3, H, W)
    flat = grid.permute(0, 3, 1, 4, 2).flatten(0, 1).flatten(1, 2)  # (R*H, N*W, 3)
    return ((flat.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).cpu().numpy()


def captioned_sheet(rows: Sequence[SheetRow]) -> np.ndarray:
    """Rows with titles and captions, (H, W, 3) uint8; small pictures are enlarged."""
    strips = [_strip(row) for row in rows]
    width = max(strip.width for strip in strips)
    sheet = Image.new("RGB", (width, sum(strip.height for strip in strips)), "white")
    top = 0
    for strip in strips:
        sheet.paste(strip, (0, top))
        top += strip.height
    return np.asarray(sheet)


def fitting(num_pictures: int, num_frames: int) -> int:
    """How many clips of so many frames take the place of some pictures; all if they are some."""
    return num_pictures if num_frames == 1 else max(1, num_pictures // SHOWN_FRAMES)


def _strip(row: SheetRow) -> Image.Image:
    images, together = row.images, 1
    if images.ndim == 5:
        together = SHOWN_FRAMES
        places = torch.linspace(0, images.shape[2] - 1, together).round().long()
        images = fold_frames(images[:, :, places])
    pixels = sheet_pixels([images])
    factor = -(-SMALLEST // images.shape[-1])
    pixels = pixels.repeat(factor, axis=0).repeat(factor, axis=1)
    width = together * images.shape[-1] * factor
    height = pixels.shape[0] + (CAPTION_LINES * LINE + 4 if row.captions else 2)
    strip = Image.new("RGB", (MARGIN + pixels.shape[1], height), "white")
    strip.paste(Image.fromarray(pixels), (MARGIN, 0))
    draw, font = ImageDraw.Draw(strip), ImageFont.load_default(FONT_SIZE)
    assert isinstance(font, ImageFont.FreeTypeFont)  # as for every size that is given
    for number, line in enumerate(fit(row.title, MARGIN - 8, font, height // LINE)):
        draw.text((4, 2 + number * LINE), line, "black", font)
    for column, caption in enumerate(row.captions):
        for number, line in enumerate(fit(caption, width - 4, font, CAPTION_LINES)):
            place = (MARGIN + column * width + 2, pixels.shape[0] + number * LINE)
            draw.text(place, line, "black", font)
    return strip


def fit(text: str, width: int, font: ImageFont.FreeTypeFont, num_lines: int) -> list[str]:
    """Break a text into lines of a width in pixels; what does not fit ends with an ellipsis."""
    lines, words = [""], text.split()
    while words:
        longer = f"{lines[-1]} {words[0]}".strip()
        if font.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
            words.pop(0)
        elif len(lines) < num_lines:
            lines.append("")
        else:
            lines[-1] += " …"
            break
    return [_cut(line, width, font) for line in lines]


def _cut(line: str, width: int, font: ImageFont.FreeTypeFont) -> str:
    if font.getlength(line) <= width:
        return line
    line = line.removesuffix(" …")
    while line and font.getlength(f"{line}…") > width:
        line = line[:-1]
    return f"{line}…"


def save_sheet(path: Path, rows: Sequence[Tensor]) -> None:
    """Write pictures as a grid (see `sheet_pixels`) to a PNG file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet_pixels(rows)).save(path)
