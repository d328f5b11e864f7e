"""The losses of a tokenizer step: reconstruction, perceptual, adversarial and of the codes."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._functorch import config as compiler_config

from training.loop.picture_random import PictureRandom
from training.loop.transfer import sent
from training.tokenizer.discriminator import PatchDiscriminator, adaptive_weight, augment_alike
from training.tokenizer.perceptual import PerceptualDistance
from training.tokenizer.settings import TokenizerSettings
from var_core.scales import ScaleSchedule
from var_core.tokenizer import MultiScaleVQVAE, Quantization
from var_core.tokenizer.frames import as_pictures
from var_core.tokenizer.vqvae import straight_through


class Rebuilt(NamedTuple):
    """The result of a forward pass.

    Attributes:
        losses: float32 scalars by name; "loss" is their weighted sum, which is minimised.
        images: rebuilt pictures (B, 3, H, W) or clips (B, 3, F, H, W), float32, without gradient.
        features: features before quantization, (B, D, H, W) or (B, D, T, H, W), float32, without
            gradient.
        quantization: codes of the batch; None while none are used.
    """

    losses: dict[str, Tensor]
    images: Tensor
    features: Tensor
    quantization: Quantization | None


def joined(parts: list[Rebuilt]) -> Rebuilt:
    """The results of equal parts of a batch as one, without gradient; losses are averaged."""
    if len(parts) == 1:
        return parts[0]
    quantizations = [part.quantization for part in parts if part.quantization is not None]
    quantization = None
    if quantizations:
        maps = zip(*(one.token_maps for one in quantizations), strict=True)
        latents = zip(*(one.latents for one in quantizations), strict=True)
        quantization = Quantization(
            [torch.cat(found) for found in maps], [torch.cat(found) for found in latents]
        )
    losses = {
        name: torch.stack([part.losses[name].detach() for part in parts]).mean()
        for name in parts[0].losses
        if all(name in part.losses for part in parts)
    }
    images, features = (
        torch.cat([getattr(part, name) for part in parts]) for name in ("images", "features")
    )
    return Rebuilt(losses, images, features, quantization)


class TokenizerObjective(nn.Module):
    """Tokenizer and its losses as one module, so that data-parallel wrappers see one forward."""

    def __init__(
        self,
        tokenizer: MultiScaleVQVAE,
        perceptual: PerceptualDistance | None,
        settings: TokenizerSettings,
    ) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.perceptual = perceptual
        self.settings = settings

    def forward(
        self,
        images: Tensor,
        with_quantizer: bool,
        adversary: PatchDiscriminator | None,
        random: PictureRandom,
    ) -> Rebuilt:
        """Rebuild a batch and compute its losses.

        Args:
            images: (B, 3, H, W) in [-1, 1], or clips (B, 3, F, H, W).
            with_quantizer: whether codes stand between encoder and decoder.
            adversary: discriminator whose scores count in the loss; None before it joins.
            random: random numbers of the pictures, for latent noise, scale dropout and the changes
                before the adversary.
        """
        settings, tokenizer = self.settings, self.tokenizer
        with torch.set_grad_enabled(not settings.decoder_only):
            features = tokenizer.encode_features(images)
            quantization, latent = None, features
            is_whole = torch.ones(len(images), dtype=torch.bool)
            nothing = features.new_zeros(())
            code_losses = {"quantizer": nothing, "entropy": nothing}
            if with_quantizer:
                quantization, code_losses, latent, is_whole = self.quantize(features, random)
        rebuilt = tokenizer.decode_unclamped(add_noise(latent, settings.latent_noise, random))
        if rebuilt.requires_grad:
            # the perceptual net returns a channels-last gradient, which makes GroupNorm slow
            rebuilt.register_hook(Tensor.contiguous)
        losses = {
            "l1": F.l1_loss(rebuilt, images),
            "l2": F.mse_loss(rebuilt, images),
            "perceptual": features.new_zeros(()),
            **code_losses,
        }
        if self.perceptual is not None and is_whole.any():
            # details that coarse scales leave open are to be blurred, not invented
            part, weight = random.part(is_whole), self.weight_of(is_whole, with_quantizer)
            pair = view_alike(rebuilt[is_whole], images[is_whole], settings.perceptual_view, part)
            losses["perceptual"] = self.perceptual(*map(as_pictures, pair)).mean() * weight
        if images.ndim == 5:
            losses["changes"] = F.l1_loss(rebuilt.diff(dim=2), images.diff(dim=2))
        reconstruction = (
            settings.l1_weight * losses["l1"]
            + settings.l2_weight * losses["l2"]
            + settings.perceptual_weight * losses["perceptual"]
        )
        if "changes" in losses:
            reconstruction = reconstruction + settings.change_weight * losses["changes"]
        total = reconstruction + losses["quantizer"] + settings.entropy_weight * losses["entropy"]
        if adversary is not None and is_whole.any():
            scores = adversary(augment_alike(rebuilt[is_whole], random.part(is_whole)))
            losses["adversarial"] = -scores.mean()
            factor = adaptive_weight(
                reconstruction, losses["adversarial"], tokenizer.decoder.conv_out.weight
            )
            total = total + settings.adversarial_weight * factor * losses["adversarial"]
        losses["loss"] = total
        exact = {name: loss.float() for name, loss in losses.items()}
        return Rebuilt(exact, rebuilt.detach().float(), features.detach().float(), quantization)

    def weight_of(self, is_whole: Tensor, with_quantizer: bool) -> float:
        """What a mean over the pictures with all scales counts: 1 on average.

        So every one of them counts alike, whatever part of a batch it is in.
        """
        is_dropping = with_quantizer and self.tokenizer.schedule.num_scales > 1
        expected = 1 - self.settings.scale_dropout if is_dropping else 1
        return is_whole.double().mean().item() / expected

    def compile_parts(self) -> None:
        """Compile encoder and decoder; what stands between them depends on the step."""
        if self.settings.adversarial_weight:
            # its gradient at the last layer is measured before the backward pass, which must find
            # all that was kept for it
            compiler_config.donated_buffer = False
        self.tokenizer.encoder.compile(dynamic=False)
        self.tokenizer.decoder.compile(dynamic=False)

    def quantize(
        self, features: Tensor, random: PictureRandom
    ) -> tuple[Quantization, dict[str, Tensor], Tensor, Tensor]:
        """Replace features by their codes, in float32, with the losses of the codes.

        Returns:
            The quantization, losses by name, what is decoded, and which pictures have all scales.
        """
        settings, quantizer = self.settings, self.tokenizer.quantizer
        with torch.autocast("cuda" if features.is_cuda else "cpu", enabled=False):
            quantization = quantizer.encode(features)
            losses = {
                "quantizer": quantizer.commitment_loss(features, quantization, settings.commitment),
                "entropy": quantizer.entropy_loss(features, quantization),
            }
            stops = drop_scales(quantizer.schedule, settings.scale_dropout, random)
            latent = torch.stack(quantization.latents)[stops, torch.arange(len(stops))]
            is_whole = stops == quantizer.schedule.num_scales - 1
            return quantization, losses, straight_through(features, latent), is_whole


def drop_scales(schedule: ScaleSchedule, chance: float, random: PictureRandom) -> Tensor:
    """The last scale that each picture is decoded from, (B,) int64; a coarser one by chance."""
    last = schedule.num_scales - 1
    coarser = random.integers(max(1, last))
    return torch.where(random.uniform() < chance, coarser, last)


def view_alike(
    rebuilt: Tensor, images: Tensor, view: str, random: PictureRandom
) -> tuple[Tensor, Tensor]:
    """The part of two batches that is compared perceptually, which takes time per pixel.

    Args:
        rebuilt: (B, 3, H, W), or clips (B, 3, F, H, W).
        images: what they are rebuilt from, of the same shape.
        view: "whole"; "half", both at half the size; "crop", a random square of half the sides.
        random: random numbers of the pictures.

    Returns:
        Two batches (B, 3, h, w), or (B, 3, F, h, w), or the frames as pictures.
    """
    if view == "half":
        return F.avg_pool2d(as_pictures(rebuilt), 2), F.avg_pool2d(as_pictures(images), 2)
    if view == "crop":
        side = images.shape[-1] // 2
        corners = random.integers(side + 1, 2).tolist()
        ours, theirs = (
            torch.stack(
                [
                    picture[..., row : row + side, column : column + side]
                    for picture, (row, column) in zip(batch.unbind(), corners, strict=True)
                ]
            )
            for batch in (rebuilt, images)
        )
        return ours, theirs
    return rebuilt, images


def add_noise(latent: Tensor, amount: float, random: PictureRandom) -> Tensor:
    """Add Gaussian noise of 0 to `amount` times the spread of its latent, a strength per picture.

    A decoder trained with it tolerates mistakes of the transformer (after arXiv 2503.08354).
    """
    if not amount:
        return latent
    strength = random.uniform(*[1] * (latent.ndim - 1)) * amount
    noise = random.normal(*latent.shape[1:], device=latent.device)
    spread = latent.detach().flatten(1).std(dim=1).view_as(strength)
    return latent + noise * sent(strength, latent.device) * spread
