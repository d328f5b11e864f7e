"""Trains the tokenizer: `python -m training.train_tokenizer --data data/emoji64 --out runs/tok`.

Running the same command again resumes from the newest checkpoint.
"""

import logging
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor, nn

from training.augment import random_flip, random_zoom_shift
from training.config import PRECISION_HELP, resolve_precision
from training.loop import train_command
from training.optim import learning_rate_at, parameter_groups
from training.perceptual import PerceptualDistance, load_perceptual
from training.picture_data import check_size, load_picture_data
from training.sheets import save_sheet
from training.state import (
    ExponentialAverage,
    complete_checkpoints,
    load_run,
    optimizer_tensors,
    restore_optimizer,
    save_run,
    step_generator,
)
from var_core.devices import pick_device
from var_core.tokenizer import MultiScaleVQVAE, Quantization
from var_core.tokenizer.init import init_tokenizer
from var_core.tokenizer.vqvae import straight_through

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TokenizerTrainConfig:
    """Settings of a tokenizer run; the defaults made the embedded model."""

    data: str = field(metadata={"help": "folder written by training.prepare_emoji"})
    out: str = field(metadata={"help": "folder of the run"})
    nets: str = field(default="data/nets", metadata={"help": "folder of training.prepare_nets"})
    sides: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 8)
    vocab_size: int = 2048
    code_dim: int = 32
    level_channels: tuple[int, ...] = (160, 192)
    num_blocks: int = 1
    stem_patch: int = 4
    level_attention: bool = False
    steps: int = 6000
    batch_size: int = 32
    learning_rate: float = 6e-4
    warmup_steps: int = 100
    final_ratio: float = 0.02
    weight_decay: float = 0.01
    grad_clip: float = 1.0
    perceptual_weight: float = 0.3
    commitment: float = 0.25
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
        self.perceptual_weight = config.perceptual_weight
        self.commitment = config.commitment

    def forward(
        self, images: Tensor, with_quantizer: bool
    ) -> tuple[dict[str, Tensor], Tensor, Quantization | None]:
        """Losses of a batch (B, 3, H, W) in [-1, 1], its features and their quantization."""
        tokenizer = self.tokenizer
        features = tokenizer.encode_features(images)
        quantization, quantizer_loss, latent = None, features.new_zeros(()), features
        if with_quantizer:
            with torch.autocast(images.device.type, enabled=False):
                quantization = tokenizer.quantizer.encode(features)
                quantizer_loss = tokenizer.quantizer.commitment_loss(
                    features, quantization, self.commitment
                )
                latent = straight_through(features, quantization.latent)
        rebuilt = tokenizer.decode_unclamped(latent)
        losses = {
            "l1": F.l1_loss(rebuilt, images),
            "l2": F.mse_loss(rebuilt, images),
            "perceptual": features.new_zeros(()),
            "quantizer": quantizer_loss,
        }
        if self.perceptual is not None:
            losses["perceptual"] = self.perceptual(rebuilt, images).float().mean()
        weighted = losses["l1"] + losses["l2"] + losses["quantizer"]
        losses["loss"] = weighted + self.perceptual_weight * losses["perceptual"]
        return losses, features.detach(), quantization


@torch.no_grad()
def residual_vectors(tokenizer: MultiScaleVQVAE, features: Tensor) -> Tensor:
    """What codes have to explain at each scale, if coarser scales were exact: (M, D)."""
    quantizer = tokenizer.quantizer
    latent = torch.zeros_like(features)
    vectors = []
    for scale_index, side in enumerate(quantizer.schedule.sides):
        residual = quantizer.next_input(features - latent, scale_index)  # (B, N, D)
        vectors.append(residual.flatten(0, 1))
        codes = residual.transpose(1, 2).unflatten(2, (side, side))
        latent = quantizer.add_scale(latent, codes, scale_index)
    return torch.cat(vectors)


