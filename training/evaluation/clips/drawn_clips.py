"""The model of clips that is measured, and how it draws: default options, first seeds."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from training.data.motion import MovingScenes
from training.evaluation.clips.cases import ClipCase, paint
from training.evaluation.clips.judge_network import ClipJudge, topics_of
from var_core.clip_pipeline import VARClipPipeline
from var_core.images import tensor_to_images, uint8_to_tensor
from var_core.sampling import generators_from_seeds
from var_core.wishes import Wish

AT_ONCE = 4  # clips drawn together
REPEATS = 5  # of what is timed


@dataclass(frozen=True, eq=False)
class ClipBench:
    """A model of clips and all that measures it.

    Attributes:
        pipeline: the model.
        judge: judge of clips.
        clips: moving scenes and their words.
        nets: folder of training.prepare.nets.
        limit: largest number of cases of a figure; 0 takes all of them.
    """

    pipeline: VARClipPipeline
    judge: ClipJudge
    clips: MovingScenes
    nets: Path
    limit: int = 0

    def __post_init__(self) -> None:
        """Check that the parts fit together.

        Raises:
            ValueError: if they do not.
        """
        info, table = self.pipeline.info, self.clips.table
        attributes = [(one.name, one.values) for one in info.labels.attributes]
        if attributes != [("style", table.styles)] or not info.max_phrases:
            raise ValueError(
                f"the model must take words and the styles {', '.join(table.styles)}; it takes "
                f"{info.max_phrases} phrases and {attributes}"
            )
        if self.judge.topics != topics_of(table):
            raise ValueError("the judge was trained on other clips than those of the data folder")
        if info.image_shape != (self.clips.side, self.clips.side):
            raise ValueError(
                f"the clips have {self.clips.side} pixels a side, the model draws "
                f"{info.image_shape[0]}"
            )
        if info.num_frames > self.clips.num_frames:
            raise ValueError(
                f"real clips have {self.clips.num_frames} frames, the model draws {info.num_frames}"
            )

    def size(self, number: int) -> int:
        """Number of cases of a figure that has `number` without a limit."""
        return min(number, self.limit or number)

    def real(self, cases: Sequence[ClipCase]) -> Tensor:
        """Real clips of some cases, as long as the model's, rounded to 8 bits."""
        renderer = self.clips.renderer(torch.device("cpu"))
        side, frames = self.clips.side, self.pipeline.info.num_frames
        painted = paint(renderer, [case.clip for case in cases], side, frames)
        return ((painted + 1) * 127.5).round() / 127.5 - 1

    def drawn(self, cases: Sequence[ClipCase], name: str) -> Tensor:
        """A clip for the words of each case, seeds counting up: (N, 3, F, H, W) in [-1, 1]."""
        parts = []
        for start in tqdm(range(0, len(cases), AT_ONCE), desc=name, disable=None):
            some = cases[start : start + AT_ONCE]
            generators = generators_from_seeds(
                range(start, start + len(some)), self.pipeline.device
            )
            made = self.pipeline.animate(self._wishes(some), generator=generators)
            parts += [frames_to_clip(frames) for frames in made.clips]
        return torch.stack(parts)

    def drawn_from(self, cases: Sequence[ClipCase], real: Tensor, name: str) -> Tensor:
        """As `drawn`, each clip from the first frame of its real one."""
        parts = []
        for number, case in enumerate(tqdm(cases, desc=name, disable=None)):
            first = tensor_to_images(real[number, :, :1].transpose(0, 1))
            generators = generators_from_seeds([number], self.pipeline.device)
            wishes = self._wishes([case])
            made = self.pipeline.animate(wishes, start=first, generator=generators)
            parts.append(frames_to_clip(made.clips[0]))
        return torch.stack(parts)

    def seconds(self, case: ClipCase) -> tuple[float, float]:
        """Medians of a clip's seconds: until it first plays, and until it is done."""
        times = []
        for seed in range(REPEATS + 1):
            generators = generators_from_seeds([seed], self.pipeline.device)
            began, first = time.monotonic(), 0.0
            wishes = self._wishes([case])
            for preview in self.pipeline.animate_stream(wishes, generator=generators):
                if len(preview.clips[0]) > 1:
                    first = first or time.monotonic() - began
            times.append((first, time.monotonic() - began))
        played, done = np.median(times[1:], axis=0).tolist()  # the first one warms up
        return played, done

    def _wishes(self, cases: Sequence[ClipCase]) -> list[Wish]:
        reader = self.pipeline.info.reader
        return [reader.read({"style": case.style}, list(case.phrases)) for case in cases]


def frames_to_clip(frames: Sequence[Image.Image]) -> Tensor:
    """Frames to one clip, (3, F, H, W) in [-1, 1]."""
    return uint8_to_tensor(np.stack([np.asarray(frame) for frame in frames])).transpose(0, 1)
