"""What a tokenizer step optimises: reconstruction, perceptual, adversarial and code losses."""

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from training.loop.config import PRECISION_HELP
from training.tokenizer.discriminator import PatchDiscriminator, adaptive_weight, augment_alike
from training.tokenizer.perceptual import PerceptualDistance
from var_core.scales import ScaleSchedule
from var_core.tokenizer import MultiScaleVQVAE, Quantization
from var_core.tokenizer.vqvae import straight_through

PERCEPTUAL_VIEWS = ("whole", "half", "crop")


@dataclass(frozen=True)
class TokenizerTrainConfig:
    """Settings of a tokenizer run; the defaults made the embedded model."""

    data: str = field(metadata={"help": "folder that a training.prepare command wrote"})
    out: str = field(metadata={"help": "folder of the run"})
    nets: str = field(default="data/nets", metadata={"help": "folder of training.prepare.nets"})
    initial: str = field(
        default="", metadata={"help": "folder of a trained tokenizer to go on from"}
    )
    decoder_only: bool = field(
        default=False, metadata={"help": "keep encoder and codes, so that all tokens stay valid"}
    )
    sides: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 8)
    code_kind: str = field(
        default="vq", metadata={"help": "vq: a codebook; bsq: signs, vocab size 2^code_dim"}
    )
    vocab_size: int = 2048
    code_dim: int = 32
    num_refine: int = field(
        default=4, metadata={"help": "refine convolutions; bsq wants one per scale"}
    )
    level_channels: tuple[int, ...] = (160, 192)
    num_blocks: int = 1
    stem_patch: int = 4
    head_channels: tuple[int, ...] = field(
        default=(), metadata={"help": "widths of decoder levels that end in smaller patches"}
    )
    level_attention: bool = False
    steps: int = 6000
    batch_size: int = field(default=32, metadata={"help": "pictures per step and process"})
    learning_rate: float = 6e-4
    warmup_steps: int = 100
    final_ratio: float = 0.02
    weight_decay: float = 0.01
    grad_clip: float = 1.0
    l1_weight: float = 1.0
    l2_weight: float = 1.0
    perceptual_weight: float = 0.3
    perceptual_view: str = field(
        default="whole",
        metadata={"help": "what is compared: whole, half (of the size) or crop (a quarter of it)"},
    )
    commitment: float = 0.25
    entropy_weight: float = field(
        default=0.1, metadata={"help": "of the loss that keeps the bits of bsq in use"}
    )
    adversarial_weight: float = field(
        default=0.0, metadata={"help": "share of the adversary's gradient; 0: no adversary"}
    )
    adversarial_after: float = field(
        default=0.4, metadata={"help": "part of the run before the adversary joins"}
    )
    adversary_channels: int = 48
    adversary_rate: float = 3e-4
    latent_noise: float = field(
        default=0.0, metadata={"help": "noise that the decoder learns to undo, over latent spread"}
    )
    scale_dropout: float = field(
        default=0.0, metadata={"help": "chance of a picture to be decoded from coarse scales only"}
    )
    ema_decay: float = 0.999
    quantize_after: int = field(
        default=150, metadata={"help": "steps as a plain autoencoder before codes are used"}
    )
    restart_every: int = 50
    restart_until: float = 0.8
    save_every: int = 500
    evaluate_every: int = 500
    mixed_precision: str = field(default="auto", metadata={"help": PRECISION_HELP})
    seed: int = 0
    dry_run: bool = field(
        default=False, metadata={"help": "print settings, sizes and memory, and stop"}
    )

    def __post_init__(self) -> None:
        if self.perceptual_view not in PERCEPTUAL_VIEWS:
            raise ValueError(
                f"perceptual_view must be one of {', '.join(PERCEPTUAL_VIEWS)}, "
                f"got {self.perceptual_view!r}"
            )
        if self.decoder_only and not self.initial:
            raise ValueError("decoder_only keeps a trained encoder, so it needs initial")


