"""Trains the sketch decoder, a small decoder for previews, on what the true one makes.

Its network is `Sketch` in `autoencoder.py`; `add_sketch.py` saves it in a model folder.
"""

import copy
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from var_core.devices import pick_dtype
from var_core.packing import pack_weights
from var_core.tokenizer.autoencoder import Sketch
from var_core.tokenizer.frames import as_pictures
from var_core.tokenizer.vqvae import MultiScaleVQVAE

WIDTH = 128  # channels
STEPS = 2000
BATCH_CELLS = 4096  # of latents, in one step
RATE = 2e-3  # of Adam, falling to zero along a cosine
TAUGHT_AT_ONCE = 8  # pictures whose latents are decoded together


def with_sketch(
    tokenizer: MultiScaleVQVAE,
    pictures: Tensor,
    generator: torch.Generator,
    steps: int = STEPS,
    report: Callable[[int, float], object] = lambda step, loss: None,
) -> MultiScaleVQVAE:
    """The same tokenizer with a sketch decoder for its previews.

    The sketch learns to draw what the decoder makes of the coarse scales of some pictures: all
    but the last scale, which needs no preview.

    Args:
        tokenizer: float32; keeps its weights.
        pictures: (N, 3, *image_shape) in [-1, 1], or clips (N, 3, F, *image_shape).
        generator: source of randomness for the first weights and for the choice of pictures.
        steps: steps of Adam.
        report: called with the step and the mean absolute error of pixels in [-1, 1].
    """
    settings: dict[str, Any] = dict(tokenizer.config)
    settings = {key: value for key, value in settings.items() if not key.startswith("_")}
    settings["sketch_width"] = WIDTH
    with torch.device("meta"):
        taught = MultiScaleVQVAE(**settings)
    assert taught.sketch is not None
    sketch = taught.sketch.to_empty(device=tokenizer.device)
    for layer in sketch.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    latents, targets = _lessons(tokenizer, pictures)
    _teach(sketch, latents, targets, generator, steps, report)
    state = tokenizer.state_dict()
    state |= {f"sketch.{key}": value for key, value in sketch.state_dict().items()}
    taught.load_state_dict(state, assign=True)
    return taught.eval().requires_grad_(False)


@torch.inference_mode()
def _lessons(tokenizer: MultiScaleVQVAE, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Latents of the coarse scales, (M, D, H, W), of clips frame by frame, and their decodes."""
    teacher = copy.deepcopy(tokenizer)
    nn.Module.to(teacher, dtype=pick_dtype(tokenizer.device))
    if tokenizer.device.type == "cpu":
        pack_weights(teacher.decoder)
    latents, targets = [], []
    stride = 2**tokenizer.num_halvings  # frames for each frame of the latent
    for some in pictures.split(TAUGHT_AT_ONCE):
        found = torch.cat(tokenizer.encode(some).latents[:-1])
        latents.append(as_pictures(found))
        for part in found.split(len(some)):
            made = teacher.decode_latent(part)
            made = made[:, :, ::stride] if made.ndim == 5 else made
            targets.append(as_pictures(made).bfloat16())
    return torch.cat(latents).clone(), torch.cat(targets).clone()


def _teach(
    sketch: Sketch,
    latents: Tensor,
    targets: Tensor,
    generator: torch.Generator,
    steps: int,
    report: Callable[[int, float], object],
) -> None:
    optimizer = torch.optim.Adam(sketch.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    batch = max(1, BATCH_CELLS // latents[0, 0].numel())
    for step in range(1, steps + 1):
        rows = torch.randint(len(latents), (batch,), generator=generator)
        loss = F.l1_loss(sketch(latents[rows]), targets[rows].float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        report(step, loss.item())
