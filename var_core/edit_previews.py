"""Starts an edit: checks its arguments, then yields the pictures after every scale."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from var_core.condition import Condition
from var_core.editing import (
    EditOptions,
    Margins,
    Window,
    central_window,
    check_mask,
    edit_steps,
    known_window,
    outpaint_canvas,
    view_known,
    window_around,
)
from var_core.images import upright
from var_core.labels import Label
from var_core.model_info import ModelInfo
from var_core.outputs import Preview, VARPipelineOutput
from var_core.own_settings import in_own_settings
from var_core.ranges import check_kind
from var_core.sampling import SamplingOptions, ScaleRule, ScaleStep
from var_core.sampling.rng import Generators
from var_core.scenery import add_scenery, knows_scenery
from var_core.tokenizer import MultiScaleVQVAE
from var_core.transformer import VARTransformer
from var_core.wishes import Prompt, Wish, WishEncoder

OnePerPicture = Sequence[torch.Generator]
Labels = Sequence[Label | Wish] | None
Prompts = str | Sequence[Prompt] | None


class EditablePipeline(Protocol):
    """What editing needs of a pipeline; `VARPipeline` has it all."""

    info: ModelInfo
    tokenizer: MultiScaleVQVAE
    transformer: VARTransformer
    wish_encoder: WishEncoder

    @property
    def device(self) -> torch.device:
        """Device of the networks."""
        ...

    def pack(self) -> None:
        """Lay the weights out for drawing."""
        ...

    def check_generators(self, generator: Generators | None, count: int) -> OnePerPicture:
        """A generator for each picture."""
        ...

    def sample(
        self,
        condition: Condition,
        options: SamplingOptions,
        generators: OnePerPicture,
        make_rule: Callable[[slice], ScaleRule | None],
        *,
        against: Condition | None,
    ) -> Iterator[ScaleStep]:
        """Run the sampling loop."""
        ...

    def draw(
        self,
        class_labels: Labels,
        options: SamplingOptions | None,
        generator: Generators | None,
        *,
        keep: Sequence[Tensor],
    ) -> VARPipelineOutput:
        """Draw pictures, keeping some scales."""
        ...

    def stream(
        self,
        class_labels: Labels,
        options: SamplingOptions | None,
        generator: Generators | None,
        *,
        keep: Sequence[Tensor],
    ) -> Iterator[Preview]:
        """Draw pictures, keeping some scales, with a preview after every scale."""
        ...

    def coarse_tokens(self, image: Image.Image, keep_scales: object, count: int) -> list[Tensor]:
        """Token maps of the first scales of a picture."""
        ...


@dataclass(frozen=True, eq=False)
class Given:
    """What an edit begins with.

    Attributes:
        picture: the picture, upright, perhaps with sides to fill.
        holes: what is redrawn, (H, W) bool.
        windows: what the model sees, one after another.
        middle: window that tells the scenery.
    """

    picture: Image.Image
    holes: np.ndarray
    windows: Sequence[Window]
    middle: Window


def edit_previews(
    pipeline: EditablePipeline,
    image: Image.Image,
    mask: object,
    wishes: list[Wish],
    options: SamplingOptions | None,
    edit_options: EditOptions,
    generator: Generators | None,
) -> Iterator[Preview]:
    """Check the arguments of `edit`, and start."""
    options = pipeline.info.fit_options(options)
    check_kind("edit_options", edit_options, EditOptions)
    picture = upright(image)
    holes = check_mask(mask, picture.size)
    windows = [window_around(holes, pipeline.info.image_shape)]
    generators = pipeline.check_generators(generator, len(wishes))
    middle = known_window(holes, pipeline.info.image_shape)
    given = Given(picture, holes, windows, middle)
    return _previews(pipeline, given, wishes, options, edit_options, generators)


def outpaint_previews(
    pipeline: EditablePipeline,
    image: Image.Image,
    margins: Margins,
    wishes: list[Wish],
    options: SamplingOptions | None,
    edit_options: EditOptions,
    generator: Generators | None,
) -> Iterator[Preview]:
    """Check the arguments of `outpaint`, and start."""
    options = pipeline.info.fit_options(options)
    check_kind("edit_options", edit_options, EditOptions)
    check_kind("margins", margins, Margins)
    picture = upright(image)
    width, height = picture.size
    size = margins.canvas(width, height, pipeline.info.image_shape)
    canvas, holes = outpaint_canvas(picture, margins.left, margins.top, *size)
    windows = list(margins.windows(width, height, pipeline.info.image_shape))
    generators = pipeline.check_generators(generator, len(wishes))
    corner = margins.left, margins.top
    middle = central_window(picture.size, pipeline.info.image_shape, corner)
    given = Given(canvas, holes, windows, middle)
    return _previews(pipeline, given, wishes, options, edit_options, generators)


@in_own_settings
def _previews(
    pipeline: EditablePipeline,
    given: Given,
    wishes: list[Wish],
    options: SamplingOptions,
    edit_options: EditOptions,
    generators: OnePerPicture,
) -> Iterator[Preview]:
    menus = pipeline.info.reader.labels.menus
    if knows_scenery(pipeline.wish_encoder, menus) and not given.holes.all():
        pipeline.pack()
        seen = view_known(given.picture, given.holes, given.middle, pipeline.info.image_shape)
        networks = pipeline.transformer, pipeline.tokenizer, pipeline.wish_encoder
        wishes = add_scenery(*networks, menus, seen, wishes)
    condition = pipeline.wish_encoder.condition(wishes, pipeline.device)
    against = pipeline.wish_encoder.against(wishes, pipeline.device)

    def sample(
        options: SamplingOptions, generators: OnePerPicture, make_rule: Callable[[slice], ScaleRule]
    ) -> Iterator[ScaleStep]:
        return pipeline.sample(condition, options, generators, make_rule, against=against)

    token_maps: list[Tensor] = []
    num_scales = pipeline.info.schedule.num_scales
    for step in edit_steps(
        pipeline.tokenizer,
        sample,
        given.picture,
        given.holes,
        given.windows,
        options,
        edit_options,
        generators,
    ):
        if step.token_map is not None:
            if step.number % num_scales == 1 % num_scales:  # a new window begins
                token_maps = []
            token_maps.append(step.token_map)
        yield Preview(step.pictures, list(token_maps), step.number, step.total, wishes)
