"""Trains the transformer on the tokens of a trained tokenizer.

`python -m training.train_transformer --data data/emoji64 --tokenizer runs/tokenizer/tokenizer
--out runs/transformer`. Running the same command again resumes from the newest checkpoint.
"""

import logging
import sys
from dataclasses import asdict
from pathlib import Path

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor, nn

from training.config import resolve_precision
from training.labels_init import (
    continue_from,
    init_label_embeddings,
    init_label_maps,
    own_rows,
    unique_pairs,
)
from training.loop import train_command
from training.objective import (
    CATEGORY,
    EMOJI,
    TransformerObjective,
    TransformerTrainConfig,
    borrow_rows,
    branch_factors,
    drop_each,
    drop_labels,
)
from training.optim import MasterWeights, learning_rate_at
from training.picture_data import PictureData, check_size, load_picture_data
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
from training.token_cache import load_or_build_token_cache
from var_core.checkpoints import load_tokenizer, load_transformer
from var_core.labels import LabelSpace
from var_core.pipeline import VARPipeline
from var_core.sampling import generators_from_seeds
from var_core.transformer import VARTransformer, init_weights

logger = logging.getLogger(__name__)

SHEET_WIDTH = 16
EMOJI_ATTRIBUTES = ["category", "emoji", "style"]


