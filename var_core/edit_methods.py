"""The editing methods of the pipeline."""

from collections.abc import Iterator

import torch
from PIL import Image
from torch import Tensor

from var_core.doors import door
from var_core.edit_previews import (
    EditablePipeline,
    Labels,
    Prompts,
    edit_previews,
    outpaint_previews,
)
from var_core.editing import EditOptions, Margins
from var_core.images import central_part, image_to_tensor
from var_core.outputs import Preview, VARPipelineOutput, pil_images
from var_core.own_settings import in_own_settings
from var_core.ranges import check_int
from var_core.sampling import SamplingOptions
from var_core.sampling.rng import Generators
from var_core.wishes import Wish

EDIT_DEFAULTS = EditOptions()


class EditMethods:
    """Editing without training for it: part of `VARPipeline`.

    `edit` redraws what is under a mask, `outpaint` adds to the sides, `vary` keeps the coarse
    scales; each has a twin that yields a preview after every scale. What is asked for decides what
    is drawn; where nothing is, it follows from what is kept.
    """

    @door
    def edit(
        self: EditablePipeline,
        image: Image.Image,
        mask: object,
        class_labels: Labels = None,
        options: SamplingOptions | None = None,
        edit_options: EditOptions = EDIT_DEFAULTS,
        generator: Generators | None = None,
        *,
        prompt: Prompts = None,
        negative_prompt: Prompts = None,
    ) -> VARPipelineOutput:
        """Redraw what is under a mask, one result per label.

        The model sees a square around the mask; the result has the size of the picture. Outside the
        mask and a feather band of at most max(2 pixels, 5 % of the shorter side) it is the picture,
        bit for bit.

        Args:
            image: any size and mode; alpha becomes white.
            mask: mask of the same size: a PIL picture (what is half grey or lighter, and opaque, is
                redrawn) or a (H, W) array, as for `editing.check_mask`.
            class_labels: labels as for drawing; None lets the model go by what is kept.
            options: how tokens are drawn; None takes the model's own defaults.
            edit_options: how what is kept and what is drawn are joined.
            generator: one `torch.Generator` per result; None takes random seeds.
            prompt: prompts as for drawing.
            negative_prompt: prompts as for drawing.

        Returns:
            The pictures, and the token maps of the window that the model saw.

        Raises:
            ValueError: if an argument is out of range; nothing has been drawn then.
        """
        wishes = _wishes(self, class_labels, prompt, negative_prompt)
        previews = edit_previews(self, image, mask, wishes, options, edit_options, generator)
        return _finished(previews)

    @door
    def edit_stream(
        self: EditablePipeline,
        image: Image.Image,
        mask: object,
        class_labels: Labels = None,
        options: SamplingOptions | None = None,
        edit_options: EditOptions = EDIT_DEFAULTS,
        generator: Generators | None = None,
        *,
        prompt: Prompts = None,
        negative_prompt: Prompts = None,
    ) -> Iterator[Preview]:
        """As `edit`, with a preview after every scale, and after each of several candidates."""
        wishes = _wishes(self, class_labels, prompt, negative_prompt)
        return edit_previews(self, image, mask, wishes, options, edit_options, generator)

    @door
    def outpaint(
        self: EditablePipeline,
        image: Image.Image,
        margins: Margins,
        class_labels: Labels = None,
        options: SamplingOptions | None = None,
        edit_options: EditOptions = EDIT_DEFAULTS,
        generator: Generators | None = None,
        *,
        prompt: Prompts = None,
        negative_prompt: Prompts = None,
    ) -> VARPipelineOutput:
        """Add to the sides of a picture, one result per label.

        Windows of the model overlap by half, so that any aspect ratio works. The picture itself
        stays as it is, bit for bit, but for a feather band as in `edit`.

        Args:
            image: any size and mode; alpha becomes white.
            margins: pixels to add at each side.
            class_labels: labels as for drawing; None lets the model go by what is there.
            options: how tokens are drawn; None takes the model's own defaults.
            edit_options: how what is there and what is drawn are joined, in every window.
            generator: one `torch.Generator` per result; None takes random seeds.
            prompt: prompts as for drawing.
            negative_prompt: prompts as for drawing.

        Returns:
            The larger pictures, and the token maps of the last window.

        Raises:
            ValueError: if an argument is out of range; nothing has been drawn then.
        """
        wishes = _wishes(self, class_labels, prompt, negative_prompt)
        previews = outpaint_previews(self, image, margins, wishes, options, edit_options, generator)
        return _finished(previews)

    @door
    def outpaint_stream(
        self: EditablePipeline,
        image: Image.Image,
        margins: Margins,
        class_labels: Labels = None,
        options: SamplingOptions | None = None,
        edit_options: EditOptions = EDIT_DEFAULTS,
        generator: Generators | None = None,
        *,
        prompt: Prompts = None,
        negative_prompt: Prompts = None,
    ) -> Iterator[Preview]:
        """As `outpaint`, with previews as those of `edit_stream` for every window."""
        wishes = _wishes(self, class_labels, prompt, negative_prompt)
        return outpaint_previews(self, image, margins, wishes, options, edit_options, generator)

    @door
    def vary(
        self: EditablePipeline,
        image: Image.Image,
        keep_scales: int,
        class_labels: Labels = None,
        options: SamplingOptions | None = None,
        generator: Generators | None = None,
        *,
        prompt: Prompts = None,
        negative_prompt: Prompts = None,
    ) -> VARPipelineOutput:
        """Keep the first scales of a picture and draw the rest, perhaps as something else.

        Args:
            image: any size and mode; its central part is used.
            keep_scales: 1 to K - 1; few keep only colours and places, many nearly everything.
            class_labels: one label per result, as for drawing.
            options: how tokens are drawn; None takes the model's own defaults.
            generator: one `torch.Generator` per result; None takes random seeds.
            prompt: prompts as for drawing.
            negative_prompt: prompts as for drawing.

        Raises:
            ValueError: if an argument is out of range; nothing has been drawn then.
        """
        wishes = _wishes(self, class_labels, prompt, negative_prompt)
        keep = self.coarse_tokens(image, keep_scales, len(wishes))
        return self.draw(wishes, options, generator, keep=keep)

    @door
    def vary_stream(
        self: EditablePipeline,
        image: Image.Image,
        keep_scales: int,
        class_labels: Labels = None,
        options: SamplingOptions | None = None,
        generator: Generators | None = None,
        *,
        prompt: Prompts = None,
        negative_prompt: Prompts = None,
    ) -> Iterator[Preview]:
        """As `vary`, with a preview after every scale."""
        wishes = _wishes(self, class_labels, prompt, negative_prompt)
        keep = self.coarse_tokens(image, keep_scales, len(wishes))
        return self.stream(wishes, options, generator, keep=keep)

    @in_own_settings
    def coarse_tokens(
        self: EditablePipeline, image: Image.Image, keep_scales: object, count: int
    ) -> list[Tensor]:
        """Token maps of the first scales of a picture, once for each of `count` variations.

        Returns:
            `keep_scales` tensors (count, h, w) int64, coarse to fine.

        Raises:
            ValueError: if there are not as many scales, or all of them are asked for.
        """
        number = check_int("keep_scales", keep_scales, 1, self.info.schedule.num_scales - 1)
        part = central_part(image, self.info.image_shape)
        with torch.inference_mode():
            encoded = self.tokenizer.encode(image_to_tensor(part).to(self.device))
        return [tokens.expand(count, -1, -1) for tokens in encoded.token_maps[:number]]


def _wishes(
    pipeline: EditablePipeline, class_labels: Labels, prompt: Prompts, negative_prompt: Prompts
) -> list[Wish]:
    """What is asked for; nothing at all is one picture of anything that fits."""
    if class_labels is None and prompt is None:
        class_labels = [None]
    return pipeline.info.reader.read_all(class_labels, prompt, negative_prompt)


def _finished(previews: Iterator[Preview]) -> VARPipelineOutput:
    *_, last = previews
    return VARPipelineOutput(list(pil_images(last)), last.token_maps, last.wishes)
