"""A tokenizer run: one step of the tokenizer, then one of its adversary if there is one."""

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from accelerate.utils import DistributedDataParallelKwargs
from torch import Tensor

from training.data.augment import Augmentation
from training.data.batches import PlacedBatches
from training.data.open_pictures import open_pictures
from training.data.picture_source import PictureBatch, PictureSource, check_side
from training.data.scenes.pictures import ScenePictures
from training.data.scenes.replay import ReplayOptions
from training.data.scenes.replayed_pictures import CAPACITY, CPU_CAPACITY, ReplayedPictures
from training.evaluation.sheets import SheetRow, captioned_sheet, fitting
from training.loop.checkpoint import check_parts, step_generator
from training.loop.ema import ExponentialAverage
from training.loop.optim import learning_rate_at, step_if_finite
from training.loop.optimizer_state import optimizer_tensors, restore_optimizer
from training.loop.picture_random import PictureRandom
from training.loop.precision import autocast_of, resolve_precision
from training.loop.processes import new_accelerator
from training.loop.run import MAX_EVALUATED, Parts, Run, run_details
from training.tokenizer.adversary import Adversary, clip_gradients
from training.tokenizer.codebook import CodebookCare, start_codes
from training.tokenizer.discriminator import PatchDiscriminator
from training.tokenizer.footprint import tokenizer_footprint
from training.tokenizer.new_tokenizer import (
    check_losses,
    choose_trained,
    new_tokenizer,
    optimizer_groups,
)
from training.tokenizer.objective import Rebuilt, TokenizerObjective, joined
from training.tokenizer.perceptual import load_perceptual
from training.tokenizer.reconstruction import reconstruction_figures
from training.tokenizer.settings import TokenizerSettings
from var_core.devices import pick_device
from var_core.tokenizer import MultiScaleVQVAE

logger = logging.getLogger(__name__)

BETAS = (0.9, 0.95)
START_PICTURES = 256  # pictures that the first codes are fitted to
SHEET_PICTURES = 16