class TransformerRun:
    """One training run: its parts, its place on disk and its steps."""

    def __init__(self, config: TransformerTrainConfig) -> None:
        self.config = config
        self.folder = Path(config.out)
        self.accelerator = Accelerator()
        self.data: PictureData = load_picture_data(config.data)
        self.tokenizer = load_tokenizer(config.tokenizer).eval().requires_grad_(False)
        check_size(self.data, self.tokenizer)
        images = torch.tensor(self.data.images).permute(0, 3, 1, 2)
        self.cache = load_or_build_token_cache(
            self.folder / "cache", self.tokenizer, images, config.num_views
        )
        self.labels = torch.as_tensor(self.data.labels)
        self.is_emoji = self.data.attributes == EMOJI_ATTRIBUTES
        self.has_pairs = self.is_emoji and config.label_pairs
        self.splits = {
            name: torch.as_tensor(rows, dtype=torch.int64)
            for name, rows in self.data.splits.items()
        }
        precision = resolve_precision(config.mixed_precision, self.accelerator.device)
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        self.transformer = self.new_transformer().train()
        self.null = torch.tensor(self.transformer.null_labels)
        self.own_rows = None
        if self.has_pairs:
            self.own_rows = own_rows(self.transformer.label_maps)
        self.masters = MasterWeights(self.transformer)
        self.average = ExponentialAverage(self.transformer, config.ema_decay)
        nn.Module.to(self.transformer, dtype)  # the masters stay float32
        objective = TransformerObjective(self.transformer, config)
        self.optimizer = torch.optim.AdamW(self.groups(), betas=(0.9, 0.95), fused=True)
        self.objective = self.accelerator.prepare(objective)
        if config.compile:
            self.objective.compile()
        self.step = 0

    def new_transformer(self) -> VARTransformer:
        """The network with its starting weights, float32."""
        config = self.config
        settings = {
            "sides": list(self.tokenizer.schedule.sides),
            "vocab_size": self.tokenizer.config.vocab_size,
            "code_dim": self.tokenizer.config.code_dim,
            "label_counts": [len(a["values"]) for a in self.data.label_names["attributes"]],
            "depth": config.depth,
            "width": config.width,
            "num_heads": config.num_heads,
            "mlp_ratio": config.mlp_ratio,
            "shared_modulation": True,
            "qk_norm": True,
        }
        rows = self.splits["train"]
        latents, labels = self.cache.latents[rows], self.labels[rows]
        if (
            self.is_emoji
        ):  # label maps and their start need a finer label that implies a coarser one
            settings["label_map_rank"] = config.label_map_rank
            settings["label_pairs"] = len(unique_pairs(labels)) if self.has_pairs else 0
        transformer = VARTransformer(**settings)
        init_weights(transformer, step_generator(config.seed, -1))
        if self.is_emoji:
            init_label_embeddings(transformer, latents, labels, CATEGORY, EMOJI, config.label_std)
        if transformer.label_maps is not None:
            codebook = self.tokenizer.quantizer.codebook.weight.float()
            init_label_maps(transformer, codebook, latents, labels, CATEGORY, EMOJI)
        if config.initial:
            continue_from(transformer, load_transformer(config.initial))
        return transformer

    def groups(self) -> list[dict]:
        """Optimiser groups: matrices decay, the rest does not, label tables learn faster."""
        groups: dict[str, list[Tensor]] = {"matrix": [], "vector": [], "table": []}
        for name, master in self.masters.named().items():
            is_matrix = master.ndim == 2 and "embed" not in name
            is_table = "label_embeds" in name or "label_maps.codes" in name
            kind = "table" if is_table else "matrix" if is_matrix else "vector"
            groups[kind].append(master)
        decay = {"matrix": self.config.weight_decay}
        factor = {"table": self.config.table_rate_factor}
        return [
            {
                "params": parameters,
                "weight_decay": decay.get(kind, 0.0),
                "rate_factor": factor.get(kind, 1.0),
            }
            for kind, parameters in groups.items()
        ]

    def resume(self) -> None:
        """Continue from the newest complete checkpoint, if there is one."""
        checkpoints = complete_checkpoints(self.folder)
        if not checkpoints:
            return
        parts, meta = load_run(checkpoints[-1])
        for name, master in self.masters.named().items():
            master.data.copy_(parts["weights"][name])
        self.masters.give_weights()
        for name, value in parts["average"].items():
            self.average.tensors[name].copy_(value)
        restore_optimizer(self.optimizer, parts["optimizer"])
        self.step = meta["step"]
        logger.info("resumed at step %d", self.step)

    def batch(self, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor | None, Tensor]:
        """Teacher inputs (B, L - N_1, D), labels (B, 3), pair codes (B,), tokens (B, L)."""
        config = self.config
        train = self.splits["train"]
        rows = train[torch.randint(len(train), (config.batch_size,), generator=generator)]
        view = torch.randint(config.num_views, (config.batch_size,), generator=generator)
        plain = torch.rand(config.batch_size, generator=generator) < config.plain_view_share
        tokens = self.cache.tokens[torch.where(plain, 0, view), rows].long()
        drop = drop_labels if self.is_emoji else drop_each
        labels = drop(self.labels[rows], self.null, config, generator)
        pairs = None
        if self.own_rows is not None:
            pairs = borrow_rows(self.own_rows, labels, config.borrow, generator)
        return self.teacher_inputs(tokens), labels, pairs, tokens

    @torch.no_grad()
    def teacher_inputs(self, tokens: Tensor) -> Tensor:
        """Next-scale inputs of flat tokens: (B, L) -> (B, L - N_1, D)."""
        schedule = self.tokenizer.schedule
        token_maps = [
            tokens[:, schedule.token_range(index)].unflatten(1, (side, side))
            for index, side in enumerate(schedule.sides)
        ]
        return self.tokenizer.quantizer.teacher_inputs(token_maps)

    def train_step(self) -> dict:
        """One optimiser step; returns the losses."""
        config = self.config
        rate = learning_rate_at(
            self.step, config.steps, config.learning_rate, config.warmup_steps, config.final_ratio
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["rate_factor"]
        generator = step_generator(config.seed, self.step, self.accelerator.process_index)
        inputs, labels, pairs, tokens = self.batch(generator)
        factors = branch_factors(config.depth, len(tokens), config.drop_path, generator)
        dtype = self.transformer.dtype
        loss, entropy = self.objective(inputs.to(dtype), labels, pairs, tokens, factors.to(dtype))
        self.accelerator.backward(loss)
        self.masters.take_gradients()
        norm = torch.nn.utils.clip_grad_norm_(self.masters.masters, config.grad_clip)
        if torch.isfinite(norm):
            self.optimizer.step()
            self.masters.give_weights()
        self.step += 1
        self.average.update(self.masters.named(), self.step)
        return {
            "step": self.step,
            "loss": loss.item(),
            "entropy": entropy.mean().item(),
            "rate": rate,
            "grad_norm": norm.item(),
        }

    def averaged_transformer(self) -> VARTransformer:
        """The network with the averaged weights, float32, in eval mode."""
        transformer = VARTransformer.from_config(self.transformer.config)
        transformer.load_state_dict(self.average.tensors)
        return transformer.eval()

    @torch.inference_mode()
    def evaluate(self) -> dict:
        """Cross-entropy on validation and held-out pictures, plain view, all labels given."""
        transformer = self.averaged_transformer()
        record = {}
        for split in ("validation", "held_out"):
            rows = self.splits[split]
            if not len(rows):
                continue
            entropies = []
            for chunk in rows.split(64):
                tokens = self.cache.tokens[0, chunk].long()
                logits = transformer(self.teacher_inputs(tokens), self.labels[chunk])
                entropies.append(F.cross_entropy(logits.transpose(1, 2), tokens, reduction="none"))
            entropy = torch.cat(entropies)
            schedule = transformer.schedule
            record[f"{split}_entropy"] = entropy.mean().item()
            record[f"{split}_entropy_per_scale"] = [
                round(entropy[:, schedule.token_range(index)].mean().item(), 4)
                for index in range(schedule.num_scales)
            ]
        self.draw_sheet(transformer)
        return record

    def draw_sheet(self, transformer: VARTransformer) -> None:
        """Rows of real and drawn pictures: trained ones, unseen ones, and with open labels."""
        generator = step_generator(self.config.seed, -2)
        unseen_name = "held_out" if len(self.splits["held_out"]) else "validation"
        train, unseen = self.splits["train"], self.splits[unseen_name]
        width = min(SHEET_WIDTH, len(train), len(unseen))
        trained = train[torch.randperm(len(train), generator=generator)[:width]]
        unseen = unseen[torch.randperm(len(unseen), generator=generator)[:width]]
        opened = self.labels[trained].clone()
        column = EMOJI if self.is_emoji else -1
        opened[:, column] = self.null[column]
        names = LabelSpace.from_json(self.data.label_names)
        pipeline = VARPipeline(self.tokenizer, transformer, names)
        rows = []
        for labels, real in (
            (self.labels[trained], trained),
            (self.labels[unseen], unseen),
            (opened, None),
        ):
            if real is not None:
                images = torch.as_tensor(self.data.images[real.numpy()])
                rows.append(images.permute(0, 3, 1, 2).float() / 127.5 - 1)
            generators = generators_from_seeds(range(len(labels)))
            drawn = pipeline(labels.tolist(), generator=generators, output_type="pt").images
            rows.append(drawn * 2 - 1)
        save_sheet(self.folder / f"sheet-{self.step:06d}.png", rows)

    def save(self) -> None:
        """Write a checkpoint and the averaged transformer as a model folder."""
        parts = {
            "weights": self.masters.named(),
            "average": self.average.tensors,
            "optimizer": optimizer_tensors(self.optimizer),
        }
        save_run(self.folder, self.step, parts, {"config": asdict(self.config)})
        self.averaged_transformer().save_pretrained(self.folder / "transformer")


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return train_command(
        TransformerRun, TransformerTrainConfig, "Train the next-scale transformer.", argv
    )


if __name__ == "__main__":
    sys.exit(main())
