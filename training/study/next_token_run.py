"""A run that predicts the next token of a line: of captions, or of the raster of a picture."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from training.data.scenes.pictures import ScenePictures
from training.data.token_source import TokenBatch, TokenSource
from training.evaluation.sheets import SheetRow, captioned_sheet
from training.loop.checkpoint import step_generator
from training.loop.picture_random import PictureRandom
from training.study.captions import VOCAB_SIZE, CaptionLines, to_text
from training.study.line_drawing import draw_lines
from training.study.sized_run import SHOWN, operations_of, shares, token_figures
from training.study.study_run import GivenSourceRun
from training.transformer.conditioning import Conditioning, LabelConditioning
from training.transformer.run import TeacherBatch
from training.transformer.settings import TransformerSettings
from var_core.condition import Condition
from var_core.sampling import SamplingOptions, generators_from_seeds
from var_core.transformer import VARTransformer, init_weights

PAPER_WIDTH = 220  # pixels under which a caption of a sheet is written


class NextTokenRun(GivenSourceRun):
    """Trains the network of VAR on lines: a scale of one token for each place.

    A token then sees itself and all before, which is next-token prediction with the same blocks,
    cache and optimizer steps. The input of a place is the code of the token before.

    Args:
        settings: settings of the run.
        lines: source of lines, (B, L) tokens; negative ones are not learned.
        codes: code vector of each token, (V, D).
        conditioning: what the network is told.
        label_counts: number of values of each label.
        num_validation: lines to measure with.
    """

    def __init__(
        self,
        settings: TransformerSettings,
        lines: TokenSource,
        codes: Tensor,
        conditioning: Conditioning,
        label_counts: list[int],
        num_validation: int,
    ) -> None:
        super().__init__(settings, lines, conditioning, num_validation)
        device = self.accelerator.device
        self.codes = codes.to(device)
        self.num_scales = self.held_back.validation().tokens.shape[1]
        transformer = line_network(settings, codes, label_counts, self.num_scales, conditioning)
        self.transformer = transformer.to(device).train()
        conditioning.attach(self.transformer)
        self._wrap()

    def operations(self) -> int:
        """Floating-point operations that a line costs, forward and backward."""
        return operations_of(self.transformer, self.settings)

    def next_batch(self, random: PictureRandom) -> TeacherBatch:
        """The next lines on the run's device."""
        batch: TokenBatch = self.read()
        condition = self.conditioning.condition(batch, random)
        inputs, targets = teacher_lines(batch.tokens.to(self.codes.device), self.codes)
        return TeacherBatch(inputs, condition.to(self.accelerator.device), targets)

    def logits(self, network: VARTransformer, batch: TokenBatch) -> tuple[Tensor, Tensor]:
        """Teacher-forced logits (B, L, V) of some lines, and their tokens (B, L)."""
        inputs, targets = teacher_lines(batch.tokens.to(self.codes.device), self.codes)
        asked = self.conditioning.asked(batch.labels, batch.captions).to(network.device)
        hidden = network.hidden_states(inputs, network.embed(asked), network.block_causal())
        return network.logits(hidden), targets

    def evaluate(self) -> tuple[dict[str, Any], np.ndarray]:
        """Loss and token error on the validation lines in float32, and what there is to see."""
        network = self.averaged()
        batch = self.held_back.validation()
        with torch.inference_mode():
            logits = (self.logits(network, batch.rows(rows)) for rows in shares(self, batch))
            figures = token_figures(self.accelerator, logits)
            return figures, self.sheet(network, batch)

    def sheet(self, network: VARTransformer, batch: TokenBatch) -> np.ndarray:
        """A sheet to look at, (H, W, 3) uint8; empty here."""
        return np.zeros((1, 1, 3), np.uint8)


def line_network(
    settings: TransformerSettings,
    codes: Tensor,
    label_counts: list[int],
    length: int,
    conditioning: Conditioning,
) -> VARTransformer:
    """The network of a run on lines, with the weights it starts from.

    Raises:
        ValueError: if the settings are out of range.
    """
    transformer = VARTransformer(
        sides=[1] * length,
        vocab_size=codes.shape[0],
        code_dim=codes.shape[1],
        label_counts=label_counts,
        depth=settings.depth,
        width=settings.width,
        num_heads=settings.num_heads,
        mlp_ratio=settings.mlp_ratio,
        shared_modulation=True,
        qk_norm=True,
        **conditioning.network_settings(),
    )
    init_weights(transformer, step_generator(settings.seed, -1))
    conditioning.start(transformer)
    return transformer


def teacher_lines(tokens: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
    """Inputs (B, L - 1, D) and targets (B, L) of some lines: each place sees those before."""
    return codes[tokens[:, :-1].clamp(min=0)], tokens


class CaptionRun(NextTokenRun):
    """Trains a language model on captions of scenes that a VAR of the same seed sees.

    Args:
        settings: settings of the run.
        scenes: scenes to describe.
        num_scenes: scenes in all, those for validation included.
        num_validation: captions to measure with.
    """

    def __init__(
        self,
        settings: TransformerSettings,
        scenes: ScenePictures,
        num_scenes: int,
        num_validation: int,
    ) -> None:
        lines = CaptionLines(scenes, num_scenes)
        nothing = LabelConditioning([1], drop_all=0.0, drop_each=0.0)
        super().__init__(settings, lines, torch.eye(VOCAB_SIZE), nothing, [1], num_validation)

    def sheet(self, network: VARTransformer, batch: TokenBatch) -> np.ndarray:
        """Captions that the network draws."""
        nothing = Condition.of_labels(torch.zeros(SHOWN, 1, dtype=torch.int64))
        options = SamplingOptions(guidance_scale=0.0, top_k=0, top_p=0.0)
        generators = generators_from_seeds(range(SHOWN), network.device)
        tokens = draw_lines(network, self.codes, nothing, options, generators)
        words = [to_text(line) for line in tokens.tolist()]
        paper = torch.ones(SHOWN, 3, 2, PAPER_WIDTH)
        return captioned_sheet([SheetRow("drawn captions", paper, words)])
