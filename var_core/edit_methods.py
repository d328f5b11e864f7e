"""The editing methods of the pipeline."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from var_core.condition import Condition
from var_core.editing import (
    RULES,
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
from var_core.outputs import Preview, VARPipelineOutput
from var_core.ranges import check_int
from var_core.sampling import DEFAULTS, SamplingOptions

ANYTHING: tuple[Label, ...] = (None,)


class EditMethods:
    """Editing without training for it: part of `VARPipeline`.

    `edit` redraws what is under a mask, `outpaint` adds to the sides, `vary` keeps the coarse
    scales; each has a twin that yields a preview after every scale. An open label is the null label
    here: what is drawn follows from what is kept. With some attributes given, the others are drawn
    from those that the model was trained on together with them.
    """

    def edit(
        self, image: Image.Image, mask: object, *values: object, **named: object
    ) -> VARPipelineOutput:
        """Redraw what is under a mask; the arguments are those of `edit_stream`.

        Returns:
            The pictures, and the token maps of the window that the model saw.

        Raises:
            ValueError: if an argument is out of range; nothing has been drawn then.
        """
        return _finished(self.edit_stream(image, mask, *values, **named))

    def edit_stream(
        self,
        image: Image.Image,
        mask: object,
        class_labels: Sequence[Label] = ANYTHING,
        guidance_scale: float = DEFAULTS.guidance_scale,
        top_k: int | None = None,
        top_p: float = DEFAULTS.top_p,
        temperature: float = DEFAULTS.temperature,
        smooth: bool = DEFAULTS.smooth,
        generator: Sequence[torch.Generator] | None = None,
        rule: str = RULES[0],
        best_of: int = 1,
    ) -> Iterator[Preview]:
        """Redraw what is under a mask, one result per label, with a preview after every scale.

        The model sees a square around the mask; the result has the size of the picture. Outside the
        mask and a feather band of at most max(2 pixels, 5 % of the shorter side) it is the picture,
        bit for bit.

        Args:
            image: any size and mode; alpha becomes white.
            mask: as large as the picture: a PIL picture (half grey or lighter is redrawn) or a
                (H, W) array (0.5 or more is redrawn).
            class_labels: as for drawing; None lets the model go by what is kept.
            guidance_scale: as for drawing, as the options after it.
            top_k: draw among the k likeliest codes.
            top_p: draw among the likeliest codes of this mass.
            temperature: above 1 wilder, below 1 tamer.
            smooth: mix codes instead of drawing one.
            generator: one `torch.Generator` per label; None takes random seeds.
            rule: "closed_loop", or "replay", the rule of the official notebook.
            best_of: 1 to 8 candidates of the coarse scales; the likeliest is drawn to the end.
        """
        settings = self.options(guidance_scale, top_k, top_p, temperature, smooth)
        picture = np.array(_upright(image))
        holes = check_mask(mask, picture.shape[1::-1])
        windows = [window_around(holes, self.image_size)]
        chosen = EditOptions(rule, best_of)
        labels, generators = self._edit_labels(class_labels, generator)
        return self._edit_previews(picture, holes, windows, labels, settings, chosen, generators)

    def outpaint(self, image: Image.Image, *values: object, **named: object) -> VARPipelineOutput:
        """Add to the sides of a picture; the arguments are those of `outpaint_stream`.

        Returns:
            The larger pictures, and the token maps of the last window.

        Raises:
            ValueError: if an argument is out of range; nothing has been drawn then.
        """
        return _finished(self.outpaint_stream(image, *values, **named))

    def outpaint_stream(
        self,
        image: Image.Image,
        left: int = 0,
        right: int = 0,
        top: int = 0,
        bottom: int = 0,
        class_labels: Sequence[Label] = ANYTHING,
        guidance_scale: float = DEFAULTS.guidance_scale,
        top_k: int | None = None,
        top_p: float = DEFAULTS.top_p,
        temperature: float = DEFAULTS.temperature,
        smooth: bool = DEFAULTS.smooth,
        generator: Sequence[torch.Generator] | None = None,
        rule: str = RULES[0],
        best_of: int = 1,
    ) -> Iterator[Preview]:
        """Add to the sides of a picture, with a preview after every scale of every window.

        Windows of the model overlap by half, so that any aspect ratio works. The picture itself
        stays as it is, bit for bit, but for a feather band as in `edit_stream`.

        Args:
            image: any size and mode; alpha becomes white.
            left: pixels to add, as right, top and bottom; one of them is above 0.
            right: likewise.
            top: likewise.
            bottom: likewise.
            class_labels: as in `edit_stream`, as the arguments after it.
            guidance_scale: weight of the labels.
            top_k: draw among the k likeliest codes.
            top_p: draw among the likeliest codes of this mass.
            temperature: above 1 wilder, below 1 tamer.
            smooth: mix codes instead of drawing one.
            generator: one `torch.Generator` per label; None takes random seeds.
            rule: "closed_loop" or "replay".
            best_of: candidates of the coarse scales of each window.
        """
        settings = self.options(guidance_scale, top_k, top_p, temperature, smooth)
        margins, chosen = Margins(left, top, right, bottom), EditOptions(rule, best_of)
        picture = np.array(_upright(image))
        height, width = picture.shape[:2]
        canvas, holes = outpaint_canvas(picture, left, top, *margins.canvas(width, height))
        windows = list(margins.windows(width, height))
        labels, generators = self._edit_labels(class_labels, generator)
        return self._edit_previews(canvas, holes, windows, labels, settings, chosen, generators)

    def vary(
        self, image: Image.Image, keep_scales: int, *values: object, **named: object
    ) -> VARPipelineOutput:
        """Keep the first scales of a picture and draw the rest; as `vary_stream`."""
        return self(*values, **self._varied(image, keep_scales, values, named))

    def vary_stream(
        self, image: Image.Image, keep_scales: int, *values: object, **named: object
    ) -> Iterator[Preview]:
        """Keep the first scales of a picture and draw the rest, perhaps as something else.

        Args:
            image: any size and mode; its central square is used.
            keep_scales: 1 to K - 1; few keep only colours and places, many nearly everything.
            values: arguments of `__call__`, beginning with the labels.
            named: likewise, but for `keep`.

        Raises:
            ValueError: if an argument is out of range; nothing has been drawn then.
        """
        return self.stream(*values, **self._varied(image, keep_scales, values, named))

    def coarse_tokens(self, image: Image.Image, keep_scales: object, count: int) -> list[Tensor]:
        """Token maps of the first scales of a picture, once for each of `count` variations.

        Returns:
            `keep_scales` tensors (count, S, S) int64, coarse to fine.

        Raises:
            ValueError: if there are not as many scales, or all of them are asked for.
        """
        check_int("keep_scales", keep_scales, 1, self.transformer.schedule.num_scales - 1)
        pixels = image_to_tensor(fit_square(_upright(image), self.image_size)).to(self.device)
        with torch.inference_mode():
            token_maps = self.tokenizer.encode(pixels).token_maps[:keep_scales]
        return [tokens.expand(count, -1, -1) for tokens in token_maps]

    def _varied(
        self, image: Image.Image, keep_scales: object, values: tuple, named: dict
    ) -> dict[str, object]:
        labels = values[0] if values else named.get("class_labels", ())
        count = len(labels) if isinstance(labels, list | tuple) else 1
        return {**named, "keep": self.coarse_tokens(image, keep_scales, count)}

    def _edit_labels(
        self, class_labels: Sequence[Label], generator: Sequence[torch.Generator] | None
    ) -> tuple[Tensor, Sequence[torch.Generator]]:
        """Full labels (B, A); wholly open ones stay null."""
        labels, generators = self.check_batch(class_labels, generator)
        null = torch.tensor(self.labels.null, device=labels.device)
        given = (labels != null).any(dim=1)
        asked = [one for one, is_given in zip(generators, given, strict=True) if is_given]
        labels[given] = self.fill_open_labels(labels[given], asked)
        return labels, generators

    def _edit_previews(
        self,
        picture: np.ndarray,
        holes: np.ndarray,
        windows: Sequence[Window],
        labels: Tensor,
        settings: SamplingOptions,
        chosen: EditOptions,
        generators: Sequence[torch.Generator],
    ) -> Iterator[Preview]:
        condition = Condition.of_labels(labels)

        def sample(*arguments: object) -> Iterator:
            return self.sample(condition, *arguments)

        token_maps: list[Tensor] = []
        names = [tuple(label) for label in labels.tolist()]
        num_scales = self.transformer.schedule.num_scales
        for step in edit_steps(
            self.tokenizer, sample, picture, holes, windows, settings, chosen, generators
        ):
            if step.number % num_scales == 1 % num_scales:  # a new window begins
                token_maps = []
            token_maps.append(step.token_map)
            images = [Image.fromarray(one) for one in step.pictures]
            yield Preview(images, list(token_maps), step.number, step.total, names)


def _upright(image: object) -> Image.Image:
    if not isinstance(image, Image.Image):
        raise ValueError(f"a picture must be a PIL picture, got {type(image).__name__}")
    return upright_rgb(image.copy())


def _finished(previews: Iterator[Preview]) -> VARPipelineOutput:
    *_, last = previews
    return VARPipelineOutput(last.images, last.token_maps, last.labels)
