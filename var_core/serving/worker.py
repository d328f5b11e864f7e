"""The work on the networks of one model; an executor decides where it runs."""

from collections.abc import Callable, Generator
from typing import TypeVar

import numpy as np
import torch
from PIL import Image

from var_core.checkpoints import CheckpointError
from var_core.devices import pick_dtype
from var_core.jobs.progress import JobProgress, Request, sharpen
from var_core.jobs.question import Question
from var_core.jobs.reconstruction import Reconstruction, reconstruct
from var_core.jobs.token_map_colours import code_colours
from var_core.model_info import ModelInfo
from var_core.pipeline import VARPipeline
from var_core.serving.machine_troubles import ModelGoneError
from var_core.serving.model_cache import ModelCache

Answer = TypeVar("Answer")


class ModelWorker:
    """One pipeline per dtype, loaded when it is needed.

    Nothing of a request is kept here: caches, generators and latents live in its generator.

    Args:
        info: the model.
        load: function that returns the model's pipeline in a dtype, on the device.
        cache: keeps pipelines in memory.
        device: device of the pipelines.
        dtype: dtype of the precision "auto".

    Attributes:
        is_loadable: whether the model could be loaded when it was needed last.
    """

    def __init__(
        self,
        info: ModelInfo,
        load: Callable[[torch.dtype], VARPipeline],
        cache: ModelCache,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self._info = info
        self._load = load
        self._cache = cache
        self._device = device
        self._dtype = dtype
        self.is_loadable = True

    def pipeline(self, precision: str) -> VARPipeline:
        """The pipeline of a precision, "auto", "fp32" or "bf16".

        Raises:
            ValueError: if the precision is unknown.
            ModelGoneError: if the model can no longer be loaded.
        """
        dtype = self._dtype if precision == "auto" else pick_dtype(self._device, precision)
        try:
            pipeline = self._cache.pipeline(self._info, dtype, self._load)
        except (CheckpointError, OSError) as error:  # its words name a path of this machine
            self.is_loadable = False
            raise ModelGoneError(str(error)) from error
        self.is_loadable = True
        return pipeline

    def prepare(self) -> None:
        """Load what the precision "auto" draws with, so that nobody has to wait for it.

        Raises:
            ValueError: if the model can no longer be loaded.
        """
        try:
            self.pipeline("auto")
        except ModelGoneError as error:
            raise ValueError(str(error)) from error

    def draw(self, request: Request) -> Generator[JobProgress, None, None]:
        """Draw or edit, as `Request.start`."""
        yield from request.start(self.pipeline(request.precision))

    def sharpen(self, progress: JobProgress, scale: int | None) -> JobProgress:
        """Replace one sketch by the true decode, as `progress.sharpen`."""
        return sharpen(self.pipeline(progress.request.precision), progress, scale)

    def tokenize(self, image: Image.Image) -> Reconstruction:
        """Encode a picture, and decode every prefix of its token maps."""
        return reconstruct(self.pipeline("auto"), image)

    def answer(self, question: Question[Answer]) -> Answer:
        """Answer a question about a picture, as `Question.answer`."""
        return question.answer(self.pipeline(question.precision))

    def code_colours(self) -> np.ndarray:
        """A colour for every code, (V, 3) uint8: codes that are near each other look alike."""
        return code_colours(self.pipeline("auto"))
