"""Draws the moving picture of the README.

Run: python -m tests.forming --out assets/screenshots/forming.webp

Above the token map that the model draws at each scale, below the picture after it. Shipped weights,
default options; the labels and seeds below, first tries.
"""

import argparse
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from var_core import VARPipeline, generators_from_seeds
from var_core.images import tensor_to_images
from var_core.jobs.contact_sheet import contact_sheet, write_animation
from var_core.jobs.token_map_colours import code_colours
from var_core.official.catalogue import EMBEDDED_FOLDER

LABELS = (
    {"thing": "fox", "place": "snow", "style": "noto"},
    {"thing": "house", "place": "mountains", "time": "day"},
    {"thing": "penguin", "place": "snow", "style": "twemoji"},
    {"thing": "cactus", "place": "desert", "style": "noto"},
    {"thing": "balloon", "place": "sky", "style": "noto"},
    {"thing": "castle", "place": "grass", "time": "sunset"},
)
SIDE = 128  # pixels of a picture and of a token map
CAPTION = 30  # pixels for the line above


def draw_frames(pipeline: VARPipeline) -> list[Image.Image]:
    """One frame for each scale: a line of words, token maps, pictures."""
    colours = code_colours(pipeline)
    shapes = pipeline.transformer.schedule.shapes
    generators = generators_from_seeds(range(7, 7 + len(LABELS)))
    frames = []
    for preview in pipeline.stream(list(LABELS), generator=generators):
        maps = [Image.fromarray(colours[tokens.numpy()]) for tokens in preview.token_maps[-1]]
        pictures = tensor_to_images(pipeline.decode_latent(preview.latent))
        sheet = contact_sheet(
            [image.resize((SIDE, SIDE), Image.Resampling.NEAREST) for image in maps]
            + [image.resize((SIDE, SIDE), Image.Resampling.LANCZOS) for image in pictures],
            columns=len(LABELS),
        )
        frame = Image.new("RGB", (sheet.width, sheet.height + CAPTION), "white")
        frame.paste(sheet, (0, CAPTION))
        height, width = shapes[preview.number - 1]
        words = f"scale {preview.number} of {preview.total}: {width} x {height} tokens at once"
        place, font = (frame.width / 2, CAPTION / 2), ImageFont.load_default(18)
        ImageDraw.Draw(frame).text(place, words, fill="black", font=font, anchor="mm")
        frames.append(frame)
    return frames


def main() -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=EMBEDDED_FOLDER, help="model folder")
    parser.add_argument("--out", type=Path, required=True, help="WebP file")
    arguments = parser.parse_args()
    write_animation(arguments.out, draw_frames(VARPipeline.from_pretrained(arguments.model)))
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
