"""The editing methods of the pipeline."""

from collections.abc import Callable, Iterator, Sequence
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
    check_mask,
    edit_steps,
    outpaint_canvas,
    window_around,
)
from var_core.images import fit_square, image_to_tensor, upright_rgb
from var_core.labels import Label
from var_core.model_info import ModelInfo
from var_core.outputs import Preview, VARPipelineOutput
from var_core.ranges import check_int
from var_core.sampling import DEFAULTS, SamplingOptions, ScaleRule, ScaleStep
from var_core.tokenizer import MultiScaleVQVAE

ANYTHING: tuple[Label, ...] = (None,)
EDIT_DEFAULTS = EditOptions()
Generators = Sequence[torch.Generator]


class EditablePipeline(Protocol):
    """What editing needs of a pipeline; `VARPipeline` has it all."""

    info: ModelInfo
    tokenizer: MultiScaleVQVAE

    @property
    def device(self) -> torch.device:
        """Device of the networks."""
        ...

    def check_batch(
        self, class_labels: Sequence[Label], generator: Generators | None
    ) -> tuple[Tensor, Generators]:
        """Indices of labels, null where open, and a generator for each."""
        ...

    def fill_open_labels(self, labels: Tensor, generators: Generators) -> Tensor:
        """Draw open attributes where it is known which labels occur together."""
        ...

    def sample(
        self,
        condition: Condition,
        options: SamplingOptions,
        generators: Generators,
        make_rule: Callable[[slice], ScaleRule | None],
    ) -> Iterator[ScaleStep]:
        """Run the sampling loop."""
        ...

    def draw(
        self,
        class_labels: Sequence[Label],
        options: SamplingOptions,
        generator: Generators | None,
        *,
        keep: Sequence[Tensor],
    ) -> VARPipelineOutput:
        """Draw pictures, keeping some scales."""
        ...

    def stream(
        self,
        class_labels: Sequence[Label],
        options: SamplingOptions,
        generator: Generators | None,
        *,
        keep: Sequence[Tensor],
    ) -> Iterator[Preview]:
        """Draw pictures, keeping some scales, with a preview after every scale."""
        ...

    def coarse_tokens(self, image: Image.Image, keep_scales: object, count: int) -> list[Tensor]:
        """Token maps of the first scales of a picture."""
        ...


