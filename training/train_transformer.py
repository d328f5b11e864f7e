"""Trains the transformer on the tokens of a trained tokenizer.

`python -m training.train_transformer --data data/emoji64 --tokenizer runs/tokenizer/tokenizer
--out runs/transformer`. Running the same command again resumes from the newest checkpoint.
"""

import json
import logging
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor, nn

from training.data.open_pictures import open_pictures
from training.data.picture_source import PictureSource, check_side
from training.data.prepared_pictures import PreparedPictures
from training.data.token_cache import CachedTokens, Views, load_or_build_token_cache
from training.data.token_source import EncodedPictures, TokenSource
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
from training.loop.optim import MasterWeights, learning_rate_at, weight_decay_at
from training.loop.run import MAX_EVALUATED, Parts, Run
from training.loop.sharding import ShardedWeights, gather, spread_like, whole_norm
from training.transformer.correction import corrupt, nearest_codes
from training.transformer.label_start import (
    continue_from,
    init_label_embeddings,
    init_label_maps,
    own_rows,
    unique_pairs,
)
from training.transformer.objective import (
    CATEGORY,
    EMOJI,
    TransformerObjective,
    TransformerTrainConfig,
    borrow_rows,
    branch_factors,
    drop_each,
    drop_labels,
)
from var_core.checkpoints import load_tokenizer, load_transformer, outline_network
from var_core.condition import Condition
from var_core.devices import pick_device
from var_core.labels import LABELS_FILE, LabelSpace
from var_core.pipeline import VARPipeline
from var_core.sampling import generators_from_seeds
from var_core.tokenizer import MultiScaleVQVAE
from var_core.transformer import VARTransformer, init_weights

logger = logging.getLogger(__name__)

SHEET_WIDTH = 16
SHAPE = ("width", "num_heads", "mlp_ratio", "shared_modulation", "qk_norm", "norm_eps")
EMOJI_ATTRIBUTES = ["category", "emoji", "style"]


