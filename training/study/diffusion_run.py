"""A diffusion run: the steps of the trainer of VAR, with another network and another loss."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.data.scenes.pictures import ScenePictures
from training.data.token_source import TokenBatch
from training.evaluation.sheets import SheetRow, captioned_sheet
from training.loop.checkpoint import step_generator
from training.loop.footprint import PASSES, measure_forward
from training.loop.picture_random import PictureRandom
from training.loop.processes import gathered
from training.study.diffusion_drawing import draw_latents, noisy
from training.study.diffusion_network import DiffusionTransformer
from training.study.kept_latents import KeptLatents
from training.study.sized_run import SHOWN, shares
from training.study.study_run import GivenSourceRun
from training.transformer.conditioning import Conditioning
from training.transformer.objective import TransformerObjective
from training.transformer.settings import TransformerSettings
from var_core.condition import Condition
from var_core.sampling import generators_from_seeds
from var_core.tokenizer import MultiScaleVQVAE
from var_core.transformer import init_weights

MEASURED = 256  # training scenes that mean and deviation of the latents are taken from
VALIDATION = -9  # purpose of the noise that validation uses
SHEET_STEPS, SHEET_GUIDANCE = 25, 1.5


class SceneLatents:
    """Latents of numbered scenes, before quantization, with mean 0 and deviation 1 a channel.

    Args:
        scenes: scenes to paint and encode when they are asked for first.
        tokenizer: tokenizer whose encoder and decoder are used, on the device of the run.
        num_train: scenes in all.
        path: file that keeps latents, of these scenes and this tokenizer.
    """

    can_read_ahead = False

    def __init__(
        self, scenes: ScenePictures, tokenizer: MultiScaleVQVAE, num_train: int, path: Path
    ) -> None:
        self.scenes = scenes
        self.tokenizer = tokenizer.requires_grad_(False)
        self.num_train = num_train
        height, width = tokenizer.schedule.latent_shape
        self.kept = KeptLatents(path, (num_train, tokenizer.config["code_dim"], height, width))
        found = self.features(range(min(MEASURED, num_train)))
        self.mean = found.mean(dim=(0, 2, 3)).view(1, -1, 1, 1)
        self.deviation = found.std(dim=(0, 2, 3)).view(1, -1, 1, 1)

    def features(self, numbers: Sequence[int]) -> Tensor:
        """What the encoder makes of some scenes, (B, D, H, W) float32, rounded to 16 bits."""
        return self.kept.rows(numbers, self.encoded).to(self.tokenizer.device)

    @torch.no_grad()
    def encoded(self, numbers: Sequence[int]) -> Tensor:
        """The same, painted and encoded now."""
        images = self.scenes.numbered(numbers, self.tokenizer.device)
        return self.tokenizer.encode_features(images)

    def train_batch(self, rows: Tensor, random: PictureRandom) -> TokenBatch:
        """Latents of scenes by number; there are no tokens."""
        labels, captions = self.scenes.described(rows, random)
        latents = (self.features(rows.tolist()) - self.mean) / self.deviation
        tokens = torch.zeros(len(rows), 0, dtype=torch.int64, device=latents.device)
        return TokenBatch(tokens, latents, labels, captions)

    def fixed(self, split: str, limit: int) -> TokenBatch:
        """Latents of the first scenes."""
        count = min(limit, self.num_train)
        return self.train_batch(torch.arange(count), PictureRandom(0, -1, range(count)))

    def decode(self, latents: Tensor) -> Tensor:
        """Pictures from latents: (B, D, h, w) -> (B, 3, H, W) in [-1, 1]."""
        return self.tokenizer.decode_latent(latents * self.deviation + self.mean)


@dataclass(frozen=True)
class FlowBatch:
    """Training data of one step, on the run's device.

    Attributes:
        latents: noisy latents, (B, D, H, W).
        times: times of the noise, (B,).
        condition: what the network is told.
        targets: velocity to predict, (B, D, H, W).
    """

    latents: Tensor
    times: Tensor
    condition: Condition
    targets: Tensor


class FlowObjective(nn.Module):
    """Network and squared error as one module."""

    def __init__(self, network: DiffusionTransformer) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: FlowBatch) -> Tensor:
        """Mean squared error of the velocity of each picture, (B,)."""
        found = self.network.velocity(batch.latents, batch.times, batch.condition)
        return F.mse_loss(found, batch.targets, reduction="none").mean(dim=(1, 2, 3))


class DiffusionRun(GivenSourceRun):
    """Trains a diffusion transformer on latents of the scenes that a VAR of the same seed sees.

    Args:
        settings: settings of the run; those of VAR that it has no use for are left alone.
        latents: scenes as latents, those for validation included.
        conditioning: what the network is told.
        label_counts: number of values of each label.
        num_validation: scenes to measure with.
    """

    def __init__(
        self,
        settings: TransformerSettings,
        latents: SceneLatents,
        conditioning: Conditioning,
        label_counts: list[int],
        num_validation: int,
    ) -> None:
        super().__init__(settings, latents, conditioning, num_validation)
        device = self.accelerator.device
        self.latents = latents
        self.num_scales = 1
        network = diffusion_network(settings, latents.tokenizer, label_counts, conditioning)
        self.network = self.transformer = cast(DiffusionTransformer, nn.Module.to(network, device))
        self.transformer.train()
        conditioning.attach(self.transformer)
        self._wrap()

    def _start_objective(self, objective: TransformerObjective) -> nn.Module:
        """That of diffusion, in place of that of VAR."""
        if self.settings.compile:
            for block in self.network.each_block():
                block.compile(dynamic=False)
        return self.accelerator.prepare(FlowObjective(self.network))

    def operations(self) -> int:
        """Floating-point operations that a picture costs, forward and backward."""
        with torch.device("meta"):
            outline = DiffusionTransformer(**self.network.own_settings())
            channels, sides = self.network.config["channels"], outline.schedule.latent_shape
            latents, times = torch.empty(1, channels, *sides), torch.empty(1)
            nothing = outline.null_condition()

        def forward() -> Tensor:
            return outline.velocity(latents, times, nothing)

        return PASSES * measure_forward(forward, outline)[1]

    def next_batch(self, random: PictureRandom) -> Any:
        """The next noisy latents on the run's device."""
        batch: TokenBatch = self.read()
        condition = self.conditioning.condition(batch, random)
        return self._noisy(batch, condition, random)

    def _noisy(self, batch: TokenBatch, condition: Condition, random: PictureRandom) -> FlowBatch:
        assert batch.features is not None  # as of `SceneLatents`
        latents, times, targets = noisy(batch.features, random)
        return FlowBatch(latents, times, condition.to(latents.device), targets)

    def gradients(self, batch: Any, factors: Tensor | None) -> tuple[Tensor, Tensor]:
        """Gradients of the mean loss of a batch; returns it twice."""
        self.optimizer.zero_grad()
        loss = self.objective(batch).mean()
        self.accelerator.backward(loss)
        self.masters.take_gradients()
        return loss.detach(), loss.detach()

    def averaged(self) -> DiffusionTransformer:
        """The network with the averaged weights, float32, in eval mode."""
        network = DiffusionTransformer(**self.network.own_settings())
        network.load_state_dict(self.average.tensors)
        return network.to(self.accelerator.device).eval()

    def evaluate(self) -> tuple[dict[str, Any], np.ndarray]:
        """Loss on the validation scenes, each at times and noise of its own, and some drawings."""
        network = self.averaged()
        batch, objective = self.held_back.validation(), FlowObjective(network)
        losses = []
        with torch.inference_mode():
            for rows in shares(self, batch):
                part, random = batch.rows(rows), PictureRandom(0, VALIDATION, rows.tolist())
                asked = self.conditioning.asked(part.labels, part.captions)
                loss = objective(self._noisy(part, asked, random))
                losses.append(gathered(self.accelerator, loss))
        labels, captions = batch.labels[:SHOWN], batch.captions
        captions = None if captions is None else captions[:SHOWN]
        generators = generators_from_seeds(range(len(labels)), network.device)
        asked = self.conditioning.asked(labels, captions)
        drawn = draw_latents(network, asked, SHEET_STEPS, SHEET_GUIDANCE, generators)
        row = SheetRow(
            "drawn", self.latents.decode(drawn), self.latents.scenes.words(labels, captions)
        )
        return {"loss_all": torch.cat(losses).mean().item()}, captioned_sheet([row])


def diffusion_network(
    settings: TransformerSettings,
    tokenizer: MultiScaleVQVAE,
    label_counts: list[int],
    conditioning: Conditioning,
) -> DiffusionTransformer:
    """The network of a run, with the weights it starts from.

    Raises:
        ValueError: if the settings are out of range.
    """
    network = DiffusionTransformer(
        side=tokenizer.schedule.latent_shape[0],
        channels=tokenizer.config["code_dim"],
        label_counts=label_counts,
        depth=settings.depth,
        width=settings.width,
        num_heads=settings.num_heads,
        mlp_ratio=settings.mlp_ratio,
        **conditioning.network_settings(),
    )
    init_weights(network, step_generator(settings.seed, -1))
    conditioning.start(network)
    return network
