"""What can be asked of an engine: one frozen type per job, the same for page, API and commands."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image
from torch import Tensor

from var_core.devices import PRECISIONS
from var_core.editing import EditOptions, Margins
from var_core.jobs.comparison import Comparison
from var_core.jobs.drawing import group_alike, join_groups
from var_core.jobs.png_recipe import Recipe, make_recipe
from var_core.jobs.progress import JobProgress, begin, follow_drawing, follow_edit
from var_core.model_info import ModelInfo
from var_core.pipeline import VARPipeline
from var_core.sampling import SamplingOptions, generators_from_seeds
from var_core.wishes import Wish


@dataclass(frozen=True)
class Settings:
    """What every drawing needs.

    Attributes:
        wish: what the pictures are to show.
        seed: seed of the first picture, 0 to MAX_SEED.
        options: how tokens are drawn.
        image_shape: height and width of the model's pictures.
        precision: one of PRECISIONS.
    """

    wish: Wish
    seed: int
    options: SamplingOptions
    image_shape: tuple[int, int]
    precision: str = PRECISIONS[0]


@dataclass(frozen=True)
class DrawRequest:
    """Pictures to draw together.

    Attributes:
        wishes: what each picture is to show.
        seeds: seed of each picture.
        options: options of each picture.
        keep: token maps of the first scales to keep, (B, h, w) each.
        num_kept: number of these scales that each picture keeps; empty keeps all.
        precision: one of PRECISIONS.
        comparison: what the pictures compare, row by row; None where they are no sheet.
    """

    wishes: tuple[Wish, ...]
    seeds: tuple[int, ...]
    options: tuple[SamplingOptions, ...]
    keep: tuple[Tensor, ...] = ()
    num_kept: tuple[int, ...] = ()
    precision: str = PRECISIONS[0]
    comparison: Comparison | None = None

    @property
    def job(self) -> str:
        """As `Request.job`."""
        return "draw"

    @property
    def is_smooth(self) -> bool:
        """As `Request.is_smooth`."""
        return any(one.smooth for one in self.options)

    def kept(self, place: int) -> tuple[Tensor, ...]:
        """Token maps (1, S, S) that one picture keeps."""
        keep = self.keep[: self.num_kept[place]] if self.num_kept else self.keep
        return tuple(tokens[place : place + 1] for tokens in keep)

    def recipes(self, info: ModelInfo, dtype: str) -> list[Recipe]:
        """As `Request.recipes`; each recipe alone is enough to draw its picture again."""
        return [
            make_recipe(
                info,
                wish,
                self.seeds[index],
                self.options[index],
                dtype,
                [tokens[0] for tokens in self.kept(index)],
            )
            for index, wish in enumerate(self.wishes)
        ]

    def start(self, pipeline: VARPipeline) -> Iterator[JobProgress]:
        """As `Request.start`."""
        num_kept = self.num_kept or (len(self.keep),) * len(self.seeds)
        groups = group_alike([*zip(self.options, num_kept, strict=True)])
        streams = [
            pipeline.stream(
                [self.wishes[index] for index in group],
                options,
                generators_from_seeds([self.seeds[index] for index in group], pipeline.device),
                keep=[tokens[group].to(pipeline.device) for tokens in self.keep[:count]],
            )
            for (options, count), group in groups.items()
        ]
        previews = join_groups(streams, list(groups.values()))
        has_sketches = pipeline.tokenizer.sketch is not None
        return follow_drawing(begin(self, pipeline), previews, has_sketches)


@dataclass(frozen=True)
class EditRequest:
    """Parts of a picture to draw anew, or sides to add.

    Attributes:
        image: upright RGB.
        mask: (H, W) bool, or None where sides are added.
        margins: pixels to add, or None where something is masked.
        wishes: what each result is to show; an open label goes by what is kept.
        seeds: seed of each result.
        options: sampling options of all results.
        edit_options: editing options of all results.
        precision: one of PRECISIONS.
    """

    image: Image.Image = field(repr=False)
    mask: np.ndarray | None = field(repr=False)
    margins: Margins | None
    wishes: tuple[Wish, ...]
    seeds: tuple[int, ...]
    options: SamplingOptions
    edit_options: EditOptions
    precision: str = PRECISIONS[0]

    @property
    def job(self) -> str:
        """As `Request.job`."""
        return "edit"

    @property
    def comparison(self) -> None:
        """As `Request.comparison`."""
        return None

    @property
    def is_smooth(self) -> bool:
        """As `Request.is_smooth`."""
        return self.options.smooth

    def recipes(self, info: ModelInfo, dtype: str) -> list[None]:
        """As `Request.recipes`: none, since they would need the picture too."""
        return [None] * len(self.wishes)

    def start(self, pipeline: VARPipeline) -> Iterator[JobProgress]:
        """As `Request.start`; an edit has steps for every scale of every window, and candidate."""
        generators = generators_from_seeds(self.seeds, pipeline.device)
        shared = (list(self.wishes), self.options, self.edit_options, generators)
        if self.margins is None:
            previews = pipeline.edit_stream(self.image, self.mask, *shared)
        else:
            previews = pipeline.outpaint_stream(self.image, self.margins, *shared)
        return follow_edit(begin(self, pipeline), previews)

    def original(self, size: tuple[int, int]) -> Image.Image:
        """The picture before the edit, placed as in a result of this size."""
        if self.margins is None:
            return self.image
        before = Image.new("RGB", size, "white")
        before.paste(self.image, (self.margins.left, self.margins.top))
        return before


@dataclass(frozen=True)
class VaryRequest:
    """A picture of which only the coarse scales are kept.

    Attributes:
        image: upright RGB; its central square is used.
        keep_scales: number of scales to keep, 1 to K - 1.
        drawing: what is drawn from there on.
    """

    image: Image.Image = field(repr=False)
    keep_scales: int
    drawing: DrawRequest

    @property
    def job(self) -> str:
        """As `Request.job`."""
        return "vary"

    @property
    def wishes(self) -> tuple[Wish, ...]:
        """As `Request.wishes`."""
        return self.drawing.wishes

    @property
    def seeds(self) -> tuple[int, ...]:
        """As `Request.seeds`."""
        return self.drawing.seeds

    @property
    def precision(self) -> str:
        """As `Request.precision`."""
        return self.drawing.precision

    @property
    def comparison(self) -> Comparison | None:
        """As `Request.comparison`."""
        return self.drawing.comparison

    @property
    def is_smooth(self) -> bool:
        """As `Request.is_smooth`."""
        return self.drawing.is_smooth

    def recipes(self, info: ModelInfo, dtype: str) -> list[None]:
        """As `Request.recipes`: none yet; the drawing that `start` begins has them."""
        return [None] * len(self.wishes)

    def start(self, pipeline: VARPipeline) -> Iterator[JobProgress]:
        """As `Request.start`; the progress is that of a drawing with kept scales."""
        keep = pipeline.coarse_tokens(self.image, self.keep_scales, len(self.wishes))
        return replace(self.drawing, keep=tuple(tokens.cpu() for tokens in keep)).start(pipeline)

    def original(self, size: tuple[int, int]) -> Image.Image:
        """The picture before it was varied: its central square at the size of the result."""
        if self.image.size == size:
            return self.image
        side = min(self.image.size)
        left, top = (self.image.width - side) // 2, (self.image.height - side) // 2
        return self.image.crop((left, top, left + side, top + side)).resize(size)