class EditMethods:
    """Editing without training for it: part of `VARPipeline`.

    `edit` redraws what is under a mask, `outpaint` adds to the sides, `vary` keeps the coarse
    scales; each has a twin that yields a preview after every scale. An open label is the null label
    here: what is drawn follows from what is kept. With some attributes given, the others are drawn
    from those that the model was trained on together with them.
    """

    def edit(
        self: EditablePipeline,
        image: Image.Image,
        mask: object,
        class_labels: Sequence[Label] = ANYTHING,
        options: SamplingOptions = DEFAULTS,
        edit_options: EditOptions = EDIT_DEFAULTS,
        generator: Generators | None = None,
    ) -> VARPipelineOutput:
        """Redraw what is under a mask, one result per label.

        The model sees a square around the mask; the result has the size of the picture. Outside the
        mask and a feather band of at most max(2 pixels, 5 % of the shorter side) it is the picture,
        bit for bit.

        Args:
            image: any size and mode; alpha becomes white.
            mask: as large as the picture: a PIL picture (half grey or lighter is redrawn) or a
                (H, W) array (0.5 or more is redrawn).
            class_labels: labels as for drawing; None lets the model go by what is kept.
            options: how tokens are drawn.
            edit_options: how what is kept and what is drawn are joined.
            generator: one `torch.Generator` per label; None takes random seeds.

        Returns:
            The pictures, and the token maps of the window that the model saw.

        Raises:
            ValueError: if an argument is out of range; nothing has been drawn then.
        """
        previews = _edit(self, image, mask, class_labels, options, edit_options, generator)
        return _finished(previews)

    def edit_stream(
        self: EditablePipeline,
        image: Image.Image,
        mask: object,
        class_labels: Sequence[Label] = ANYTHING,
        options: SamplingOptions = DEFAULTS,
        edit_options: EditOptions = EDIT_DEFAULTS,
        generator: Generators | None = None,
    ) -> Iterator[Preview]:
        """As `edit`, with a preview after every scale."""
        return _edit(self, image, mask, class_labels, options, edit_options, generator)

    def outpaint(
        self: EditablePipeline,
        image: Image.Image,
        margins: Margins,
        class_labels: Sequence[Label] = ANYTHING,
        options: SamplingOptions = DEFAULTS,
        edit_options: EditOptions = EDIT_DEFAULTS,
        generator: Generators | None = None,
    ) -> VARPipelineOutput:
        """Add to the sides of a picture, one result per label.

        Windows of the model overlap by half, so that any aspect ratio works. The picture itself
        stays as it is, bit for bit, but for a feather band as in `edit`.

        Args:
            image: any size and mode; alpha becomes white.
            margins: pixels to add at each side.
            class_labels: labels as for drawing; None lets the model go by what is there.
            options: how tokens are drawn.
            edit_options: how what is there and what is drawn are joined, in every window.
            generator: one `torch.Generator` per label; None takes random seeds.

        Returns:
            The larger pictures, and the token maps of the last window.

        Raises:
            ValueError: if an argument is out of range; nothing has been drawn then.
        """
        previews = _outpaint(self, image, margins, class_labels, options, edit_options, generator)
        return _finished(previews)

    def outpaint_stream(
        self: EditablePipeline,
        image: Image.Image,
        margins: Margins,
        class_labels: Sequence[Label] = ANYTHING,
        options: SamplingOptions = DEFAULTS,
        edit_options: EditOptions = EDIT_DEFAULTS,
        generator: Generators | None = None,
    ) -> Iterator[Preview]:
        """As `outpaint`, with a preview after every scale of every window."""
        return _outpaint(self, image, margins, class_labels, options, edit_options, generator)

    def vary(
        self: EditablePipeline,
        image: Image.Image,
        keep_scales: int,
        class_labels: Sequence[Label] = ANYTHING,
        options: SamplingOptions = DEFAULTS,
        generator: Generators | None = None,
    ) -> VARPipelineOutput:
        """Keep the first scales of a picture and draw the rest, perhaps as something else.

        Args:
            image: any size and mode; its central square is used.
            keep_scales: 1 to K - 1; few keep only colours and places, many nearly everything.
            class_labels: one label per result, as for drawing.
            options: how tokens are drawn.
            generator: one `torch.Generator` per label; None takes random seeds.

        Raises:
            ValueError: if an argument is out of range; nothing has been drawn then.
        """
        keep = self.coarse_tokens(image, keep_scales, _count(class_labels))
        return self.draw(class_labels, options, generator, keep=keep)

    def vary_stream(
        self: EditablePipeline,
        image: Image.Image,
        keep_scales: int,
        class_labels: Sequence[Label] = ANYTHING,
        options: SamplingOptions = DEFAULTS,
        generator: Generators | None = None,
    ) -> Iterator[Preview]:
        """As `vary`, with a preview after every scale."""
        keep = self.coarse_tokens(image, keep_scales, _count(class_labels))
        return self.stream(class_labels, options, generator, keep=keep)

    def coarse_tokens(
        self: EditablePipeline, image: Image.Image, keep_scales: object, count: int
    ) -> list[Tensor]:
        """Token maps of the first scales of a picture, once for each of `count` variations.

        Returns:
            `keep_scales` tensors (count, S, S) int64, coarse to fine.

        Raises:
            ValueError: if there are not as many scales, or all of them are asked for.
        """
        number = check_int("keep_scales", keep_scales, 1, self.info.schedule.num_scales - 1)
        square = fit_square(_upright(image), self.info.image_size)
        with torch.inference_mode():
            encoded = self.tokenizer.encode(image_to_tensor(square).to(self.device))
        return [tokens.expand(count, -1, -1) for tokens in encoded.token_maps[:number]]


