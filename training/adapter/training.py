"""Learns an adapter: few pictures of a new thing among drawings of what the model knows."""

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from training.adapter.low_rank import LowRank, add_changes
from training.adapter.new_thing import (
    Drawings,
    Encoded,
    chosen_attribute,
    encode_views,
    first_rows,
    new_labels,
    num_typical,
    own_drawings,
    typical_pictures,
)
from training.adapter.settings import AdapterRunSettings
from training.data.token_source import token_maps
from training.evaluation.judge_network import fast_autocast
from training.loop.checkpoint import step_generator
from training.loop.optim import learning_rate_at
from training.loop.picture_random import PictureRandom
from var_core.adapters import Adapter, AdapterSettings, base_digest
from var_core.condition import Condition
from var_core.labels import LabelSpace
from var_core.pipeline import VARPipeline
from var_core.tokenizer import MultiScaleVQVAE
from var_core.transformer import VARTransformer
from var_core.transformer.block_causal import BlockCausal
from var_core.transformer.new_label import LabelRows, with_label

WARMUP = 0.05  # part of the steps
FINAL_RATIO = 0.05
GRAD_CLIP = 1.0
PLAIN_SHARE = 0.5  # of the new pictures, which are shown as they are


@dataclass(frozen=True)
class Lesson:
    """What is learned from.

    Attributes:
        labels: label names with the new thing.
        new: its pictures.
        values: (V, N) int64, the value of the last attribute that each view is shown with; None
            where it may be any.
        kept: drawings of what the model knows.
    """

    labels: LabelSpace
    new: Encoded
    values: Tensor | None
    kept: Drawings


def learn_adapter(
    pipeline: VARPipeline, pictures: np.ndarray, settings: AdapterRunSettings
) -> Adapter:
    """Learn to draw a new thing.

    Args:
        pipeline: model, float32; it stays as it is.
        pictures: (N, H, W, 3) uint8, of the model's size.
        settings: what to learn and how.

    Raises:
        ValueError: if the model cannot take such a label.
    """
    transformer = pipeline.transformer
    if transformer.num_prefix:
        raise ValueError("a model that takes words has no label for a new thing")
    attribute = chosen_attribute(pipeline.labels, settings.attribute)
    labels = pipeline.labels.with_value(attribute, settings.name, settings.like)
    column = [one.name for one in labels.attributes].index(attribute)
    new = encode_views(pipeline, pictures, settings)
    plain, count = new.features[0], num_typical(transformer, column)
    typical = plain[typical_pictures(plain, count)]
    like = pipeline.labels.resolve({attribute: settings.like})
    rows = first_rows(transformer, column, like, typical)
    values = torch.cdist(new.features, typical).argmin(dim=2) if count > 1 else None
    kept = own_drawings(pipeline, settings.kept_pictures, settings.seed)
    is_open = kept.labels[:, column] == pipeline.labels.counts[column]
    kept.labels[is_open, column] += 1  # the new label stands before it
    lesson = Lesson(labels, new, values, kept)
    grown = with_label(transformer, column, rows)
    changes = fit(grown, pipeline.tokenizer, column, lesson, settings)
    table = cast(nn.Embedding, grown.label_embeds[column]).weight
    return Adapter(
        AdapterSettings(
            settings.name, attribute, settings.like, settings.rank, base_digest(transformer)
        ),
        {name: change.down.detach() for name, change in changes.items()},
        {name: change.up.detach() for name, change in changes.items()},
        LabelRows(table[-2].detach().clone(), rows.codes),
    )


def fit(
    grown: VARTransformer,
    tokenizer: MultiScaleVQVAE,
    column: int,
    lesson: Lesson,
    settings: AdapterRunSettings,
) -> dict[str, LowRank]:
    """Train the changes and the embedding of the new label, in place; returns the changes."""
    changes = add_changes(grown, settings.rank, step_generator(settings.seed, 0))
    table = cast(nn.Embedding, grown.label_embeds[column]).weight.requires_grad_()
    is_new = torch.zeros(len(table), 1)
    is_new[-2] = 1
    table.register_hook(lambda gradient: gradient * is_new.to(gradient))
    low = [weight for change in changes.values() for weight in change.parameters()]
    groups = [
        {"params": low, "peak": settings.learning_rate},
        {"params": [table], "peak": settings.label_rate},
    ]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.99), weight_decay=0.0)
    attention = grown.block_causal(grown.schedule.num_scales, "auto")
    precision = fast_autocast()
    bar = tqdm(range(settings.steps), desc="learning", unit="step")
    for step in bar:
        for group in optimizer.param_groups:
            warmup = round(WARMUP * settings.steps)
            group["lr"] = learning_rate_at(step, settings.steps, group["peak"], warmup, FINAL_RATIO)
        tokens, labels = batch(lesson, settings, step)
        with precision:
            loss = entropy(grown, tokenizer, attention, tokens, labels)
        loss.backward()
        nn.utils.clip_grad_norm_([*low, table], GRAD_CLIP)
        optimizer.step()
        optimizer.zero_grad()
        if step % 20 == 0:
            bar.set_postfix(entropy=f"{loss.item():.2f}")
    return changes


def entropy(
    grown: VARTransformer,
    tokenizer: MultiScaleVQVAE,
    attention: BlockCausal,
    tokens: Tensor,
    labels: Tensor,
) -> Tensor:
    """Mean cross-entropy of tokens (B, L) under labels (B, A), in nats."""
    inputs = tokenizer.quantizer.teacher_inputs(token_maps(grown.schedule, tokens))
    condition = grown.embed(Condition.of_labels(labels))
    logits = grown.logits(grown.hidden_states(inputs, condition, attention))
    return F.cross_entropy(logits.flatten(0, 1), tokens.flatten())


def batch(lesson: Lesson, settings: AdapterRunSettings, step: int) -> tuple[Tensor, Tensor]:
    """Tokens (B, L) and labels (B, A) of a step: the new thing, and drawings that are kept."""
    random = PictureRandom(settings.seed, step, range(settings.batch_size))
    num_kept = min(round(settings.kept_share * settings.batch_size), settings.batch_size - 1)
    kept, new = (
        random.part(torch.arange(num_kept)),
        random.part(torch.arange(num_kept, settings.batch_size)),
    )
    again = kept.integers(len(lesson.kept.tokens))
    num_views, num_pictures = lesson.new.tokens.shape[:2]
    is_plain = new.uniform() < PLAIN_SHARE
    view = torch.where(is_plain, 0, new.integers(num_views))
    picture = new.integers(num_pictures)
    attribute = chosen_attribute(lesson.labels, settings.attribute)
    labels = new_labels(lesson.labels, attribute, settings.name, new)
    if lesson.values is not None:
        labels[:, -1] = lesson.values[view, picture]
    tokens = torch.cat((lesson.kept.tokens[again], lesson.new.tokens[view, picture]))
    return tokens, torch.cat((lesson.kept.labels[again], labels))