class TransformerRun(Run):
    """Trains the transformer on the tokens of a frozen tokenizer.

    Args:
        config: settings.
        pictures: what to learn from; None opens the folder that the settings name.
    """

    model_name = "transformer"

    def __init__(
        self, config: TransformerTrainConfig, pictures: PictureSource | None = None
    ) -> None:
        super().__init__(config, Accelerator(cpu=pick_device().type == "cpu"))
        device = self.accelerator.device
        self.pictures = pictures or open_pictures(config.data)
        self.tokenizer = load_tokenizer(config.tokenizer).requires_grad_(False).to(device)
        check_side(self.pictures, self.tokenizer)
        with self.accelerator.main_process_first():
            self.tokens = open_tokens(self.pictures, self.tokenizer, config)
        self.neighbours = None
        if config.self_correction:
            codes = self.tokenizer.quantizer.code_vectors()
            self.neighbours = nearest_codes(codes, config.correction_reach)
        precision = resolve_precision(config.mixed_precision, device)
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        self.transformer = self.new_transformer().to(device).train()
        if config.checkpoint_activations:
            self.transformer.enable_gradient_checkpointing()
        self.null = torch.tensor(self.transformer.null_labels)
        self.own_rows = None
        if self.transformer.config.label_pairs:
            self.own_rows = own_rows(self.transformer.label_maps).cpu()
        objective = TransformerObjective(self.transformer, config)
        if config.shard:
            compute = dtype if device.type == "cuda" else torch.float32
            self.masters = ShardedWeights(objective, self.accelerator.num_processes, compute)
        else:
            self.masters = MasterWeights(self.transformer)
        self.average = ExponentialAverage(self.transformer, config.ema_decay)
        self.optimizer = torch.optim.AdamW(self.groups(), betas=(0.9, 0.95), fused=True)
        self.dtype = torch.float32 if config.shard else dtype
        nn.Module.to(self.transformer, self.dtype)  # the masters stay float32
        self.objective = objective if config.shard else self.accelerator.prepare(objective)
        if config.compile:
            self.objective.compile()

    def new_transformer(self) -> VARTransformer:
        """The network with its starting weights, float32."""
        config = self.config
        transformer = VARTransformer(
            **transformer_settings(config, self.tokenizer.config, self.pictures)
        )
        init_weights(transformer, step_generator(config.seed, -1))
        if is_emoji(self.pictures) and isinstance(self.tokens, CachedTokens):
            latents, labels = self.tokens.train_latents()
            init_label_embeddings(transformer, latents, labels, CATEGORY, EMOJI, config.label_std)
            if transformer.label_maps is not None:
                codes = self.tokenizer.quantizer.code_vectors().cpu()
                init_label_maps(transformer, codes, latents, labels, CATEGORY, EMOJI)
        if config.initial:
            trained, trained_names = load_trained(config.initial)
            continue_from(
                transformer, trained, label_values(self.pictures.label_names), trained_names
            )
        return transformer

    def groups(self) -> list[dict]:
        """Optimiser groups: matrices decay, the rest does not, label tables learn faster."""
        groups: dict[str, list[Tensor]] = {"matrix": [], "vector": [], "table": []}
        for name, master in self.masters.named().items():
            is_matrix = master.ndim == 2 and "embed" not in name
            is_table = "label_embeds" in name or "label_maps.codes" in name
            kind = "table" if is_table else "matrix" if is_matrix else "vector"
            groups[kind].append(master)
        factor = {"table": self.config.table_rate_factor}
        return [
            {
                "params": parameters,
                "decays": kind == "matrix",
                "rate_factor": factor.get(kind, 1.0),
            }
            for kind, parameters in groups.items()
        ]

    def parts(self) -> Parts:
        """All tensors that the run needs to go on exactly where it is."""
        return {
            "weights": gather(self.masters.named()),
            "average": gather(self.average.tensors),
            "optimizer": gather(optimizer_tensors(self.optimizer)),
        }

    def restore(self, parts: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Put back what `parts` returned.

        Raises:
            ValueError: if the checkpoint is that of another network.
        """
        named, weights = self.masters.named(), parts["weights"]
        shapes, found = ({k: v.shape for k, v in p.items()} for p in (named, weights))
        if shapes != found:
            raise ValueError(f"{self.folder} holds a run of another transformer")
        for name, master in named.items():
            master.data.copy_(spread_like(weights[name], master))
        self.masters.give_weights()
        self.average.restore(parts["average"])
        restore_optimizer(self.optimizer, parts["optimizer"])

    def batch(self, generator: torch.Generator) -> tuple[Tensor | None, ...]:
        """A random batch on the run's device.

        Returns:
            Teacher inputs (B, L - N_1, D), labels (B, A), pair codes (B,) or None, targets (B, L).
        """
        config = self.config
        batch = self.tokens.train_batch(generator, config.batch_size)
        drop = drop_labels if is_emoji(self.pictures) else drop_each
        labels = drop(batch.labels, self.null, config, generator)
        pairs = None
        if self.own_rows is not None:
            pairs = borrow_rows(self.own_rows, labels, config.borrow, generator)
        device = self.accelerator.device
        token_maps = self.token_maps(batch.tokens)
        if self.neighbours is None:
            inputs, targets = self.tokenizer.quantizer.teacher_inputs(token_maps), batch.tokens
        else:
            assert batch.features is not None
            inputs, targets = corrupt(
                self.tokenizer.quantizer,
                token_maps,
                batch.features,
                self.neighbours,
                config.self_correction,
                generator,
            )
        pairs = None if pairs is None else pairs.to(device)
        return inputs, labels.to(device), pairs, targets

    def token_maps(self, tokens: Tensor) -> list[Tensor]:
        """Flat tokens (B, L) as K maps (B, S, S)."""
        schedule = self.tokenizer.schedule
        return [
            tokens[:, schedule.token_range(index)].unflatten(1, (side, side))
            for index, side in enumerate(schedule.sides)
        ]

    def train_step(self) -> dict:
        """One optimiser step; returns the losses."""
        config = self.config
        rate = learning_rate_at(
            self.step,
            config.steps,
            config.learning_rate,
            config.warmup_steps,
            config.final_ratio,
            config.schedule,
        )
        decay = weight_decay_at(
            self.step, config.steps, config.weight_decay, config.final_weight_decay
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["rate_factor"]
            group["weight_decay"] = decay if group["decays"] else 0.0
        generator = step_generator(config.seed, self.step, self.accelerator.process_index)
        inputs, labels, pairs, tokens = self.batch(generator)
        factors = branch_factors(
            self.transformer.config.depth, len(tokens), config.drop_path, generator
        )
        loss, entropy = self.gradients(
            inputs.to(self.dtype), labels, pairs, tokens, factors.to(tokens.device, self.dtype)
        )
        self.masters.take_gradients()
        norm = whole_norm(self.masters.masters, config.grad_clip)
        finite = bool(torch.isfinite(norm))
        if finite:
            self.optimizer.step()
            self.masters.give_weights()
        self.count_step(finite)
        if finite:
            self.average.update(self.masters.named(), self.step)
        return {"loss": loss, "entropy": entropy, "rate": rate, "grad_norm": norm.item()}

    def gradients(
        self, inputs: Tensor, labels: Tensor, pairs: Tensor | None, tokens: Tensor, factors: Tensor
    ) -> tuple[float, float]:
        """Gradients of the mean loss of a batch, its parts in turn; loss and entropy."""
        count = self.config.accumulate
        self.optimizer.zero_grad()
        pair_parts = [None] * count if pairs is None else pairs.chunk(count)
        parts = zip(
            inputs.chunk(count),
            [Condition.of_labels(part) for part in labels.chunk(count)],
            pair_parts,
            tokens.chunk(count),
            factors.chunk(count, dim=2),
            strict=True,
        )
        total = torch.zeros(2, device=tokens.device)
        for number, part in enumerate(parts, start=1):
            is_last = number == count  # processes exchange gradients once
            with nullcontext() if is_last else self.accelerator.no_sync(self.objective):
                loss, entropy = self.objective(*part)
                self.accelerator.backward(loss / count)
            total += torch.stack((loss.detach(), entropy.mean())) / count
        loss, entropy = total.tolist()
        return loss, entropy

    def averaged(self) -> VARTransformer:
        """The network with the averaged weights, float32, in eval mode."""
        transformer = VARTransformer.from_config(self.transformer.config)
        transformer.load_state_dict(gather(self.average.tensors))
        return transformer.to(self.accelerator.device).eval()

    @torch.inference_mode()
    def evaluate(self) -> tuple[dict, np.ndarray]:
        """Cross-entropy on validation and held-out pictures, and a sheet of drawings.

        Plain views, all labels given.
        """
        transformer = nn.Module.to(self.averaged(), self.dtype)  # as drawn, and faster
        record = {}
        for split in ("validation", "held_out"):
            batch = self.tokens.fixed(split, MAX_EVALUATED)
            if not len(batch.labels):
                continue
            entropies = []
            for tokens, labels in zip(batch.tokens.split(64), batch.labels.split(64), strict=True):
                inputs = self.tokenizer.quantizer.teacher_inputs(self.token_maps(tokens))
                condition = Condition.of_labels(labels.to(transformer.device))
                logits = transformer(inputs, condition)
                entropies.append(F.cross_entropy(logits.transpose(1, 2), tokens, reduction="none"))
            entropy = torch.cat(entropies)
            schedule = transformer.schedule
            record[f"{split}_entropy"] = entropy.mean().item()
            record[f"{split}_entropy_per_scale"] = [
                round(entropy[:, schedule.token_range(index)].mean().item(), 4)
                for index in range(schedule.num_scales)
            ]
        return record, self.draw_sheet(transformer)

    def draw_sheet(self, transformer: VARTransformer) -> np.ndarray:
        """Rows of real and drawn pictures: trained ones, unseen ones, and with open labels."""
        trained, unseen = (
            self.pictures.fixed(split, SHEET_WIDTH) for split in ("train", "held_out")
        )
        if not len(unseen.labels):
            unseen = self.pictures.fixed("validation", SHEET_WIDTH)
        width = min(len(trained.labels), len(unseen.labels))
        opened = trained.labels.clone()
        column = EMOJI if is_emoji(self.pictures) else -1
        opened[:, column] = self.null[column]
        names = LabelSpace.from_json(self.pictures.label_names)
        pipeline = VARPipeline(self.tokenizer, transformer, names)
        pipeline.packs = False
        rows = []
        for labels, real in (
            (trained.labels, trained.images),
            (unseen.labels, unseen.images),
            (opened, None),
        ):
            if real is not None:
                rows.append(real[:width])
            generators = generators_from_seeds(range(width))
            chosen = labels[:width].tolist()
            drawn = pipeline(chosen, generator=generators, output_type="pt").images
            rows.append(drawn.cpu() * 2 - 1)
        return sheet_pixels(rows)


def open_tokens(
    pictures: PictureSource, tokenizer: MultiScaleVQVAE, config: TransformerTrainConfig
) -> TokenSource:
    """The tokens to train on: cached for a prepared set, encoded in every step for other sources.

    Raises:
        SaveError: if the cache cannot be written.
    """
    with_features = config.self_correction > 0
    if not isinstance(pictures, PreparedPictures):
        return EncodedPictures(pictures, tokenizer, with_features)
    views = Views(config.num_views, config.flip, all_latents=with_features)
    folder = Path(config.out) / "cache"
    cache = load_or_build_token_cache(folder, tokenizer, pictures.data.images, views)
    return CachedTokens(pictures, tokenizer, cache, config.plain_view_share, with_features)


def is_emoji(pictures: PictureSource) -> bool:
    """Whether labels are those of the emoji set, where an emoji implies a category."""
    names = [attribute["name"] for attribute in pictures.label_names["attributes"]]
    return isinstance(pictures, PreparedPictures) and names == EMOJI_ATTRIBUTES


def transformer_settings(
    config: TransformerTrainConfig, tokenizer: Mapping, pictures: PictureSource
) -> dict:
    """Settings of the network, from those of the run and of the tokenizer, and from the labels.

    A run that goes on from a trained network takes its shape from there.

    Raises:
        ValueError: if there is no such network, or it has fewer blocks than are to be kept.
    """
    settings = {
        "sides": list(tokenizer["sides"]),
        "vocab_size": tokenizer["vocab_size"],
        "code_dim": tokenizer["code_dim"],
        "label_counts": [len(values) for values in label_values(pictures.label_names).values()],
        "depth": config.depth,
        "width": config.width,
        "num_heads": config.num_heads,
        "mlp_ratio": config.mlp_ratio,
        "shared_modulation": True,
        "qk_norm": True,
    }
    if config.initial:
        trained = outline_network(transformer_folder(config.initial), VARTransformer).config
        settings |= {name: trained[name] for name in SHAPE}
        if config.initial_blocks > trained["depth"]:
            raise ValueError(
                f"{config.initial} has {trained['depth']} blocks, fewer than the "
                f"{config.initial_blocks} of initial_blocks"
            )
        settings["depth"] = config.initial_blocks or trained["depth"]
    if isinstance(pictures, PreparedPictures) and is_emoji(
        pictures
    ):  # label maps need a finer label that implies a coarser one
        settings["label_map_rank"] = config.label_map_rank
        if config.label_map_rank and config.label_pairs:
            labels = pictures.labels[pictures.data.splits["train"]]
            settings["label_pairs"] = len(unique_pairs(labels))
    return settings


def label_values(label_names: Mapping) -> dict[str, list[str]]:
    """Values of each attribute, from the content of a labels.json."""
    return {entry["name"]: list(entry["values"]) for entry in label_names["attributes"]}


def transformer_folder(folder: str) -> Path:
    """Where the transformer is: in a model folder, or the folder itself."""
    inside = Path(folder) / "transformer"
    return inside if inside.is_dir() else Path(folder)


def load_trained(folder: str) -> tuple[VARTransformer, dict[str, list[str]] | None]:
    """A trained transformer, and the names of its labels where its model folder tells them.

    Args:
        folder: of a transformer, or of a whole model with its transformer and labels.json.

    Raises:
        ValueError: if it is neither, or damaged.
    """
    path = transformer_folder(folder)
    names = path.parent / LABELS_FILE
    return load_transformer(path), _read_names(names) if names.exists() else None


def _read_names(path: Path) -> dict[str, list[str]]:
    try:
        return label_values(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} holds no label names: {error}") from error


def plan(config: TransformerTrainConfig) -> Footprint:
    """Size and memory of a run, without doing any of it.

    Raises:
        ValueError: if settings or data do not do.
    """
    pictures = open_pictures(config.data)
    tokenizer = outline_network(config.tokenizer, MultiScaleVQVAE)
    check_side(pictures, tokenizer)
    bf16 = resolve_precision(config.mixed_precision, pick_device()) == "bf16"
    dtype = torch.bfloat16 if bf16 else torch.float32
    settings = transformer_settings(config, tokenizer.config, pictures)
    with torch.device("meta"):
        transformer = VARTransformer(**settings)
        nn.Module.to(transformer, dtype)
        if config.checkpoint_activations:
            transformer.enable_gradient_checkpointing()
        # kernels of a device cannot be planned elsewhere; they keep no more
        objective = TransformerObjective(transformer, replace(config, attention="auto"))
        size, length = config.batch_size // config.accumulate, transformer.schedule.num_tokens
        first = transformer.schedule.sides[0] ** 2
        inputs = torch.empty(size, length - first, tokenizer.config.code_dim, dtype=dtype)
        condition = transformer.null_condition(size)
        tokens = torch.zeros(size, length, dtype=torch.int64)
        factors = torch.ones(transformer.config.depth, 2, size, 1, 1, dtype=dtype)
    saved = saved_bytes(lambda: objective(inputs, condition, None, tokens, factors)[0], objective)
    count = count_parameters(transformer)
    memory = {
        "weights": count * dtype.itemsize,
        "float32 weights": 4 * count,
        "gradients": count * (4 + dtype.itemsize),
        "AdamW": 8 * count,
        "averaged weights": 4 * count,
        "activations": saved,
    }
    if isinstance(pictures, PreparedPictures):
        memory["cached tokens"] = 4 * config.num_views * len(pictures.labels) * length
    parts = {name: count_parameters(part) for name, part in transformer.named_children()}
    parts["positions"] = count - sum(parts.values())
    return Footprint(parts, memory)


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return train_command(
        TransformerRun, plan, TransformerTrainConfig, "Train the next-scale transformer.", argv
    )


if __name__ == "__main__":
    sys.exit(main())
