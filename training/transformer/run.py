"""A transformer run: next-scale prediction on the tokens of a frozen tokenizer."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from training.data.augment import Augmentation
from training.data.batches import PlacedBatches
from training.data.open_pictures import open_pictures
from training.data.picture_source import PictureSource, check_side
from training.data.prepared_pictures import PreparedPictures
from training.data.scenes.replayed_tokens import ReplayedTokens
from training.data.token_encoder import weights_digest
from training.data.token_source import TokenBatch, TokenSource, token_maps
from training.loop.checkpoint import check_parts
from training.loop.ema import ExponentialAverage
from training.loop.muon import Muon
from training.loop.optim import (
    MasterWeights,
    learning_rate_at,
    step_if_finite,
    weight_decay_at,
)
from training.loop.optimizer_state import optimizer_layouts, optimizer_tensors, restore_optimizer
from training.loop.picture_random import PictureRandom
from training.loop.precision import resolve_precision
from training.loop.processes import new_accelerator
from training.loop.run import Parts, Run, run_details
from training.loop.sharding import gather, spread_like, whole_norm
from training.loop.transfer import sent
from training.transformer.choose_conditioning import choose_conditioning
from training.transformer.correction import corrupt, nearest_codes
from training.transformer.drawn_distance import DrawnDistance
from training.transformer.footprint import transformer_footprint
from training.transformer.new_transformer import new_transformer
from training.transformer.objective import TransformerObjective, branch_factors
from training.transformer.open_tokens import (
    check_num_scales,
    check_single_process,
    learns_first_frames,
    open_tokens,
)
from training.transformer.optimizer_groups import optimizer_groups
from training.transformer.settings import TransformerSettings
from training.transformer.sharded_weights import ShardedWeights
from training.transformer.validation import Drawer, draw_sheet, entropy_figures
from var_core.checkpoints import load_tokenizer
from var_core.condition import Condition
from var_core.transformer import VARTransformer

BETAS = (0.9, 0.95)


@dataclass(frozen=True)
class TeacherBatch:
    """Training data of one step, on the run's device.

    Attributes:
        inputs: next-scale inputs of the scales that are learned, (B, M - N_1, D) float32.
        condition: what the network is told about the pictures.
        targets: tokens to predict, (B, M) int64.
    """

    inputs: Tensor
    condition: Condition
    targets: Tensor


class TransformerRun(Run[TransformerSettings, TeacherBatch]):
    """Trains a transformer.

    Args:
        settings: settings of the run.
        pictures: pictures to learn from; None opens the folder that the settings name.
    """

    model_name = "transformer"

    def __init__(
        self, settings: TransformerSettings, pictures: PictureSource | None = None
    ) -> None:
        super().__init__(settings, new_accelerator(settings))
        check_single_process(settings, self.accelerator.num_processes)
        device = self.accelerator.device
        augmentation = Augmentation(settings.augmentation)
        self.pictures = pictures or open_pictures(settings.data, augmentation)
        self.precision = resolve_precision(settings.mixed_precision, device)
        self.dtype = torch.bfloat16 if self.precision == "bf16" else torch.float32
        tokenizer = load_tokenizer(settings.tokenizer, self.encode_dtype())
        self.tokenizer = tokenizer.requires_grad_(False).to(device)
        check_side(self.pictures, self.tokenizer)
        # those that the step in progress learns
        self.num_scales = check_num_scales(settings.num_scales, self.tokenizer.schedule)
        self.tokens = self._open_tokens()
        self.neighbours = None
        if settings.self_correction:
            codes = self.tokenizer.quantizer.code_vectors()
            self.neighbours = nearest_codes(codes, settings.correction_reach)
        self.conditioning = choose_conditioning(self.pictures, settings)
        self.transformer = self.new_network().to(device).train()
        self.conditioning.attach(self.transformer)
        if settings.checkpoint_activations:
            self.transformer.enable_gradient_checkpointing()
        self.distance = None
        if count := settings.frechet_drawings:
            self.distance = DrawnDistance(self.pictures, settings.nets, count, self.accelerator)
        self._wrap()

    def new_network(self) -> VARTransformer:
        """The network with the weights it starts from, float32 on the CPU."""
        return new_transformer(
            self.settings, self.pictures, self.tokenizer.config, self.conditioning
        )

    def scales_to_learn(self) -> int:
        """How many scales the next step learns: the coarse ones first, where that is asked for."""
        settings, schedule = self.settings, self.tokenizer.schedule
        is_coarse = self.step < settings.coarse_part * self.total_steps or settings.coarse_part == 1
        return (settings.num_scales if is_coarse else 0) or schedule.num_scales

    @property
    def source(self) -> TokenSource:
        """What the run learns from."""
        return self.tokens

    def batches(self) -> PlacedBatches[TokenBatch]:
        """Tokens of training pictures by place."""
        return PlacedBatches(self.tokens.train_batch, self.num_train, self.settings.seed)

    def close(self) -> None:
        """Stop the processes that read, and those that paint scenes if there are any."""
        super().close()
        if isinstance(self.tokens, ReplayedTokens):
            self.tokens.close()

    def encode_dtype(self) -> torch.dtype:
        """float32 where tokens are kept: those of the tokenizer on disk; else that of the run."""
        is_kept = isinstance(self.pictures, PreparedPictures) or self.settings.pool
        return torch.float32 if is_kept else self.dtype

    def _open_tokens(self) -> TokenSource:
        """What this run learns its scales from."""
        parts = self.pictures, self.tokenizer, self.settings, self.accelerator
        return open_tokens(*parts, self.num_scales)

    def _learn_scales(self, num_scales: int) -> None:
        """Learn other scales from now on; clips are read once there is a scale of a clip."""
        before = learns_first_frames(self.tokenizer, self.settings, self.num_scales)
        self.num_scales = num_scales
        if before != learns_first_frames(self.tokenizer, self.settings, num_scales):
            self.tokens, self._batches = self._open_tokens(), None
        objective = TransformerObjective(self.transformer, self.settings, num_scales)
        self.objective = self._start_objective(objective)

    def _wrap(self) -> None:
        """Build master weights, average, optimizer and objective around the network."""
        settings = self.settings
        objective = TransformerObjective(self.transformer, settings, self.num_scales)
        self.masters: MasterWeights | ShardedWeights
        if settings.shard:
            on_gpu = self.accelerator.device.type == "cuda"
            compute = self.dtype if on_gpu else torch.float32
            self.masters = ShardedWeights(objective, self.accelerator.num_processes, compute)
            self.dtype = torch.float32
        else:
            self.masters = MasterWeights(self.transformer)
        self.average = ExponentialAverage(self.transformer, settings.ema_decay)
        groups = optimizer_groups(
            self.masters.named(),
            settings.table_rate_factor,
            orthogonal=settings.optimizer == "muon",
        )
        if settings.optimizer == "muon":
            optimizer = Muon(groups, BETAS)
        else:
            optimizer = torch.optim.AdamW(groups, betas=BETAS, fused=True)
        self.optimizer = self.accelerator.prepare_optimizer(optimizer)
        nn.Module.to(self.transformer, self.dtype)  # the masters stay float32
        self.objective = self._start_objective(objective)

    def _start_objective(self, objective: TransformerObjective) -> nn.Module:
        if self.settings.compile:
            objective.compile_parts()
        return objective if self.settings.shard else self.accelerator.prepare(objective)

    def made_from(self) -> dict[str, str]:
        """The tokenizer, whatever precision it encodes in."""
        return {"tokenizer": weights_digest(self.tokenizer, torch.bfloat16)}

    def details(self) -> dict[str, Any]:
        """Precision, size, and how pictures are changed."""
        return run_details(self.precision, self.transformer, self.pictures)

    def count_flops(self) -> int:
        """Floating-point operations of a step of this process."""
        return transformer_footprint(self.settings).flops

    def parts(self) -> Parts:
        """All tensors that the run needs to resume exactly."""
        return {
            "weights": self.masters.named(),
            "average": self.average.tensors,
            "optimizer": optimizer_tensors(self.optimizer),
        }

    def layouts(self) -> Parts:
        """As `Run.layouts`."""
        return self.parts() | {"optimizer": optimizer_layouts(self.optimizer)}

    def restore(self, parts: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Put back what `parts` returned.

        Raises:
            ValueError: if the checkpoint is that of another network.
        """
        check_parts(self.parts(), parts, f"{self.folder} holds a run of another transformer")
        named, weights = self.masters.named(), parts["weights"]
        for name, master in named.items():
            master.data.copy_(spread_like(weights[name], master))
        self.masters.give_weights()
        self.average.restore(parts["average"])
        restore_optimizer(self.optimizer, parts["optimizer"])

    def next_batch(self, random: PictureRandom) -> TeacherBatch:
        """The next batch on the run's device."""
        if self.num_scales != (num_scales := self.scales_to_learn()):
            self._learn_scales(num_scales)
        batch: TokenBatch = self.read()
        condition = self.conditioning.condition(batch, random)
        quantizer = self.tokenizer.quantizer
        maps = token_maps(self.tokenizer.schedule, batch.tokens)[: self.num_scales]
        if self.neighbours is None:
            inputs = quantizer.teacher_inputs(maps)
            targets = torch.cat([token_map.flatten(1) for token_map in maps], dim=1)
        else:
            assert batch.features is not None  # `open_tokens` asked for them
            strength = self.settings.self_correction
            inputs, targets = corrupt(
                quantizer, maps, batch.features, self.neighbours, strength, random
            )
        return TeacherBatch(inputs, condition.to(self.accelerator.device), targets)

    def train_step(self, batch: TeacherBatch, random: PictureRandom) -> dict[str, Any]:
        """One optimizer step; returns the losses."""
        rate = self.set_rates()
        loss, entropy = self.gradients(batch, self.kept_branches(random))
        norm = whole_norm(self.masters.masters, self.settings.grad_clip)
        is_finite = step_if_finite(self.optimizer, norm)
        self.masters.give_weights()
        self.count_step(is_finite)
        self.average.update(self.masters.named(), self.step)
        return {"loss": loss, "entropy": entropy, "rate": rate, "grad_norm": norm}

    def set_rates(self) -> float:
        """Set learning rates and weight decay of this step; returns the learning rate."""
        settings = self.settings
        rate = learning_rate_at(
            self.step,
            self.total_steps,
            self.highest_rate,
            settings.warmup_steps,
            settings.final_ratio,
            settings.schedule,
        )
        decay = weight_decay_at(
            self.step, self.total_steps, settings.weight_decay, settings.final_weight_decay
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["rate_factor"]
            group["weight_decay"] = decay if group["decays"] else 0.0
        return rate

    def kept_branches(self, random: PictureRandom) -> Tensor | None:
        """What the branches of this step are multiplied with; None where none is dropped."""
        depth, chance = self.transformer.config["depth"], self.settings.drop_path
        factors = branch_factors(depth, chance, random) if chance else None
        return None if factors is None else sent(factors.to(self.dtype), self.accelerator.device)

    def gradients(self, batch: TeacherBatch, factors: Tensor | None) -> tuple[Tensor, Tensor]:
        """Gradients of the mean loss of a batch, part by part; returns loss and entropy."""
        count = self.settings.accumulate
        self.optimizer.zero_grad()
        parts = zip(
            batch.inputs.to(self.dtype).chunk(count),
            batch.condition.chunk(count),
            batch.targets.chunk(count),
            [None] * count if factors is None else factors.chunk(count, dim=2),
            strict=True,
        )
        total = torch.zeros(2, device=batch.targets.device)
        is_whole = count == 1  # else processes exchange the sum, in float32
        for inputs, condition, targets, part_factors in parts:
            with nullcontext() if is_whole else self.accelerator.no_sync(self.objective):
                loss, entropy = self.objective(inputs, condition, targets, part_factors)
                self.accelerator.backward(loss)  # divides by the count
            self.masters.take_gradients()
            total += torch.stack((loss.detach(), entropy.mean())) / count
        if not is_whole:
            self.masters.share_gradients(self.accelerator)
        return total[0], total[1]

    def averaged(self) -> VARTransformer:
        """The network with the averaged weights, float32, in eval mode."""
        transformer = cast(VARTransformer, VARTransformer.from_config(self.transformer.config))
        transformer.load_state_dict(gather(self.average.tensors))
        return transformer.to(self.accelerator.device).eval()

    def evaluate(self) -> tuple[dict[str, Any], np.ndarray]:
        """Cross-entropy on validation and held-out pictures, distance and sheet of drawings."""
        transformer = self.averaged()
        nn.Module.to(transformer, self.dtype)  # in place; as pictures are drawn, and faster
        drawer = Drawer(transformer, self.tokenizer, self.conditioning, self.num_scales)
        figures = entropy_figures(drawer, self.tokens, self.accelerator)
        if self.distance is not None:
            figures |= self.distance.figures(drawer)
        return figures, draw_sheet(drawer, self.pictures)
