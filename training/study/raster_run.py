"""A run on the raster of a picture: the tokens of a single scale, row by row."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.data.scenes.pictures import ScenePictures
from training.data.token_pool import TokenPool
from training.data.token_source import TokenBatch
from training.evaluation.sheets import SheetRow, captioned_sheet
from training.study.line_drawing import draw_lines
from training.study.next_token_run import NextTokenRun
from training.study.sized_run import SHOWN
from training.transformer.choose_conditioning import choose_conditioning
from training.transformer.settings import TransformerSettings
from var_core.checkpoints import load_tokenizer
from var_core.devices import pick_device
from var_core.sampling import SamplingOptions, generators_from_seeds
from var_core.transformer import VARTransformer


class RasterRun(NextTokenRun):
    """Trains next-token prediction on a pool of scenes, as a VAR with the same settings sees them.

    Args:
        settings: settings of the run, with a pool and a tokenizer of a single scale.
        scenes: scenes of the tokenizer's side.
        num_validation: scenes of the pool to measure with.

    Raises:
        ValueError: if the tokenizer has several scales.
    """

    def __init__(
        self, settings: TransformerSettings, scenes: ScenePictures, num_validation: int
    ) -> None:
        self.tokenizer = load_tokenizer(settings.tokenizer).requires_grad_(False)
        torch.nn.Module.to(self.tokenizer, pick_device())
        if self.tokenizer.schedule.num_scales != 1:
            raise ValueError(
                f"{settings.tokenizer} has {self.tokenizer.schedule.num_scales} scales, "
                "a raster is that of one"
            )
        self.scenes = scenes
        folder = Path(settings.pool_folder)
        lines = TokenPool(scenes, self.tokenizer, folder, settings.pool, with_features=False)
        counts = [len(one["values"]) for one in scenes.label_names["attributes"]]
        codes = self.tokenizer.quantizer.code_vectors()
        conditioning = choose_conditioning(scenes, settings)
        super().__init__(settings, lines, codes, conditioning, counts, num_validation)

    def decode(self, tokens: Tensor) -> Tensor:
        """Pictures of some rasters: (B, L) -> (B, 3, H, W) in [-1, 1]."""
        token_map = tokens.unflatten(1, self.tokenizer.schedule.final_shape)
        return self.tokenizer.decode([token_map])

    def sheet(self, network: VARTransformer, batch: TokenBatch) -> np.ndarray:
        """Pictures that the network draws for the first validation captions."""
        shown = batch.rows(torch.arange(min(SHOWN, len(batch.labels))))
        assert shown.captions is not None  # as of all scenes
        asked = self.conditioning.asked(shown.labels, shown.captions)
        options = SamplingOptions().fitted(len(self.codes))
        generators = generators_from_seeds(range(len(asked)), network.device)
        drawn = self.decode(draw_lines(network, self.codes, asked, options, generators))
        words = self.scenes.words(shown.labels, shown.captions)
        return captioned_sheet([SheetRow("drawn", drawn, words)])
