"""Trains the tokenizer: `python -m training.train_tokenizer --data data/emoji64 --out runs/tok`.

Running the same command again resumes from the newest checkpoint.
"""

import logging
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs
from torch import Tensor

from training.data.open_pictures import open_pictures
from training.data.picture_source import PictureSource, check_side
from training.evaluation.sheets import sheet_pixels
from training.loop.checkpoint import (
    ExponentialAverage,
    optimizer_tensors,
    restore_optimizer,
    step_generator,
)
from training.loop.command import train_command
from training.loop.config import resolve_precision
from training.loop.footprint import Footprint, count_parameters, saved_bytes
from training.loop.optim import learning_rate_at, parameter_groups
from training.loop.run import MAX_EVALUATED, Parts, Run
from training.tokenizer.codebook import (
    CodeUsage,
    count_codes,
    residual_vectors,
    start_codes,
    usage_figures,
)
from training.tokenizer.discriminator import (
    PatchDiscriminator,
    augment_alike,
    hinge_loss,
    init_discriminator,
)
from training.tokenizer.objective import TokenizerObjective, TokenizerTrainConfig
from training.tokenizer.perceptual import PerceptualDistance, load_perceptual
from var_core.checkpoints import load_tokenizer, outline_network
from var_core.devices import pick_device
from var_core.tokenizer import MultiScaleVQVAE, VectorQuantizer
from var_core.tokenizer.init import init_tokenizer

logger = logging.getLogger(__name__)

BETAS = (0.9, 0.95)
ADVERSARY_BETAS = (0.5, 0.9)
START_PICTURES = 256  # that the codes are fitted to