class TokenizerObjective(nn.Module):
    """Tokenizer and its losses as one module, so that data-parallel wrappers see one forward."""

    def __init__(
        self,
        tokenizer: MultiScaleVQVAE,
        perceptual: PerceptualDistance | None,
        config: TokenizerTrainConfig,
    ) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.perceptual = perceptual
        self.config = config

    def forward(
        self,
        images: Tensor,
        with_quantizer: bool,
        adversary: PatchDiscriminator | None,
        generator: Generator,
    ) -> tuple[dict[str, Tensor], Tensor, Tensor, Quantization | None]:
        """Losses of a batch.

        Args:
            images: (B, 3, H, W) in [-1, 1].
            with_quantizer: whether codes stand between encoder and decoder.
            adversary: its opinion counts in the loss; None before it joins.
            generator: source of latent noise, scale dropout and the adversary's changes.

        Returns:
            Losses by name ("loss" is their weighted sum), rebuilt pictures and features without
            gradient, and the quantization.
        """
        config, tokenizer = self.config, self.tokenizer
        with torch.set_grad_enabled(not config.decoder_only):
            features = tokenizer.encode_features(images)
            quantization, latent = None, features
            is_whole = torch.ones(len(images), dtype=torch.bool)
            code_losses = dict.fromkeys(("quantizer", "entropy"), features.new_zeros(()))
            if with_quantizer:
                quantization, code_losses, latent, is_whole = self.quantize(features, generator)
        rebuilt = tokenizer.decode_unclamped(spoil(latent, config.latent_noise, generator))
        if rebuilt.requires_grad:
            # the perceptual net hands its gradient back channels last, which GroupNorm is slow with
            rebuilt.register_hook(Tensor.contiguous)
        losses = {
            "l1": F.l1_loss(rebuilt, images),
            "l2": F.mse_loss(rebuilt, images),
            "perceptual": features.new_zeros(()),
            **code_losses,
        }
        if self.perceptual is not None and is_whole.any():
            # what coarse scales leave open shall be blurred, not made up
            pair = view_alike(
                rebuilt[is_whole], images[is_whole], config.perceptual_view, generator
            )
            losses["perceptual"] = self.perceptual(*pair).mean()
        reconstruction = (
            config.l1_weight * losses["l1"]
            + config.l2_weight * losses["l2"]
            + config.perceptual_weight * losses["perceptual"]
        )
        total = reconstruction + losses["quantizer"] + config.entropy_weight * losses["entropy"]
        if adversary is not None and is_whole.any():
            judged = adversary(augment_alike(rebuilt[is_whole], generator))
            losses["adversarial"] = -judged.mean()
            factor = adaptive_weight(
                reconstruction, losses["adversarial"], tokenizer.decoder.conv_out.weight
            )
            total = total + config.adversarial_weight * factor * losses["adversarial"]
        losses["loss"] = total
        return losses, rebuilt.detach(), features.detach(), quantization

    def quantize(
        self, features: Tensor, generator: Generator
    ) -> tuple[Quantization, dict[str, Tensor], Tensor, Tensor]:
        """Features (B, D, H, W) by their codes, in float32, with the losses of the codes.

        Returns:
            The quantization, losses by name, what is decoded, and which pictures have all scales.
        """
        config, quantizer = self.config, self.tokenizer.quantizer
        with torch.autocast("cuda" if features.is_cuda else "cpu", enabled=False):
            quantization = quantizer.encode(features)
            losses = {
                "quantizer": quantizer.commitment_loss(features, quantization, config.commitment),
                "entropy": quantizer.entropy_loss(features, quantization),
            }
            stops = drop_scales(len(features), quantizer.schedule, config.scale_dropout, generator)
            latent = torch.stack(quantization.latents)[stops, torch.arange(len(stops))]
            is_whole = stops == quantizer.schedule.num_scales - 1
            return quantization, losses, straight_through(features, latent), is_whole


def drop_scales(size: int, schedule: ScaleSchedule, chance: float, generator: Generator) -> Tensor:
    """The last scale that each picture is decoded from, (size,) int64; a coarser one by chance."""
    draws = torch.rand(2, size, generator=generator)
    last = schedule.num_scales - 1
    return torch.where(draws[0] < chance, (draws[1] * last).long(), last)


def view_alike(
    rebuilt: Tensor, images: Tensor, view: str, generator: Generator
) -> tuple[Tensor, Tensor]:
    """What of two batches is compared perceptually, which takes time per pixel.

    Args:
        rebuilt: (B, 3, H, W).
        images: (B, 3, H, W).
        view: "whole"; "half", both at half the size; "crop", one random square of half the sides.
        generator: source of randomness.

    Returns:
        Two batches (B, 3, h, w).
    """
    if view == "half":
        return F.avg_pool2d(rebuilt, 2), F.avg_pool2d(images, 2)
    if view == "crop":
        side = images.shape[-1] // 2
        row, column = torch.randint(side + 1, (2,), generator=generator).tolist()
        place = (..., slice(row, row + side), slice(column, column + side))
        return rebuilt[place], images[place]
    return rebuilt, images


def spoil(latent: Tensor, amount: float, generator: Generator) -> Tensor:
    """Add Gaussian noise of 0 to `amount` times the latent's spread, a strength per picture.

    A decoder that has seen it forgives the transformer's mistakes (after arXiv 2503.08354).
    """
    if not amount:
        return latent
    strength = torch.rand(len(latent), 1, 1, 1, generator=generator) * amount
    noise = torch.randn(latent.shape, generator=generator) * strength
    return latent + noise.to(latent) * latent.detach().std()
