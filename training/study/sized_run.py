"""A VAR run of the study: the usual trainer, with figures of the last scale and of all scales."""

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor

from training.data.scenes.pictures import ScenePictures
from training.data.token_source import TokenBatch
from training.evaluation.sheets import SheetRow, captioned_sheet
from training.loop.footprint import PASSES
from training.loop.processes import dealt, gathered
from training.study.held_back import HeldBack
from training.study.study_run import StudyRun
from training.transformer.footprint import measured
from training.transformer.objective import TransformerObjective
from training.transformer.run import TransformerRun
from training.transformer.settings import TransformerSettings
from training.transformer.validation import Drawer
from var_core.transformer import VARTransformer

SHOWN = 8  # pictures of a sheet
AT_ONCE = 64


class SizedRun(StudyRun):
    """Trains a VAR on a pool of scenes of which the last ones are kept for validation.

    Args:
        settings: settings of the run, with a pool.
        pictures: scenes of the tokenizer's side.
        num_validation: scenes of the pool to measure with.
    """

    def __init__(
        self, settings: TransformerSettings, pictures: ScenePictures, num_validation: int
    ) -> None:
        super().__init__(settings, pictures)
        self.tokens = self.held_back = HeldBack(self.tokens, num_validation)

    def operations(self) -> int:
        """Floating-point operations that a training picture costs, forward and backward."""
        return operations_of(self.transformer, self.settings)

    def evaluate(self) -> tuple[dict[str, Any], np.ndarray]:
        """Loss and token error on the validation scenes in float32, and some drawings."""
        transformer = self.averaged()
        drawer = Drawer(transformer, self.tokenizer, self.conditioning, self.num_scales)
        batch = self.held_back.validation()
        last = self.tokenizer.schedule.token_range(self.num_scales - 1)
        logits = (drawer.logits(batch.rows(rows)) for rows in shares(self, batch))
        figures = token_figures(self.accelerator, logits, last)
        shown = batch.rows(torch.arange(min(SHOWN, len(batch.labels))))
        assert shown.captions is not None  # as of all scenes
        words = self.pictures.words(shown.labels, shown.captions)
        drawn = drawer.draw(shown.labels, shown.captions)
        return figures, captioned_sheet([SheetRow("drawn", drawn, words)])


def shares(run: TransformerRun, batch: TokenBatch) -> Iterator[Tensor]:
    """Rows of a batch that this process measures, part by part."""
    return dealt(run.accelerator, len(batch.labels), AT_ONCE)


@torch.inference_mode()
def token_figures(
    accelerator: Accelerator, parts: Iterator[tuple[Tensor, Tensor]], last: slice | None = None
) -> dict[str, Any]:
    """Mean loss and error over all tokens, and over the last scale.

    Args:
        accelerator: the run's processes, which share the work.
        parts: logits (B, L, V) and tokens (B, L), part by part; negative tokens do not count.
        last: tokens of the last scale, if there is one.

    Returns:
        `loss_all` and `loss_last` in nats a token, `error_all` and `error_last` as the share of
        tokens that are not the likeliest one.
    """
    losses, errors, counts = [], [], []
    for logits, tokens in parts:
        is_token = tokens >= 0
        loss = F.cross_entropy(logits.transpose(1, 2), tokens, reduction="none")
        losses.append(gathered(accelerator, loss))
        wrong = (logits.argmax(dim=2) != tokens) & is_token
        errors.append(gathered(accelerator, wrong.float()))
        counts.append(gathered(accelerator, is_token.float()))
    loss, error, count = (torch.cat(one) for one in (losses, errors, counts))
    figures = {}
    for name, places in {"all": slice(None), "last": last}.items():
        if places is not None:
            number = count[:, places].sum()
            figures[f"loss_{name}"] = (loss[:, places].sum() / number).item()
            figures[f"error_{name}"] = (error[:, places].sum() / number).item()
    return figures


def operations_of(transformer: VARTransformer, settings: TransformerSettings) -> int:
    """Floating-point operations of one picture, forward and backward, counted on no device."""
    with torch.device("meta"):
        outline = cast(VARTransformer, VARTransformer.from_config(transformer.config))
        objective = TransformerObjective(outline, settings)
    return PASSES * measured(objective, 1)[1]
