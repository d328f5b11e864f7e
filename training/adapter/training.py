"""Learns an adapter: few pictures of a new thing among drawings of what the model knows."""

import logging

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.adapter.low_rank import LowRank, add_changes
from training.adapter.new_label import begin_label
from training.adapter.new_phrase import begin_phrase
from training.adapter.new_thing import Chosen, Lesson
from training.adapter.settings import AdapterRunSettings
from training.data.token_source import token_maps
from training.loop.checkpoint import step_generator
from training.loop.heartbeat import counting
from training.loop.optim import learning_rate_at
from training.loop.picture_random import PictureRandom
from training.loop.precision import fast_autocast
from var_core.adapters import LABEL, PHRASE, Adapter, AdapterSettings, base_digest
from var_core.condition import Condition
from var_core.pipeline import VARPipeline
from var_core.tokenizer import MultiScaleVQVAE
from var_core.transformer import VARTransformer
from var_core.transformer.block_causal import BlockCausal

logger = logging.getLogger(__name__)

WARMUP = 0.05  # part of the steps
FINAL_RATIO = 0.05
GRAD_CLIP = 1.0
PLAIN_SHARE = 0.5  # of the new pictures, which are shown as they are
LOG_EVERY = 20  # steps


def learn_adapter(
    pipeline: VARPipeline, pictures: np.ndarray, settings: AdapterRunSettings
) -> Adapter:
    """Learn to draw a new thing: as a phrase of a model that takes words, else as a label.

    Args:
        pipeline: model, float32; it stays as it is.
        pictures: (N, H, W, 3) uint8, of the model's size.
        settings: what to learn and how.

    Raises:
        ValueError: if the model cannot take such a thing.
    """
    takes_words = pipeline.transformer.num_prefix > 0
    begin, kind = (begin_phrase, PHRASE) if takes_words else (begin_label, LABEL)
    lesson = begin(pipeline, pictures, settings)
    changes = fit(lesson, pipeline.tokenizer, settings)
    base = base_digest(pipeline.transformer)
    return Adapter(
        AdapterSettings(settings.name, lesson.place, settings.like, settings.rank, base),
        {name: change.down.detach() for name, change in changes.items()},
        {name: change.up.detach() for name, change in changes.items()},
        kind,
        lesson.thing(),
    )


def fit(
    lesson: Lesson, tokenizer: MultiScaleVQVAE, settings: AdapterRunSettings
) -> dict[str, LowRank]:
    """Train the changes and the new label or phrase, in place; returns the changes."""
    grown = lesson.grown
    changes = add_changes(grown, settings.rank, step_generator(settings.seed, 0))
    low = [weight for change in changes.values() for weight in change.parameters()]
    groups = [
        {"params": low, "peak": settings.learning_rate},
        {"params": [lesson.learned], "peak": settings.label_rate},
    ]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.99), weight_decay=0.0)
    attention = grown.block_causal(grown.schedule.num_scales, "auto")
    precision = fast_autocast()
    losses: list[float] = []
    with counting("learning", settings.steps, "step") as reach:
        for step in range(settings.steps):
            for group in optimizer.param_groups:
                warmup = round(WARMUP * settings.steps)
                peak = group["peak"]
                group["lr"] = learning_rate_at(step, settings.steps, peak, warmup, FINAL_RATIO)
            tokens, condition = batch(lesson, settings, step)
            with precision:
                loss = entropy(grown, tokenizer, attention, tokens, condition)
            loss.backward()
            nn.utils.clip_grad_norm_([*low, lesson.learned], GRAD_CLIP)
            optimizer.step()
            optimizer.zero_grad()
            if step % LOG_EVERY == 0 or step == settings.steps - 1:
                losses.append(loss.item())
            reach(step + 1)
    logger.info("cross-entropy: %.2f nats at first, %.2f at last", losses[0], losses[-1])
    return changes


def entropy(
    grown: VARTransformer,
    tokenizer: MultiScaleVQVAE,
    attention: BlockCausal,
    tokens: Tensor,
    condition: Condition,
) -> Tensor:
    """Mean cross-entropy of tokens (B, L) under B conditions, in nats."""
    inputs = tokenizer.quantizer.teacher_inputs(token_maps(grown.schedule, tokens))
    hidden = grown.hidden_states(inputs, grown.embed(condition), attention)
    return F.cross_entropy(grown.logits(hidden).flatten(0, 1), tokens.flatten())


def batch(lesson: Lesson, settings: AdapterRunSettings, step: int) -> tuple[Tensor, Condition]:
    """Tokens (B, L) and conditions of a step: drawings that are kept, and the new thing."""
    random = PictureRandom(settings.seed, step, range(settings.batch_size))
    num_kept = min(round(settings.kept_share * settings.batch_size), settings.batch_size - 1)
    kept, new = (
        random.part(torch.arange(num_kept)),
        random.part(torch.arange(num_kept, settings.batch_size)),
    )
    again = kept.integers(len(lesson.kept.tokens))
    num_views, num_pictures = lesson.new.shape[:2]
    is_plain = new.uniform() < PLAIN_SHARE
    view = torch.where(is_plain, 0, new.integers(num_views))
    picture = new.integers(num_pictures)
    condition = lesson.condition(Chosen(again, view, picture, new))
    tokens = torch.cat((lesson.kept.tokens[again], lesson.new[view, picture]))
    return tokens, condition