class CodebookKeeper:
    """Counts how often codes are used and moves unused ones to where data is."""

    def __init__(self, vocab_size: int) -> None:
        self.usage = torch.zeros(vocab_size)

    def count(self, quantization: Quantization) -> None:
        """Add one batch to the running count."""
        tokens = torch.cat([token_map.flatten() for token_map in quantization.token_maps])
        counts = torch.bincount(tokens.cpu(), minlength=len(self.usage)).float()
        self.usage.mul_(0.99).add_(counts, alpha=0.01)

    @torch.no_grad()
    def restart(self, codebook: nn.Embedding, vectors: Tensor, generator: torch.Generator) -> int:
        """Replace dead codes by vectors of the batch; returns how many."""
        dead = (self.usage < 0.02).nonzero().squeeze(1)
        chosen = torch.randperm(len(vectors), generator=generator)[: len(dead)]
        dead = dead[: len(chosen)]
        codebook.weight[dead] = vectors[chosen]
        self.usage[dead] = 0.1
        return len(dead)


@torch.no_grad()
def evaluate(
    tokenizer: MultiScaleVQVAE, perceptual: PerceptualDistance | None, images: Tensor
) -> dict:
    """Reconstruction quality on pictures (N, 3, H, W) in [-1, 1].

    Returns:
        `psnr`: mean over pictures, in dB for the range 0 to 255, of pictures rounded to 8 bits;
        `perceptual`: mean distance, None without a net; `codes_used`: part of the codebook that
        occurs.
    """
    psnr, distance, used = [], [], torch.zeros(tokenizer.config.vocab_size)
    for batch in images.split(64):
        quantization = tokenizer.encode(batch)
        rebuilt = ((tokenizer.decode_latent(quantization.latent) + 1) * 127.5).round() / 127.5 - 1
        error = (rebuilt - batch).square().mean(dim=(1, 2, 3)) / 4
        psnr.append(-10 * error.clamp(min=1e-10).log10())
        if perceptual is not None:
            distance.append(perceptual(rebuilt, batch).float())
        used[torch.cat([token_map.flatten() for token_map in quantization.token_maps])] = 1
    return {
        "psnr": torch.cat(psnr).mean().item(),
        "perceptual": torch.cat(distance).mean().item() if distance else None,
        "codes_used": used.mean().item(),
    }


def to_tensor(images: object) -> Tensor:
    """uint8 pictures (N, H, W, 3) to float (N, 3, H, W) in [-1, 1]."""
    return torch.as_tensor(images).permute(0, 3, 1, 2).float().div(127.5).sub(1)


