"""Adds a sketch decoder, which makes previews cheap, to a model folder."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter
from safetensors.torch import load_file
from torch import Tensor

from var_core.checkpoints import WEIGHTS_FILE, load_tokenizer
from var_core.images import image_to_tensor
from var_core.tokenizer.sketch_training import STEPS, with_sketch
from var_core.weight_files import save_tensors

NUM_PICTURES = 16
LEAVES = 80  # shapes in a training picture
SEED = 0


def add_sketch(
    folder: Path,
    pictures: Tensor | None = None,
    steps: int = STEPS,
    report: Callable[[int, float], object] = lambda step, loss: None,
) -> bool:
    """Teach a model's tokenizer to sketch; its other weights stay as they are, bit for bit.

    Args:
        folder: model folder.
        pictures: training pictures, (N, 3, *image_shape) in [-1, 1], or clips as the tokenizer
            takes them; None makes some pictures, so that no data is needed.
        steps: number of training steps.
        report: called with the step and the mean absolute error of pixels in [-1, 1].

    Returns:
        False if the model had a sketch decoder already.

    Raises:
        CheckpointError: if the tokenizer is missing or damaged.
        OSError: if it cannot be written; the model is unchanged then.
    """
    tokenizer_folder = folder / "tokenizer"
    tokenizer = load_tokenizer(tokenizer_folder)
    if tokenizer.sketch is not None:
        return False
    if pictures is None:
        pictures = training_pictures(NUM_PICTURES, tokenizer.image_shape)
    taught = with_sketch(tokenizer, pictures, torch.Generator().manual_seed(SEED), steps, report)
    state = load_file(tokenizer_folder / WEIGHTS_FILE)
    dtype = state["post_quant.weight"].dtype
    for key, value in taught.state_dict().items():
        if key.startswith("sketch."):
            state[key] = value.to(dtype).contiguous()
    with tempfile.TemporaryDirectory(dir=folder) as made:
        taught.save_config(made)
        save_tensors(state, Path(made) / WEIGHTS_FILE)
        for path in Path(made).iterdir():
            shutil.copymode(tokenizer_folder / path.name, path)  # no more open than before
            os.replace(path, tokenizer_folder / path.name)
    return True


def training_pictures(count: int, shape: tuple[int, int]) -> Tensor:
    """Pictures of many overlapping shapes, "dead leaves": (count, 3, *shape) in [-1, 1].

    The distribution of their edges and areas is close to that of photographs.
    """
    random = np.random.default_rng(SEED)
    return torch.cat([image_to_tensor(_leaves(random, shape)) for _ in range(count)])


def _leaves(random: np.random.Generator, shape: tuple[int, int]) -> Image.Image:
    size = max(shape)
    image = Image.new("RGB", (shape[1], shape[0]), _colour(random))
    draw = ImageDraw.Draw(image)
    for _ in range(LEAVES):
        radius = size * 0.03 / (1 - 0.97 * random.random()) ** 0.7  # few large ones, many small
        left, top = random.uniform(-radius, size, 2)
        width, height = radius * random.uniform(0.4, 1.6, 2)
        leaf = draw.ellipse if random.random() < 0.6 else draw.rectangle
        leaf((left, top, left + width, top + height), fill=_colour(random))
    return image.filter(ImageFilter.GaussianBlur(size / 256 * random.uniform(0, 3)))


def _colour(random: np.random.Generator) -> tuple[int, ...]:
    return tuple(random.integers(0, 256, 3).tolist())
