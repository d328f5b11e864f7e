"""Figures and drawings of a transformer while it is trained."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from training.data.picture_source import PictureSource
from training.data.token_source import TokenSource, token_maps
from training.evaluation.sheets import sheet_pixels
from training.loop.run import MAX_EVALUATED
from var_core.condition import Condition
from var_core.labels import LabelSpace
from var_core.pipeline import VARPipeline
from var_core.sampling import generators_from_seeds
from var_core.tokenizer import MultiScaleVQVAE
from var_core.transformer import VARTransformer

SPLITS = ("validation", "held_out")
PICTURES_AT_ONCE = 64
SHEET_WIDTH = 16


@torch.inference_mode()
def entropy_figures(
    transformer: VARTransformer, tokenizer: MultiScaleVQVAE, source: TokenSource
) -> dict[str, Any]:
    """Cross-entropy on fixed pictures with all their labels, over all tokens and per scale.

    Returns:
        `validation_entropy` and `validation_entropy_per_scale`, nats per token; the same for
        held-out pictures where there are some.
    """
    schedule, device = transformer.schedule, transformer.device
    figures: dict[str, Any] = {}
    for split in SPLITS:
        batch = source.fixed(split, MAX_EVALUATED)
        if not len(batch.labels):
            continue
        parts = []
        for tokens, labels in zip(
            batch.tokens.split(PICTURES_AT_ONCE),
            batch.labels.split(PICTURES_AT_ONCE),
            strict=True,
        ):
            inputs = tokenizer.quantizer.teacher_inputs(token_maps(schedule, tokens))
            logits = transformer(inputs, Condition.of_labels(labels.to(device)))
            parts.append(F.cross_entropy(logits.transpose(1, 2), tokens, reduction="none"))
        entropy = torch.cat(parts)
        figures[f"{split}_entropy"] = entropy.mean().item()
        figures[f"{split}_entropy_per_scale"] = [
            round(entropy[:, schedule.token_range(index)].mean().item(), 4)
            for index in range(schedule.num_scales)
        ]
    return figures


@torch.inference_mode()
def draw_sheet(
    transformer: VARTransformer,
    tokenizer: MultiScaleVQVAE,
    pictures: PictureSource,
    open_column: int,
) -> np.ndarray:
    """A sheet of real and drawn pictures, (H, W, 3) uint8.

    Its rows: trained pictures, drawings with their labels, unseen pictures, drawings with their
    labels, drawings with the labels of the first row but one attribute left open.

    Args:
        transformer: network that draws.
        tokenizer: tokenizer of its tokens.
        pictures: source of the real pictures and of the names of the labels.
        open_column: attribute that is left open.
    """
    trained, unseen = (pictures.fixed(split, SHEET_WIDTH) for split in ("train", "held_out"))
    if not len(unseen.labels):
        unseen = pictures.fixed("validation", SHEET_WIDTH)
    width = min(len(trained.labels), len(unseen.labels))
    opened = trained.labels.clone()
    opened[:, open_column] = transformer.null_labels[open_column]
    pipeline = VARPipeline(tokenizer, transformer, LabelSpace.from_json(pictures.label_names))
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
        rows.append(torch.as_tensor(drawn).cpu() * 2 - 1)
    return sheet_pixels(rows)