class TokenizerRun(Run[TokenizerSettings, Tensor]):
    """Trains a tokenizer; a batch is pictures (B, 3, H, W), or clips (B, 3, F, H, W), in [-1, 1].

    Args:
        settings: settings of the run.
        pictures: pictures to learn from; None opens the folder that the settings name.
    """

    model_name = "tokenizer"

    def __init__(self, settings: TokenizerSettings, pictures: PictureSource | None = None) -> None:
        self.precision = resolve_precision(settings.mixed_precision, pick_device())
        # the quantizer has no gradient until codes are used
        unused = DistributedDataParallelKwargs(find_unused_parameters=True)
        super().__init__(settings, new_accelerator(settings, unused))
        augmentation = Augmentation(settings.augmentation, settings.flip, settings.augmented_share)
        self.pictures = self._painted(pictures or open_pictures(settings.data, augmentation))
        self.tokenizer = new_tokenizer(settings).to(self.accelerator.device).train()
        choose_trained(self.tokenizer, settings)
        check_side(self.pictures, self.tokenizer)
        check_losses(settings, self.tokenizer)
        count = MAX_EVALUATED // self.tokenizer.num_frames
        self.validation_images = self.pictures.fixed("validation", count).images
        self.perceptual = load_perceptual(settings.nets) if Path(settings.nets).is_dir() else None
        if self.perceptual is None:
            logger.info("no nets in %s: training on pixel losses alone", settings.nets)
        self.average = ExponentialAverage(self.tokenizer, settings.ema_decay)
        self.adversary = None
        if settings.adversarial_weight:
            self.adversary = Adversary(settings, self.accelerator, self.precision)
        optimizer = torch.optim.AdamW(
            optimizer_groups(self.tokenizer, settings.weight_decay),
            lr=self.highest_rate,
            betas=BETAS,
            fused=True,
        )
        if settings.checkpoint_activations:
            self.tokenizer.enable_gradient_checkpointing()
        objective = TokenizerObjective(self.tokenizer, self.perceptual, settings)
        if settings.compile:
            objective.compile_parts()
        self.objective, self.optimizer = self.accelerator.prepare(objective, optimizer)
        self.codebook = CodebookCare(
            self.tokenizer, settings, self.accelerator, self.average, self.optimizer
        )

    def _painted(self, pictures: PictureSource) -> PictureSource:
        """The pictures as they are, or as processes paint them, if the settings ask for some."""
        if not self.settings.painters or not isinstance(pictures, ScenePictures):
            return pictures
        accelerator = self.accelerator
        capacity = CAPACITY if accelerator.device.type == "cuda" else CPU_CAPACITY
        place = accelerator.process_index, accelerator.num_processes
        capacity //= pictures.num_frames
        options = ReplayOptions(self.settings.painters, capacity, *place)
        return ReplayedPictures(pictures, options, accelerator.device)

    def close(self) -> None:
        """Stop the processes that read, and those that paint scenes if there are any."""
        super().close()
        if isinstance(self.pictures, ReplayedPictures):
            self.pictures.close()

    def details(self) -> dict[str, Any]:
        """Precision, size, and how pictures are changed."""
        return run_details(self.precision, self.tokenizer, self.pictures)

    def count_flops(self) -> int:
        """Floating-point operations of a step of this process."""
        return tokenizer_footprint(self.settings).flops

    def parts(self) -> Parts:
        """All tensors that the run needs to resume exactly."""
        parts: Parts = {
            "weights": self.tokenizer.state_dict(),
            "average": self.average.tensors,
            "optimizer": optimizer_tensors(self.optimizer),
            "codes": self.codebook.tensors(),
        }
        return parts | (self.adversary.parts() if self.adversary is not None else {})

    def restore(self, parts: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Put back what `parts` returned.

        Raises:
            ValueError: if the checkpoint is that of another network, or one without adversary.
        """
        if (self.adversary is not None) != ("adversary" in parts):
            begun = "with" if "adversary" in parts else "without"
            raise ValueError(
                f"{self.folder} was begun {begun} an adversary and can only resume {begun} one"
            )
        check_parts(self.parts(), parts, f"{self.folder} holds a run of another tokenizer")
        self.tokenizer.load_state_dict(parts["weights"])
        self.average.restore(parts["average"])
        restore_optimizer(self.optimizer, parts["optimizer"])
        self.codebook.restore(parts["codes"])
        if self.adversary is not None:
            self.adversary.restore(parts)

    @property
    def source(self) -> PictureSource:
        """What the run learns from."""
        return self.pictures

    def batches(self) -> PlacedBatches[PictureBatch]:
        """Augmented training pictures by place."""
        device = torch.device("cpu") if self.pictures.can_read_ahead else self.accelerator.device
        make_batch = partial(self.pictures.train_batch, device=device)
        return PlacedBatches(make_batch, self.num_train, self.settings.seed)

    def next_batch(self, random: PictureRandom) -> Tensor:
        """The next training pictures, augmented, or clips, in [-1, 1]."""
        return self.read().images

    def train_step(self, batch: Tensor, random: PictureRandom) -> dict[str, Any]:
        """One optimizer step of the tokenizer, and one of the adversary; returns the losses."""
        settings = self.settings
        rate = learning_rate_at(
            self.step,
            self.total_steps,
            self.highest_rate,
            settings.warmup_steps,
            settings.final_ratio,
        )
        for group in self.optimizer.param_groups:
            is_taught = group["in_time"] or self.step >= settings.time_steps
            group["lr"] = rate if is_taught else 0.0
        if self.step == settings.quantize_after and not settings.initial:
            self.start_codes()

        judge = None
        if self.adversary is not None and self.adversary.has_joined(self.step, self.total_steps):
            judge = self.adversary.discriminator.requires_grad_(False)  # its weights stay here
        count = settings.accumulate
        parts = zip(batch.chunk(count), random.chunk(count), strict=True)
        result = joined([self.gradients(images, judge, numbers) for images, numbers in parts])
        norm = clip_gradients(self.accelerator, self.tokenizer, settings.grad_clip)
        is_finite = step_if_finite(self.optimizer, norm)
        self.optimizer.zero_grad(set_to_none=True)

        figures: dict[str, Any] = {name: loss.detach() for name, loss in result.losses.items()}
        figures |= {"rate": rate, "grad_norm": norm}
        if self.adversary is not None and judge is not None:
            figures["adversary"] = self.adversary.train_step(batch, result.images, random)
        self.count_step(is_finite)
        self.average.update(self.tokenizer.state_dict(), self.step)
        if result.quantization is not None:
            self.codebook.after_step(
                result.quantization, result.features, self.step, self.total_steps
            )
        return figures

    def gradients(
        self, images: Tensor, judge: PatchDiscriminator | None, random: PictureRandom
    ) -> Rebuilt:
        """Add the gradient of a part of a batch; the last part exchanges the sum."""
        with self.accelerator.accumulate(self.objective):
            with autocast_of(self.precision, self.accelerator.device):
                result: Rebuilt = self.objective(images, self.uses_codes(self.step), judge, random)
            self.accelerator.backward(result.losses["loss"])
        return result

    def log_figures(self) -> dict[str, Any]:
        """How much of the codebook is in use."""
        return self.codebook.figures(self.step) if self.uses_codes(self.step - 1) else {}

    def uses_codes(self, step: int) -> bool:
        """Whether codes stand between encoder and decoder in a step."""
        return bool(self.settings.initial) or step >= self.settings.quantize_after

    def start_codes(self) -> None:
        """Fit the codes to encoded pictures, alike in all processes."""
        generator = step_generator(self.settings.seed, -1)
        places = list(range(-(-START_PICTURES // self.tokenizer.num_frames)))
        images = self.batches().__getitems__(places).images.to(self.accelerator.device)
        start_codes(self.tokenizer, images, generator)
        weights = self.tokenizer.state_dict().items()
        self.average.restore({n: value for n, value in weights if n.startswith("quantizer.")})

    def averaged(self) -> MultiScaleVQVAE:
        """A copy of the tokenizer with the averaged weights, in eval mode."""
        tokenizer = cast(MultiScaleVQVAE, MultiScaleVQVAE.from_config(self.tokenizer.config))
        tokenizer.load_state_dict(self.average.tensors)
        return tokenizer.to(self.accelerator.device).eval()

    def evaluate(self) -> tuple[dict[str, Any], np.ndarray]:
        """Figures of the averaged weights on the validation pictures, and a sheet of them."""
        tokenizer = self.averaged()
        images = self.validation_images.to(self.accelerator.device)
        figures = reconstruction_figures(tokenizer, self.perceptual, images, self.accelerator)
        shown = images[: fitting(SHEET_PICTURES, tokenizer.num_frames)]
        rows = [SheetRow("validation pictures", shown)]
        with torch.no_grad():
            latents = tokenizer.encode(shown).latents
            for count in range(len(latents), 0, -1):
                title = "rebuilt" if count == len(latents) else f"scales 1 to {count} alone"
                rows.append(SheetRow(title, tokenizer.decode_latent(latents[count - 1])))
        figures = {f"validation_{name}": value for name, value in figures.items()}
        return figures, captioned_sheet(rows)