def _edit(
    pipeline: EditablePipeline,
    image: Image.Image,
    mask: object,
    class_labels: Sequence[Label],
    options: SamplingOptions,
    edit_options: EditOptions,
    generator: Generators | None,
) -> Iterator[Preview]:
    """Check the arguments of `edit`, and start."""
    options = options.fitted(pipeline.info.vocab_size)
    picture = np.array(_upright(image))
    height, width = picture.shape[:2]
    holes = check_mask(mask, (width, height))
    windows = [window_around(holes, pipeline.info.image_size)]
    labels, generators = _edit_labels(pipeline, class_labels, generator)
    return _previews(pipeline, picture, holes, windows, labels, options, edit_options, generators)


def _outpaint(
    pipeline: EditablePipeline,
    image: Image.Image,
    margins: Margins,
    class_labels: Sequence[Label],
    options: SamplingOptions,
    edit_options: EditOptions,
    generator: Generators | None,
) -> Iterator[Preview]:
    """Check the arguments of `outpaint`, and start."""
    options = options.fitted(pipeline.info.vocab_size)
    picture = np.array(_upright(image))
    height, width = picture.shape[:2]
    size = margins.canvas(width, height)
    canvas, holes = outpaint_canvas(picture, margins.left, margins.top, *size)
    windows = list(margins.windows(width, height))
    labels, generators = _edit_labels(pipeline, class_labels, generator)
    return _previews(pipeline, canvas, holes, windows, labels, options, edit_options, generators)


def _edit_labels(
    pipeline: EditablePipeline, class_labels: Sequence[Label], generator: Generators | None
) -> tuple[Tensor, Generators]:
    """Full labels (B, A); wholly open ones stay null."""
    labels, generators = pipeline.check_batch(class_labels, generator)
    null = torch.tensor(pipeline.info.labels.null, device=labels.device)
    given = (labels != null).any(dim=1)
    asked = [one for one, is_given in zip(generators, given, strict=True) if is_given]
    labels[given] = pipeline.fill_open_labels(labels[given], asked)
    return labels, generators


def _previews(
    pipeline: EditablePipeline,
    picture: np.ndarray,
    holes: np.ndarray,
    windows: Sequence[Window],
    labels: Tensor,
    options: SamplingOptions,
    edit_options: EditOptions,
    generators: Generators,
) -> Iterator[Preview]:
    condition = Condition.of_labels(labels)

    def sample(
        options: SamplingOptions, generators: Generators, make_rule: Callable[[slice], ScaleRule]
    ) -> Iterator[ScaleStep]:
        return pipeline.sample(condition, options, generators, make_rule)

    token_maps: list[Tensor] = []
    names = [tuple(label) for label in labels.tolist()]
    num_scales = pipeline.info.schedule.num_scales
    for step in edit_steps(
        pipeline.tokenizer, sample, picture, holes, windows, options, edit_options, generators
    ):
        if step.number % num_scales == 1 % num_scales:  # a new window begins
            token_maps = []
        token_maps.append(step.token_map)
        images = [Image.fromarray(one) for one in step.pictures]
        yield Preview(images, list(token_maps), step.number, step.total, names)


def _count(class_labels: object) -> int:
    """Number of labels; 1 for what is no list, which is refused later."""
    return len(class_labels) if isinstance(class_labels, list | tuple) else 1


def _upright(image: object) -> Image.Image:
    if not isinstance(image, Image.Image):
        raise ValueError(f"a picture must be a PIL picture, got {type(image).__name__}")
    return upright_rgb(image.copy())


def _finished(previews: Iterator[Preview]) -> VARPipelineOutput:
    *_, last = previews
    return VARPipelineOutput(last.images, last.token_maps, last.labels)
