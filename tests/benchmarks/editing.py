"""Measures zero-shot editing: `python -m tests.benchmarks.editing --data ... --nets ...`.

`replay` (the official notebook's rule, pasted as it is) against `closed_loop` on validation scenes:
a centre box, the right half and a free-hand blob are redrawn without words. The ceiling is the
tokenizer's reconstruction. What is kept is measured before the compositing; `jump joined` is the
step at the border when what `replay` drew is joined in the way of `closed_loop`. Means with
bootstrap 95 % intervals over pictures.
"""

import argparse
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from training.data.scenes.pictures import ScenePictures
from training.evaluation.scenes.edit_figures import border_step
from training.evaluation.scenes.prompts import validation_scenes
from training.tokenizer.perceptual import load_perceptual
from var_core import VARPipeline, generators_from_seeds
from var_core.editing import RULES, EditOptions, Window, edit_steps
from var_core.editing.masks import feather_width, grow
from var_core.editing.seam import Seam
from var_core.images import tensor_to_images
from var_core.official.catalogue import EMBEDDED_FOLDER

RESAMPLES = 10_000
FIGURES = ("psnr", "perceptual", "seam", "jump")


def box(index: int, side: int) -> np.ndarray:
    """The middle half of the sides."""
    mask = np.zeros((side, side), bool)
    mask[side // 4 : 3 * side // 4, side // 4 : 3 * side // 4] = True
    return mask


def half(index: int, side: int) -> np.ndarray:
    """The right half."""
    mask = np.zeros((side, side), bool)
    mask[:, side // 2 :] = True
    return mask


def blob(index: int, side: int) -> np.ndarray:
    """A thick free-hand line, another one for each picture."""
    dice = np.random.default_rng(100 + index)
    mask, (rows, columns) = np.zeros((side, side), bool), np.mgrid[:side, :side]
    column, row = dice.uniform(side / 4, 3 * side / 4, 2)
    angle = dice.uniform(0, 2 * np.pi)
    for _ in range(60):
        angle += dice.normal(0, 0.6)
        column = np.clip(column + side / 32 * np.cos(angle), side / 8, side * 7 / 8)
        row = np.clip(row + side / 32 * np.sin(angle), side / 8, side * 7 / 8)
        mask |= np.hypot(columns - column, rows - row) <= side / 13
    return mask


SHAPES: dict[str, Callable[[int, int], np.ndarray]] = {"box": box, "half": half, "blob": blob}


def edit(
    pipeline: VARPipeline, picture: np.ndarray, mask: np.ndarray, seed: int, rule: str
) -> tuple[np.ndarray, Tensor]:
    """The result, and what was drawn before it was joined, (3, S, S) in [-1, 1]."""
    nothing = pipeline.info.reader.read({}, [])
    condition = pipeline.wish_encoder.condition([nothing], pipeline.device)
    *_, last = edit_steps(
        pipeline.tokenizer,
        lambda *arguments: pipeline.sample(condition, *arguments),
        Image.fromarray(picture),
        mask,
        [Window(0, 0, *mask.shape[::-1])],
        pipeline.info.options,
        EditOptions(rule),
        generators_from_seeds([seed], pipeline.device),
    )
    return np.asarray(last.pictures[0]), last.drawn[0].cpu()


def join(picture: np.ndarray, drawn: Tensor, mask: np.ndarray) -> np.ndarray:
    """A picture with a drawing under a mask, joined in our way."""
    seam = Seam(mask, Window(0, 0, *mask.shape[::-1]), feather_width(mask))
    result = picture.copy()
    for place, image, _ in seam.join(seam.ground(picture), drawn):
        result[place] = np.asarray(image)
    return result


def figures_of(
    picture: np.ndarray,
    mask: np.ndarray,
    result: np.ndarray,
    drawn: Tensor,
    perceptual: torch.nn.Module,
    cell: int,
) -> tuple[float, ...]:
    """PSNR and perceptual distance of what is kept, error at the seam, surplus of its step."""
    source = torch.from_numpy(picture.copy()).permute(2, 0, 1).float() / 127.5 - 1
    error = ((drawn - source) / 2).numpy()
    keep = torch.from_numpy(~mask)
    ring = grow(mask, 2 * cell) & ~mask
    with torch.inference_mode():
        shown = [torch.where(keep, one, 1.0)[None] for one in (source, drawn)]
        distance = float(perceptual(*shown))
    return (
        float(-10 * np.log10(max(np.square(error[:, ~mask]).mean(), 1e-10))),
        distance,
        float(np.abs(error[:, ring]).mean()),
        border_step(result, mask) - border_step(picture, mask),
    )


def interval(values: np.ndarray) -> str:
    """Mean and bootstrap 95 % interval."""
    dice = np.random.default_rng(0)
    means = values[dice.integers(len(values), size=(RESAMPLES, len(values)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return f"{values.mean():8.4f} [{low:8.4f}, {high:8.4f}]"


def ceiling(pipeline: VARPipeline, pictures: np.ndarray, perceptual: torch.nn.Module) -> None:
    """What the tokenizer alone loses."""
    found = []
    for index, picture in enumerate(pictures):
        source = to_batch(picture)
        with torch.inference_mode():
            drawn = pipeline.tokenizer(source.to(pipeline.device)).cpu()[0]
        row = []
        for shape in SHAPES.values():
            mask = shape(index, len(picture))
            cell = pipeline.tokenizer.stride
            row.append(figures_of(picture, mask, picture, drawn, perceptual, cell)[:3])
        found.append(np.mean(row, axis=0))
    for name, values in zip(FIGURES, np.array(found).T, strict=False):
        print(f"ceiling      all  {name:11} {interval(values)}")


def to_batch(picture: np.ndarray) -> Tensor:
    """(H, W, 3) uint8 to (1, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1


def compare(pipeline: VARPipeline, pictures: np.ndarray, perceptual: torch.nn.Module) -> None:
    """Print the figures of both rules."""
    cell = pipeline.tokenizer.stride
    for rule in RULES:
        pooled = []
        for name, shape in SHAPES.items():
            rows, joined = [], []
            for index, picture in enumerate(pictures):
                mask = shape(index, len(picture))
                result, drawn = edit(pipeline, picture, mask, index, rule)
                rows.append(figures_of(picture, mask, result, drawn, perceptual, cell))
                same = join(picture, drawn, mask)
                joined.append(border_step(same, mask) - border_step(picture, mask))
            for figure, values in zip(FIGURES, np.array(rows).T, strict=True):
                print(f"{rule:12} {name:4} {figure:11} {interval(values)}", flush=True)
            pooled.append(rows)
            if rule == "replay":
                print(f"{rule:12} {name:4} jump joined {interval(np.array(joined))}")
        for figure, values in zip(FIGURES, np.array(pooled).mean(axis=0).T, strict=True):
            print(f"{rule:12} all  {figure:11} {interval(values)}", flush=True)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=EMBEDDED_FOLDER)
    parser.add_argument("--data", type=Path, required=True, help="of training.prepare.scenes")
    parser.add_argument("--nets", type=Path, required=True, help="of training.prepare.nets")
    parser.add_argument("--count", type=int, default=64, help="pictures")
    arguments = parser.parse_args()
    pipeline = VARPipeline.from_pretrained(arguments.model)
    source, perceptual = ScenePictures.open(arguments.data), load_perceptual(arguments.nets)
    scenes = list(islice(validation_scenes(source.table), arguments.count))
    painted = source.renderer(torch.device("cpu")).render(scenes, source.side)
    pictures = np.stack([np.asarray(one) for one in tensor_to_images(painted)])
    print(f"{len(pictures)} validation scenes, {', '.join(SHAPES)}, no words, fp32; PSNR in dB")
    ceiling(pipeline, pictures, perceptual)
    compare(pipeline, pictures, perceptual)


if __name__ == "__main__":
    main()