class TokenizerRun:
    """One training run: its parts, its place on disk and its steps."""

    def __init__(self, config: TokenizerTrainConfig) -> None:
        self.config = config
        self.folder = Path(config.out)
        self.accelerator = Accelerator(
            mixed_precision=resolve_precision(config.mixed_precision, pick_device())
        )
        data = load_picture_data(config.data)
        self.train_images = torch.as_tensor(data.images[data.splits["train"]])
        self.validation_images = to_tensor(data.images[data.splits["validation"]])
        tokenizer = MultiScaleVQVAE(
            sides=config.sides,
            vocab_size=config.vocab_size,
            code_dim=config.code_dim,
            level_channels=config.level_channels,
            num_blocks=config.num_blocks,
            stem_patch=config.stem_patch,
            level_attention=config.level_attention,
        )
        init_tokenizer(tokenizer, step_generator(config.seed, -2))
        self.tokenizer = tokenizer.train()
        check_size(data, self.tokenizer)
        self.perceptual = load_perceptual(config.nets) if Path(config.nets).is_dir() else None
        if self.perceptual is None:
            logger.info("there is no folder %s: training on pixel losses alone", config.nets)
        self.average = ExponentialAverage(self.tokenizer, config.ema_decay)
        self.keeper = CodebookKeeper(config.vocab_size)
        objective = TokenizerObjective(self.tokenizer, self.perceptual, config)
        optimizer = torch.optim.AdamW(
            parameter_groups(self.tokenizer.named_parameters(), config.weight_decay),
            lr=config.learning_rate,
            betas=(0.9, 0.95),
            fused=True,
        )
        self.objective, self.optimizer = self.accelerator.prepare(objective, optimizer)
        self.step = 0

    def resume(self) -> None:
        """Continue from the newest complete checkpoint, if there is one."""
        checkpoints = complete_checkpoints(self.folder)
        if not checkpoints:
            return
        parts, meta = load_run(checkpoints[-1])
        self.tokenizer.load_state_dict(parts["weights"])
        for name, value in parts["average"].items():
            self.average.tensors[name].copy_(value)
        restore_optimizer(self.optimizer, parts["optimizer"])
        self.keeper.usage.copy_(parts["codebook"]["usage"])
        self.step = meta["step"]
        logger.info("resumed at step %d", self.step)

    @torch.no_grad()
    def start_codebook(self) -> None:
        """Set the codebook from what encoded pictures leave at each scale."""
        generator = step_generator(self.config.seed, -1)
        features = self.tokenizer.encode_features(self.batch(generator, 256))
        vectors = residual_vectors(self.tokenizer, features)
        codebook = self.tokenizer.quantizer.codebook
        chosen = torch.randperm(len(vectors), generator=generator)[: len(codebook.weight)]
        codebook.weight.copy_(vectors[chosen])
        self.average.tensors["quantizer.codebook.weight"].copy_(codebook.weight)

    def batch(self, generator: torch.Generator, size: int) -> Tensor:
        """Random augmented training pictures, (size, 3, H, W) in [-1, 1]."""
        rows = torch.randint(len(self.train_images), (size,), generator=generator)
        images = random_flip(to_tensor(self.train_images[rows]), generator)
        return random_zoom_shift(images, generator, chance=0.5, zoom=(0.8, 1.1), shift=0.08)

    def train_step(self) -> dict:
        """One optimiser step; returns the losses."""
        config = self.config
        rate = learning_rate_at(
            self.step, config.steps, config.learning_rate, config.warmup_steps, config.final_ratio
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        generator = step_generator(config.seed, self.step, self.accelerator.process_index)
        images = self.batch(generator, config.batch_size).to(self.accelerator.device)
        if self.step == config.quantize_after:
            self.start_codebook()
        with self.accelerator.autocast():
            losses, features, quantization = self.objective(
                images, self.step >= config.quantize_after
            )
        self.accelerator.backward(losses["loss"])
        norm = self.accelerator.clip_grad_norm_(self.tokenizer.parameters(), config.grad_clip)
        if torch.isfinite(norm):
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self.average.update(self.tokenizer.state_dict(), self.step)
        record = {name: value.item() for name, value in losses.items()}
        if quantization is not None:
            self.keeper.count(quantization)
            if self.is_restart_due():
                vectors = residual_vectors(self.tokenizer, features)
                codebook = self.tokenizer.quantizer.codebook
                record["restarted"] = self.keeper.restart(codebook, vectors, generator)
        return record | {"step": self.step, "rate": rate, "grad_norm": norm.item()}

    def is_restart_due(self) -> bool:
        """Whether dead codes are moved after this step; never near the end of the run."""
        config = self.config
        return (
            self.step % config.restart_every == 0
            and self.step < config.restart_until * config.steps
        )

    def averaged_tokenizer(self) -> MultiScaleVQVAE:
        """A copy of the tokenizer with the averaged weights, in eval mode."""
        tokenizer = MultiScaleVQVAE.from_config(self.tokenizer.config)
        tokenizer.load_state_dict(self.average.tensors)
        return tokenizer.eval()

    def evaluate(self) -> dict:
        """Figures of the averaged weights on the validation pictures; also writes a sheet."""
        tokenizer = self.averaged_tokenizer()
        figures = evaluate(tokenizer, self.perceptual, self.validation_images)
        shown = self.validation_images[:16]
        with torch.no_grad():
            latents = tokenizer.encode(shown).latents
            rows = [shown, *(tokenizer.decode_latent(latent) for latent in reversed(latents))]
        save_sheet(self.folder / f"sheet-{self.step:06d}.png", rows)
        return {f"validation_{name}": value for name, value in figures.items()}

    def save(self) -> None:
        """Write a checkpoint and the averaged tokenizer as a model folder."""
        parts = {
            "weights": self.tokenizer.state_dict(),
            "average": self.average.tensors,
            "optimizer": optimizer_tensors(self.optimizer),
            "codebook": {"usage": self.keeper.usage},
        }
        save_run(self.folder, self.step, parts, {"config": asdict(self.config)})
        self.averaged_tokenizer().save_pretrained(self.folder / "tokenizer")


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return train_command(
        TokenizerRun, TokenizerTrainConfig, "Train the multi-scale tokenizer.", argv
    )


if __name__ == "__main__":
    sys.exit(main())
