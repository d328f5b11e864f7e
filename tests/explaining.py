"""Makes the pictures of the tab How it works.

Run: python -m tests.explaining --out assets/how

One drawing of the shipped model: its token maps, what each of them adds, the picture after it, who
sees whom in the transformer, and one step of the drawing. The words and the seed below, first try.
Colours stand on nothing, so that they fit both themes.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from var_core import VARPipeline, generators_from_seeds
from var_core.images import tensor_to_images
from var_core.inspection import Inspection
from var_core.jobs.token_map_colours import code_colours
from var_core.official.catalogue import EMBEDDED_FOLDER
from var_core.transformer.block_causal import block_causal_mask

LABELS, PROMPT = {"style": "noto"}, "a fox, in the mountains, by day"
SEED = 7
TILE, GAP = 96, 8  # pixels of a picture in a row, and between two
LOUD = 3  # factor on what a scale adds
HEAT = ((21, 34, 84), (44, 86, 140), (110, 131, 141), (214, 176, 82), (255, 241, 176))
SEEN = (118, 108, 250)  # colour of attention
FAINT = 0.16  # opacity of what is seen and hardly looked at


def row_of(pictures: Sequence[Image.Image], resample: Image.Resampling) -> Image.Image:
    """Pictures side by side, each in the middle of its column."""
    sheet = Image.new("RGBA", (len(pictures) * (TILE + GAP), TILE))
    for index, picture in enumerate(pictures):
        tile = picture.convert("RGBA").resize((TILE, TILE), resample)
        sheet.paste(tile, (index * (TILE + GAP) + GAP // 2, 0))
    return sheet


def heat(values: np.ndarray) -> Image.Image:
    """Numbers from 0 to 1, (S, S), as colours of rising lightness."""
    places = np.linspace(0, 1, len(HEAT))
    channels = [np.interp(values, places, [one[c] for one in HEAT]) for c in range(3)]
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8))


def added(before: Image.Image | None, after: Image.Image) -> Image.Image:
    """What a scale changes in the picture, around grey."""
    old = np.full_like(np.asarray(after), 128) if before is None else np.asarray(before)
    change = LOUD * (np.asarray(after).astype(int) - old)
    return Image.fromarray((128 + change / 2).clip(0, 255).astype(np.uint8))


def attention_picture(pipeline: VARPipeline, inspection: Inspection) -> Image.Image:
    """The mask of the transformer, (L, L); the more a scale looks at a token, the stronger."""
    schedule, prefix = pipeline.transformer.schedule, pipeline.transformer.num_prefix
    mask = block_causal_mask(schedule, prefix).numpy()
    sizes = [*[1] * prefix, *schedule.sizes]
    shares = inspection.attention[0].numpy() / np.array(sizes)  # (K, P + K), of each token
    strong = shares / shares.max(axis=1, keepdims=True)
    rows = np.repeat(np.arange(schedule.num_scales), sizes[prefix:])
    rows = np.concatenate([np.zeros(prefix, dtype=int), rows])
    columns = np.repeat(np.arange(len(sizes)), sizes)
    alpha = FAINT + (1 - FAINT) * np.sqrt(strong[rows][:, columns])
    pixels = np.zeros((*mask.shape, 4), dtype=np.uint8)
    pixels[..., :3] = SEEN
    pixels[..., 3] = np.where(mask, 255 * alpha, 0).astype(np.uint8)
    return Image.fromarray(pixels)


@torch.inference_mode()
def pictures_of(pipeline: VARPipeline) -> tuple[dict, dict]:
    """All pictures by name, and what the page says about them."""
    colours, schedule = code_colours(pipeline), pipeline.transformer.schedule
    generators = generators_from_seeds([SEED], pipeline.device)
    result = pipeline.draw([LABELS], prompt=[PROMPT], generator=generators)
    shown = pipeline.decode_prefixes(result.token_maps)
    inspection = pipeline.inspect(result.token_maps, result.wishes)
    maps = [Image.fromarray(colours[tokens[0].numpy()]) for tokens in result.token_maps]
    step = 2 * schedule.num_scales // 3  # the scale that is drawn in the last picture
    latents = [*pipeline.tokenizer.quantizer.sum_scales(result.token_maps)]
    coarse = pipeline.tokenizer.quantizer.next_input(latents[step - 1], step)
    height, width = schedule.shapes[step]
    before = tensor_to_images(pipeline.decode_latent(latents[step - 1]))[0]
    assert coarse.shape[1] == height * width
    entropy = inspection.scales[step].entropy[0].numpy()
    changes = [added(*pair) for pair in zip([None, *shown[:-1]], shown, strict=True)]
    one = {
        "input": before.resize((width, height), Image.Resampling.BOX),
        "entropy": heat(entropy / entropy.max()),
        "tokens": maps[step],
        "after": shown[step],
    }
    pictures = {
        "maps": row_of(maps, Image.Resampling.NEAREST),
        "added": row_of(changes, Image.Resampling.LANCZOS),
        "pictures": row_of(shown, Image.Resampling.LANCZOS),
        "mask": attention_picture(pipeline, inspection),
        **{name: picture.resize((TILE, TILE), smooth_for(name)) for name, picture in one.items()},
    }
    names = pipeline.labels.telling_names(result.wishes[0].label)
    told = {
        "shapes": list(schedule.shapes),
        "codes": pipeline.info.vocab_size,
        "step": step + 1,
        "bits": round(float(entropy.mean()), 1),
        "words": ", ".join([*result.wishes[0].phrases, *names]),
    }
    return pictures, told


def smooth_for(name: str) -> Image.Resampling:
    """How a picture is enlarged: tokens keep their edges."""
    return Image.Resampling.LANCZOS if name == "after" else Image.Resampling.NEAREST


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    arguments = parser.parse_args(argv)
    pictures, told = pictures_of(VARPipeline.from_pretrained(EMBEDDED_FOLDER))
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        path = arguments.out / f"{name}.webp"
        is_smooth = name in ("added", "pictures", "after")
        how = {"quality": 80} if is_smooth else {"lossless": True}
        picture.save(path, "WEBP", method=6, **how)
        print(f"{path}: {path.stat().st_size / 1000:.1f} kB")
    (arguments.out / "how.json").write_text(json.dumps(told) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