class TokenizerRun(Run):
    """Trains tokenizer and, if asked for, its adversary, a step of each in turn.

    Args:
        config: settings.
        pictures: what to learn from; None opens the folder that the settings name.
    """

    model_name = "tokenizer"

    def __init__(self, config: TokenizerTrainConfig, pictures: PictureSource | None = None) -> None:
        super().__init__(
            config,
            Accelerator(
                cpu=pick_device().type == "cpu",
                mixed_precision=resolve_precision(config.mixed_precision, pick_device()),
                # the quantizer has no gradient until codes are used
                kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
            ),
        )
        self.pictures = pictures or open_pictures(config.data)
        self.validation_images = self.pictures.fixed("validation", MAX_EVALUATED).images
        self.tokenizer = new_tokenizer(config).to(self.accelerator.device).train()
        choose_trained(self.tokenizer, config)
        check_side(self.pictures, self.tokenizer)
        self.perceptual = load_perceptual(config.nets) if Path(config.nets).is_dir() else None
        if self.perceptual is None:
            logger.info("there is no folder %s: training on pixel losses alone", config.nets)
        self.average = ExponentialAverage(self.tokenizer, config.ema_decay)
        self.usage = CodeUsage(self.tokenizer.schedule.num_scales, self.tokenizer.config.vocab_size)
        self.adversary = None
        if config.adversarial_weight:
            self.adversary = PatchDiscriminator(config.adversary_channels)
            init_discriminator(self.adversary, step_generator(config.seed, -3))
            self.adversary_optimizer = torch.optim.AdamW(
                self.adversary.parameters(), config.adversary_rate, ADVERSARY_BETAS, fused=True
            )
            self.judge, self.adversary_optimizer = self.accelerator.prepare(
                self.adversary, self.adversary_optimizer
            )
        objective = TokenizerObjective(self.tokenizer, self.perceptual, config)
        self.optimizer = torch.optim.AdamW(
            parameter_groups(self.tokenizer.named_parameters(), config.weight_decay),
            lr=config.learning_rate,
            betas=BETAS,
            fused=True,
        )
        self.objective, self.optimizer = self.accelerator.prepare(objective, self.optimizer)

    def parts(self) -> Parts:
        """All tensors that the run needs to go on exactly where it is."""
        parts = {
            "weights": self.tokenizer.state_dict(),
            "average": self.average.tensors,
            "optimizer": optimizer_tensors(self.optimizer),
            "codes": {"usage": self.usage.counts},
        }
        if self.adversary is not None:
            parts["adversary"] = self.adversary.state_dict()
            parts["adversary_optimizer"] = optimizer_tensors(self.adversary_optimizer)
        return parts

    def restore(self, parts: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Put back what `parts` returned.

        Raises:
            ValueError: if the checkpoint is that of another network, or one without adversary.
        """
        if (self.adversary is not None) != ("adversary" in parts):
            begun = "with" if "adversary" in parts else "without"
            raise ValueError(f"{self.folder} was begun {begun} an adversary and goes on so only")
        try:
            self.tokenizer.load_state_dict(parts["weights"])
        except RuntimeError as error:
            raise ValueError(f"{self.folder} holds a run of another tokenizer: {error}") from error
        self.average.restore(parts["average"])
        restore_optimizer(self.optimizer, parts["optimizer"])
        self.usage.counts.copy_(parts["codes"]["usage"])
        if self.adversary is not None:
            self.adversary.load_state_dict(parts["adversary"])
            restore_optimizer(self.adversary_optimizer, parts["adversary_optimizer"])

    def batch(self, generator: torch.Generator, size: int) -> Tensor:
        """Random augmented training pictures, (size, 3, H, W) in [-1, 1]."""
        return self.pictures.train_batch(generator, size, self.accelerator.device).images

    def train_step(self) -> dict:
        """One optimiser step of the tokenizer, and one of the adversary; returns the losses."""
        config = self.config
        rate = learning_rate_at(
            self.step, config.steps, config.learning_rate, config.warmup_steps, config.final_ratio
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        generator = step_generator(config.seed, self.step, self.accelerator.process_index)
        images = self.batch(generator, config.batch_size)
        if self.step == config.quantize_after and not config.initial:
            self.start_codes()
        adversary = self.adversary if self.is_adversary_due() else None
        if adversary is not None:
            adversary.requires_grad_(False)  # here it only judges
        with self.accelerator.autocast():
            losses, rebuilt, features, quantization = self.objective(
                images,
                bool(config.initial) or self.step >= config.quantize_after,
                adversary,
                generator,
            )
        self.accelerator.backward(losses["loss"])
        norm = self.accelerator.clip_grad_norm_(self.tokenizer.parameters(), config.grad_clip)
        finite = bool(torch.isfinite(norm))
        if finite:
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        record = {name: value.item() for name, value in losses.items()}
        record |= {"rate": rate, "grad_norm": norm.item()}
        if adversary is not None and finite:
            record["adversary"] = self.adversary_step(images, rebuilt, generator)
        self.count_step(finite)
        if finite:
            self.average.update(self.tokenizer.state_dict(), self.step)
        if quantization is not None:
            self.usage.count(quantization, self.accelerator)
            record |= usage_figures(self.usage.counts)
            if self.is_restart_due():
                record["restarted"] = self.usage.restart(
                    self.tokenizer.quantizer,
                    residual_vectors(self.tokenizer, features),
                    step_generator(config.seed, self.step, -1),
                )
        return record

    def adversary_step(self, images: Tensor, rebuilt: Tensor, generator: torch.Generator) -> float:
        """One optimiser step of the adversary on real and rebuilt pictures; returns its loss."""
        self.adversary.requires_grad_(True)
        with self.accelerator.autocast():
            both = torch.cat((augment_alike(images, generator), augment_alike(rebuilt, generator)))
            loss = hinge_loss(*self.judge(both).chunk(2))
        self.accelerator.backward(loss)
        norm = self.accelerator.clip_grad_norm_(self.adversary.parameters(), self.config.grad_clip)
        if torch.isfinite(norm):
            self.adversary_optimizer.step()
        self.adversary_optimizer.zero_grad(set_to_none=True)
        return loss.item()

    def start_codes(self) -> None:
        """Fit the codes to encoded pictures, alike in all processes."""
        generator = step_generator(self.config.seed, -1)
        images = self.batch(generator, START_PICTURES)
        start_codes(self.tokenizer, images, generator)
        self.average.restore(
            {
                name: value
                for name, value in self.tokenizer.state_dict().items()
                if name.startswith("quantizer.")
            }
        )

    def is_adversary_due(self) -> bool:
        """Whether the adversary takes part in this step."""
        config = self.config
        return self.adversary is not None and self.step >= config.adversarial_after * config.steps

    def is_restart_due(self) -> bool:
        """Whether dead codes are moved after this step; never near the end of the run."""
        config = self.config
        return (
            isinstance(self.tokenizer.quantizer, VectorQuantizer)
            and not config.decoder_only
            and self.step % config.restart_every == 0
            and self.step < config.restart_until * config.steps
        )

    def averaged(self) -> MultiScaleVQVAE:
        """A copy of the tokenizer with the averaged weights, in eval mode."""
        tokenizer = MultiScaleVQVAE.from_config(self.tokenizer.config)
        tokenizer.load_state_dict(self.average.tensors)
        return tokenizer.to(self.accelerator.device).eval()

    def evaluate(self) -> tuple[dict, np.ndarray]:
        """Figures of the averaged weights on the validation pictures, and a sheet of them."""
        tokenizer = self.averaged()
        images = self.validation_images.to(self.accelerator.device)
        figures = evaluate(tokenizer, self.perceptual, images)
        shown = images[:16]
        with torch.no_grad():
            latents = tokenizer.encode(shown).latents
            rows = [shown, *(tokenizer.decode_latent(latent) for latent in reversed(latents))]
        named = {f"validation_{name}": value for name, value in figures.items()}
        return named, sheet_pixels(rows)


def outline_tokenizer(config: TokenizerTrainConfig) -> MultiScaleVQVAE:
    """The network that a run trains, without the weights it starts from.

    Raises:
        ValueError: if the settings are out of range, or `initial` is no tokenizer.
    """
    if config.initial:
        return outline_network(config.initial, MultiScaleVQVAE)
    return MultiScaleVQVAE(
        sides=config.sides,
        vocab_size=config.vocab_size,
        code_dim=config.code_dim,
        level_channels=config.level_channels,
        num_blocks=config.num_blocks,
        stem_patch=config.stem_patch,
        head_channels=config.head_channels,
        level_attention=config.level_attention,
        num_refine=config.num_refine,
        code_kind=config.code_kind,
    )


def new_tokenizer(config: TokenizerTrainConfig) -> MultiScaleVQVAE:
    """The network with the weights it starts from, float32.

    Raises:
        ValueError: if the settings are out of range, or `initial` is no tokenizer.
    """
    if config.initial:
        return load_tokenizer(config.initial)
    tokenizer = outline_tokenizer(config)
    init_tokenizer(tokenizer, step_generator(config.seed, -2))
    return tokenizer


def choose_trained(tokenizer: MultiScaleVQVAE, config: TokenizerTrainConfig) -> None:
    """Ask for gradients of what the run trains, and of nothing else."""
    tokenizer.requires_grad_(not config.decoder_only)
    for part in (tokenizer.decoder, tokenizer.post_quant):
        part.requires_grad_(True)


@torch.no_grad()
def evaluate(
    tokenizer: MultiScaleVQVAE, perceptual: PerceptualDistance | None, images: Tensor
) -> dict:
    """Reconstruction quality on pictures (N, 3, H, W) in [-1, 1].

    Returns:
        `psnr`: mean over pictures, in dB for the range 0 to 255, of pictures rounded to 8 bits;
        `perceptual`: mean distance, None without a net; those of `usage_figures`.
    """
    psnr, distance = [], []
    counts = torch.zeros(tokenizer.schedule.num_scales, tokenizer.config.vocab_size)
    for batch in images.split(64):
        quantization = tokenizer.encode(batch)
        rebuilt = ((tokenizer.decode_latent(quantization.latent) + 1) * 127.5).round() / 127.5 - 1
        error = (rebuilt - batch).square().mean(dim=(1, 2, 3)) / 4
        psnr.append(-10 * error.clamp(min=1e-10).log10())
        if perceptual is not None:
            distance.append(perceptual(rebuilt, batch).float())
        counts += count_codes(quantization, tokenizer.config.vocab_size).cpu()
    return {
        "psnr": torch.cat(psnr).mean().item(),
        "perceptual": torch.cat(distance).mean().item() if distance else None,
        **usage_figures(counts),
    }


def plan(config: TokenizerTrainConfig) -> Footprint:
    """Size and memory of a run, without doing any of it.

    Raises:
        ValueError: if settings or data do not do.
    """
    pictures = open_pictures(config.data)
    with torch.device("meta"):
        tokenizer = outline_tokenizer(config)
        choose_trained(tokenizer, config)
        check_side(pictures, tokenizer)
        adversary = PatchDiscriminator(config.adversary_channels)
        perceptual = PerceptualDistance() if Path(config.nets).is_dir() else None
        objective = TokenizerObjective(tokenizer, perceptual, config)
        images = torch.empty(config.batch_size, 3, tokenizer.image_size, tokenizer.image_size)
    judge = adversary if config.adversarial_weight else None
    saved = saved_bytes(
        lambda: objective(images, True, judge, step_generator(0, 0))[0]["loss"], objective
    )
    size = count_parameters(tokenizer)
    trained = count_parameters(tokenizer, trained=True)
    memory = {"weights": 4 * size, "gradients": 4 * trained, "AdamW": 8 * trained}
    memory |= {"averaged weights": 4 * size, "activations": saved}
    if judge is not None:
        memory["adversary, gradients, AdamW"] = 16 * count_parameters(adversary)
    parts = {name: count_parameters(part) for name, part in tokenizer.named_children()}
    return Footprint(parts, memory)


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return train_command(
        TokenizerRun, plan, TokenizerTrainConfig, "Train the multi-scale tokenizer.", argv
    )


if __name__ == "__main__":
    sys.exit(main())
