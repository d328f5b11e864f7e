"""Figures and drawings of a transformer while it is trained."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor

from training.data.picture_source import PictureSource
from training.data.token_source import TokenBatch, TokenSource, token_maps
from training.evaluation.sheets import SheetRow, captioned_sheet, fitting
from training.loop.processes import dealt, gathered
from training.loop.run import MAX_EVALUATED
from training.transformer.conditioning import Conditioning
from var_core.condition import Condition
from var_core.sampling import SamplingOptions, generators_from_seeds, sample_scales
from var_core.tokenizer import MultiScaleVQVAE
from var_core.transformer import VARTransformer

SPLITS = ("validation", "held_out")
PICTURES_AT_ONCE = 64
SHEET_WIDTH = 16


@dataclass(frozen=True)
class Drawer:
    """A network in training and what it needs to be measured and to draw.

    Attributes:
        transformer: averaged weights, in the dtype that it draws with.
        tokenizer: tokenizer of its tokens.
        conditioning: how labels and phrases reach the network.
        num_scales: scales that it learns, from the coarsest on.
    """

    transformer: VARTransformer
    tokenizer: MultiScaleVQVAE
    conditioning: Conditioning
    num_scales: int

    def asked(self, labels: Tensor, captions: Tensor | None) -> Condition:
        """Everything that is known about some pictures, on the device of the network."""
        return self.conditioning.asked(labels, captions).to(self.transformer.device)

    def logits(self, batch: TokenBatch) -> tuple[Tensor, Tensor]:
        """Teacher-forced logits of the scales that are learned, (B, M, V), and tokens (B, M)."""
        maps = token_maps(self.tokenizer.schedule, batch.tokens)[: self.num_scales]
        inputs = self.tokenizer.quantizer.teacher_inputs(maps)
        condition = self.asked(batch.labels, batch.captions)
        logits = self.transformer.first_logits(inputs, condition, self.num_scales)
        return logits, torch.cat([token_map.flatten(1) for token_map in maps], dim=1)

    def entropy(self, batch: TokenBatch) -> Tensor:
        """Cross-entropy of every token that is learned, (B, M), in nats."""
        logits, targets = self.logits(batch)
        return F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")

    def draw(
        self, labels: Tensor, captions: Tensor | None, seeds: Sequence[int] | None = None
    ) -> Tensor:
        """Drawings with the scales that are learned, own or first seeds, as of `decode_latent`."""
        seeds = range(len(labels)) if seeds is None else seeds
        steps = sample_scales(
            self.transformer,
            self.tokenizer.quantizer,
            self.asked(labels, captions),
            SamplingOptions(),
            generators_from_seeds(seeds, self.transformer.device),
        )
        *_, last = islice(steps, self.num_scales)
        return self.tokenizer.decode_latent(last.latent).cpu()


@torch.inference_mode()
def entropy_figures(
    drawer: Drawer, source: TokenSource, accelerator: Accelerator
) -> dict[str, Any]:
    """Cross-entropy on fixed pictures with everything said of them, over all tokens and per scale.

    The processes share the work, and each of them gets all figures.

    Returns:
        `validation_entropy` and `validation_entropy_per_scale`, nats per token; the same for
        held-out pictures where there are some.
    """
    schedule, num_frames = drawer.tokenizer.schedule, drawer.tokenizer.num_frames
    at_once = -(-PICTURES_AT_ONCE // num_frames)
    figures: dict[str, Any] = {}
    for split in SPLITS:
        batch = source.fixed(split, MAX_EVALUATED // num_frames)
        if not len(batch.labels):
            continue
        shares = dealt(accelerator, len(batch.labels), at_once)
        parts = [gathered(accelerator, drawer.entropy(batch.rows(rows))) for rows in shares]
        entropy = torch.cat(parts)
        figures[f"{split}_entropy"] = entropy.mean().item()
        figures[f"{split}_entropy_per_scale"] = [
            round(entropy[:, schedule.token_range(index)].mean().item(), 4)
            for index in range(drawer.num_scales)
        ]
    return figures


@torch.inference_mode()
def draw_sheet(drawer: Drawer, pictures: PictureSource) -> np.ndarray:
    """A sheet of real and drawn pictures with what is said of them, (H, W, 3) uint8.

    Its rows: trained pictures, drawings of what is said of them, unseen pictures, drawings of what
    is said of them, drawings of what is said of the first row but for the last attribute.
    """
    count = fitting(SHEET_WIDTH, pictures.num_frames)
    trained, unseen = (pictures.fixed(split, count) for split in ("train", "held_out"))
    if not len(unseen.labels):
        unseen = pictures.fixed("validation", count)
    width = min(len(trained.labels), len(unseen.labels))
    opened = trained.labels.clone()
    if opened.shape[1]:
        opened[:, -1] = drawer.transformer.null_labels[-1]
    rows = []
    for labels, batch, title in (
        (trained.labels, trained, "training pictures"),
        (unseen.labels, unseen, "unseen pictures"),
        (opened, trained, ""),
    ):
        captions = None if batch.captions is None else batch.captions[:width]
        if title:
            rows.append(SheetRow(title, batch.images[:width]))
        words = pictures.words(labels[:width], captions)
        drawn = drawer.draw(labels[:width], captions)
        rows.append(SheetRow("drawn" if title else "drawn, a label left open", drawn, words))
    return captioned_sheet(rows)
