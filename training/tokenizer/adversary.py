"""The adversary of a tokenizer run: when it joins, how it is trained, what it saves."""

import math
from collections.abc import Mapping

import torch
from accelerate import Accelerator
from torch import Tensor

from training.loop.checkpoint import step_generator
from training.loop.optim import step_if_finite
from training.loop.optimizer_state import optimizer_tensors, restore_optimizer
from training.loop.picture_random import PictureRandom
from training.loop.precision import autocast_of
from training.loop.run import Parts
from training.tokenizer.discriminator import (
    PatchDiscriminator,
    augment_alike,
    hinge_loss,
    init_discriminator,
)
from training.tokenizer.settings import TokenizerSettings

BETAS = (0.5, 0.9)


class Adversary:
    """A discriminator with its optimizer.

    Args:
        settings: settings of the run.
        accelerator: the run's processes; it wraps discriminator and optimizer.
        precision: precision of the run, "bf16" or "no".
    """

    def __init__(
        self, settings: TokenizerSettings, accelerator: Accelerator, precision: str
    ) -> None:
        self.settings = settings
        self.accelerator = accelerator
        self.precision = precision
        self.discriminator = PatchDiscriminator(settings.adversary_channels)
        init_discriminator(self.discriminator, step_generator(settings.seed, -3))
        optimizer = torch.optim.AdamW(
            self.discriminator.parameters(), settings.adversary_rate, BETAS, fused=True
        )
        self.wrapped, self.optimizer = accelerator.prepare(self.discriminator, optimizer)

    def has_joined(self, step: int, total_steps: int) -> bool:
        """Whether the adversary takes part in a step."""
        return step >= self.settings.adversarial_after * total_steps

    def train_step(self, images: Tensor, rebuilt: Tensor, random: PictureRandom) -> Tensor:
        """One optimizer step on real and rebuilt pictures (B, 3, H, W); returns the loss."""
        self.discriminator.requires_grad_(True)
        count = self.settings.accumulate
        parts = zip(images.chunk(count), rebuilt.chunk(count), random.chunk(count), strict=True)
        loss = torch.stack([self._gradients(*part) for part in parts]).mean()
        norm = clip_gradients(self.accelerator, self.discriminator, self.settings.grad_clip)
        step_if_finite(self.optimizer, norm)
        self.optimizer.zero_grad(set_to_none=True)
        return loss

    def _gradients(self, images: Tensor, rebuilt: Tensor, random: PictureRandom) -> Tensor:
        """Add the gradient of a part of a batch, and return its loss."""
        both = torch.cat((augment_alike(images, random), augment_alike(rebuilt, random)))
        with self.accelerator.accumulate(self.wrapped):
            with autocast_of(self.precision, self.accelerator.device):
                scores = self.wrapped(both).float()
            loss = hinge_loss(*scores.chunk(2))
            self.accelerator.backward(loss)
        return loss.detach()

    def parts(self) -> Parts:
        """All tensors needed to resume exactly."""
        return {
            "adversary": self.discriminator.state_dict(),
            "adversary_optimizer": optimizer_tensors(self.optimizer),
        }

    def restore(self, parts: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Put back what `parts` returned."""
        self.discriminator.load_state_dict(parts["adversary"])
        restore_optimizer(self.optimizer, parts["adversary_optimizer"])


def clip_gradients(accelerator: Accelerator, network: torch.nn.Module, limit: float) -> Tensor:
    """Clip the gradients of a network to a norm, 0: none; returns the norm before clipping."""
    norm = accelerator.clip_grad_norm_(network.parameters(), limit or math.inf)
    assert norm is not None  # it is None for DeepSpeed alone, which is not used here
    return norm
