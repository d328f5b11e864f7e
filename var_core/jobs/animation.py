"""A clip as a job: the same for command line and endpoint."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from PIL import Image
from torch import Tensor

from var_core.animations import read_animation
from var_core.clip_options import ClipOptions
from var_core.clip_pipeline import VARClipPipeline
from var_core.devices import PRECISIONS
from var_core.images import read_image
from var_core.jobs.clip_files import make_clip_recipe
from var_core.jobs.png_recipe import Recipe
from var_core.jobs.progress import JobProgress, begin, follow_clip
from var_core.model_info import CLIPS, FRAMES_PER_SECOND, MAKES, ModelInfo
from var_core.pipeline_parts import PipelineParts
from var_core.sampling import SamplingOptions, generators_from_seeds
from var_core.wishes import Wish

ReadFrames = Callable[[], Sequence[Image.Image]]  # can be pickled


@dataclass(frozen=True)
class AnimateRequest:
    """One clip to draw; its frames are the pictures of the progress.

    Attributes:
        wish: what the clip is to show.
        seed: seed of the clip.
        options: how tokens are drawn.
        clip_options: length and end of the clip, as the model can draw it.
        read: function that returns the picture or frames that the clip goes on from, when its turn
            has come; None where it goes on from none.
        keep: token maps (1, h, w) of the first frame; instead of `read`.
        has_recipe: whether the rest tells all of the clip.
        precision: one of PRECISIONS.
    """

    wish: Wish
    seed: int
    options: SamplingOptions
    clip_options: ClipOptions
    read: ReadFrames | None = field(default=None, repr=False)
    keep: tuple[Tensor, ...] = field(default=(), repr=False)
    has_recipe: bool = True
    precision: str = PRECISIONS[0]
    comparison: None = None

    @property
    def job(self) -> str:
        """As `Request.job`."""
        return "animate"

    @property
    def wishes(self) -> tuple[Wish, ...]:
        """As `Request.wishes`."""
        return (self.wish,)

    @property
    def seeds(self) -> tuple[int, ...]:
        """As `Request.seeds`."""
        return (self.seed,)

    @property
    def is_smooth(self) -> bool:
        """As `Request.is_smooth`."""
        return self.options.smooth

    def recipes(self, info: ModelInfo, dtype: str) -> list[Recipe | None]:
        """As `Request.recipes`: none for a clip that goes on from several frames."""
        if not self.has_recipe:
            return [None]
        kept = [tokens[0] for tokens in self.keep]
        shared = self.seed, self.options, self.clip_options, dtype, kept
        return [make_clip_recipe(info, self.wish, *shared)]

    def start(self, pipeline: PipelineParts) -> Iterator[JobProgress]:
        """As `Request.start`; there are steps for every scale of every part of the clip.

        Raises:
            ValueError: if the pipeline is none of clips, or the picture cannot be read.
        """
        if not isinstance(pipeline, VARClipPipeline):
            raise ValueError(f"this is a model of {MAKES[pipeline.kind]}, not of {MAKES[CLIPS]}")
        frames = [] if self.read is None else self.read()
        request = replace(self, read=None, has_recipe=len(frames) < 2)
        if len(frames) == 1:
            tokens, _ = pipeline.tokenize(frames[0])
            request, frames = replace(request, keep=tuple(one.cpu() for one in tokens)), []
        previews = pipeline.animate_stream(
            [self.wish],
            self.options,
            self.clip_options,
            frames,
            generators_from_seeds([self.seed], pipeline.device),
            request.keep,
        )
        return follow_clip(begin(request, pipeline), previews)


def read_beginning(content: bytes) -> Sequence[Image.Image]:
    """The picture, or the frames of an animation, that a clip goes on from.

    Args:
        content: PNG, JPEG, WebP or GIF file.

    Raises:
        ValueError: if it is none of these, damaged or too large.
    """
    if content[:4] == b"GIF8" or content[8:12] == b"WEBP":
        return read_animation(content, FRAMES_PER_SECOND)
    return [read_image(content)]
