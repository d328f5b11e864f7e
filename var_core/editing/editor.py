"""Draws what is under a mask, window by window, inside the one sampling loop."""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from var_core.editing.edited_pictures import EditedPictures, Patch
from var_core.editing.masks import feather_width, fill_holes
from var_core.editing.seam import Seam, crop
from var_core.editing.view import view
from var_core.editing.windows import FREE_SIDE, Window
from var_core.images import tensor_to_images
from var_core.option_fields import check_options, option
from var_core.own_settings import in_own_settings
from var_core.sampling import ClosedLoop, Replay, SamplingOptions, ScaleRule, ScaleStep
from var_core.tokenizer import MultiScaleVQVAE

RULES = ("closed_loop", "replay")
MAX_BEST_OF = 8
CORRECTIONS = 2  # decodings at the end, each followed by
STEPS = 2  # moves of the kept part of the latent towards the picture
STEP_SIZE = 0.7

Given = TypeVar("Given")
Made = TypeVar("Made")
Sample = Callable[
    [SamplingOptions, Sequence[torch.Generator], Callable[[slice], ScaleRule]], Iterator[ScaleStep]
]


@dataclass(frozen=True)
class EditOptions:
    """How a picture is edited.

    Attributes:
        rule: "closed_loop", or "replay", the baseline.
        best_of: candidates of the coarse scales; the one after which the model finds the kept part
            likeliest is drawn to the end.

    Raises:
        ValueError: on construction, if a value is unknown or out of range.
    """

    rule: str = option(RULES[0], "how the kept area is kept", label="Rule", choices=RULES)
    best_of: int = option(
        1,
        "candidates; the model picks the one that fits what is kept",
        label="Best of",
        low=1,
        high=MAX_BEST_OF,
        step=1,
    )

    def __post_init__(self) -> None:
        check_options(self)
        if self.best_of > 1 and self.rule != RULES[0]:
            raise ValueError(f"best_of needs the rule {RULES[0]}")


@dataclass(frozen=True)
class EditStep:
    """The pictures after one scale of one window, or once more after one candidate.

    Attributes:
        pictures: B pictures of the whole size, put together when they are looked at.
        number: how many scales are done, over all windows.
        total: scales over all windows.
        drawn: what the model drew in this window, before it was joined, (B, 3, S, S) in [-1, 1];
            None after a candidate.
        token_map: tokens of this scale, (B, S, S); None after a candidate.
    """

    pictures: Sequence[Image.Image]
    number: int
    total: int
    drawn: Tensor | None = None
    token_map: Tensor | None = None


@in_own_settings
def edit_steps(
    tokenizer: MultiScaleVQVAE,
    sample: Sample,
    picture: Image.Image,
    mask: np.ndarray,
    windows: Sequence[Window],
    options: SamplingOptions,
    edit_options: EditOptions,
    generators: Sequence[torch.Generator],
) -> Iterator[EditStep]:
    """Draw what is under a mask.

    Args:
        tokenizer: encodes what is kept, decodes what is drawn.
        sample: runs the sampling loop on the labels of all pictures.
        picture: RGB; what is under the mask has no influence, but for "replay".
        mask: (H, W) bool.
        windows: squares in the order they are drawn; together they cover the mask.
        options: how tokens are drawn.
        edit_options: how what is kept and what is drawn are joined.
        generators: one for each of B pictures.

    Yields:
        One step for each scale of each window, and before them one for each of several candidates,
        so that whoever does not want the result need not wait for all of these. Outside the mask
        and its feather band the pictures are as they were.
    """
    pictures: Sequence[Image.Image] = [picture] * len(generators)
    unknown = mask.copy()
    schedule = tokenizer.quantizer.schedule
    total, shape = len(windows) * schedule.num_scales, tokenizer.image_shape
    band = feather_width(mask) if edit_options.rule == "closed_loop" else 0
    for place, window in enumerate(windows):
        before, seam = pictures, Seam(unknown, window, band)
        parts = _once_each(before, partial(crop, place=seam.inside))
        hidden = unknown[seam.inside]
        see = partial(view, unknown=hidden, window=window, inside=seam.inside, shape=shape)
        views = _once_each(parts, see)
        grounds = _once_each(parts, seam.ground)
        images = torch.cat([image for image, _ in views]).to(tokenizer.device)
        holes = views[0][1].to(tokenizer.device)
        make_rule = _rule_maker(tokenizer, images, holes, edit_options.rule)
        done = place * schedule.num_scales
        if edit_options.best_of > 1:
            trials = sample, options, generators, make_rule, edit_options.best_of
            generators = yield from _best_of(*trials, EditStep(pictures, done, total))
        for step in sample(options, generators, make_rule):
            latent = step.latent
            is_last = step.scale_index == schedule.num_scales - 1
            if is_last and edit_options.rule == "closed_loop":
                latent = _correct(tokenizer, latent, images, holes)
            drawn = _decode(tokenizer.decode_latent if is_last else tokenizer.sketch_latent, latent)
            if is_last or max(window.shape) <= FREE_SIDE:
                pairs = zip(grounds, drawn.cpu(), strict=True)
                patches_of = [seam.join(*pair) for pair in pairs].__getitem__
            else:
                patches_of = _sketches(seam, tensor_to_images(drawn))
            pictures = EditedPictures(before, patches_of)
            number = done + step.scale_index + 1
            yield EditStep(pictures, number, total, drawn, step.token_map)
        if place < len(windows) - 1:
            pictures = list(pictures)
            unknown[seam.inside] = False


def _once_each(given: Sequence[Given], make: Callable[[Given], Made]) -> list[Made]:
    """The results of a function for each of some objects, computed once for each object."""
    made = {key: make(one) for key, one in {id(one): one for one in given}.items()}
    return [made[id(one)] for one in given]


def _sketches(seam: Seam, drawn: Sequence[Image.Image]) -> Callable[[int], list[Patch]]:
    """What sketches the picture of an index when it is looked at."""
    return lambda index: seam.sketch(drawn[index])


def _rule_maker(
    tokenizer: MultiScaleVQVAE, images: Tensor, holes: Tensor, rule: str
) -> Callable[[slice], ScaleRule]:
    with torch.inference_mode():
        if rule == "replay":
            encoded = [tokenizer.encode(image[None]).token_maps for image in images]
            maps = [torch.cat(scale) for scale in zip(*encoded, strict=True)]
            return lambda rows: Replay(tokenizer.quantizer, [one[rows] for one in maps], holes)
        filled = fill_holes(images, holes)
        features = torch.cat([tokenizer.encode_features(image[None]) for image in filled])
        return lambda rows: ClosedLoop(tokenizer.quantizer, features[rows], holes)


@torch.inference_mode()
def _decode(decode: Callable[[Tensor], Tensor], latent: Tensor) -> Tensor:
    """One by one: kernels round differently for different batch sizes."""
    return torch.cat([decode(one[None]) for one in latent])


@torch.inference_mode()
def _correct(tokenizer: MultiScaleVQVAE, latent: Tensor, images: Tensor, holes: Tensor) -> Tensor:
    """Close the loop over the pixels too: put what is kept into the drawing, encode, move there.

    Cells that hold kept pixels move towards the features of the joined picture, which now knows
    what was drawn beside them. They have no tokens any more; the latent is the truth.
    """
    shape = tokenizer.quantizer.schedule.final_shape
    kept = (F.interpolate(1 - holes, shape, mode="area") > 0).float()
    for _ in range(CORRECTIONS if kept.any() else 0):
        joined = torch.where(holes > 0, _decode(tokenizer.decode_latent, latent), images)
        wanted = torch.cat([tokenizer.encode_features(one[None]) for one in joined])
        for _ in range(STEPS):
            latent = latent + STEP_SIZE * kept * (wanted - latent)
    return latent


def _best_of(
    sample: Sample,
    options: SamplingOptions,
    generators: Sequence[torch.Generator],
    make_rule: Callable[[slice], ScaleRule],
    count: int,
    step: EditStep,
) -> Generator[EditStep, None, list[torch.Generator]]:
    """The best of some generators for each picture, by the likelihood of what is kept.

    Yields:
        The given step after each candidate.
    """
    seeds = [
        torch.randint(2**62, (count,), generator=one, device=one.device).tolist()
        for one in generators
    ]
    scores = []
    for candidate in range(count):
        trial = [
            torch.Generator(one.device).manual_seed(own[candidate])
            for one, own in zip(generators, seeds, strict=True)
        ]
        scores.append(_likelihood(sample(options, trial, make_rule), make_rule(slice(None))))
        yield step
    best = torch.stack(scores).argmax(dim=0).tolist()
    return [
        torch.Generator(one.device).manual_seed(own[place])
        for one, own, place in zip(generators, seeds, best, strict=True)
    ]


@torch.inference_mode()
def _likelihood(steps: Iterator[ScaleStep], rule: ScaleRule) -> Tensor:
    """Mean log-likelihood (B,) of the kept tokens of the coarser half of the scales."""
    assert isinstance(rule, ClosedLoop)  # as `EditOptions` has checked
    latent = torch.zeros_like(rule.features)
    total, weights = latent.new_zeros(len(latent)), latent.new_zeros(())
    for step in steps:
        if step.scale_index > len(rule.weights) // 2 or step.logits is None:
            break
        weight = rule.weights[step.scale_index].flatten(1)  # (1, N)
        tokens = rule.kept_tokens(step.scale_index, latent).flatten(1)  # (B, N)
        likely = step.logits.log_softmax(dim=-1).gather(2, tokens[..., None])[..., 0]
        total, weights = total + (likely * weight).sum(dim=1), weights + weight.sum()
        latent = step.latent
    return total / weights if weights else total


def outpaint_canvas(
    picture: Image.Image, left: int, top: int, width: int, height: int
) -> tuple[Image.Image, np.ndarray]:
    """A picture on a larger canvas, RGB, and the mask of what is new, (H, W) bool."""
    canvas, mask = Image.new("RGB", (width, height)), np.ones((height, width), bool)
    canvas.paste(picture, (left, top))
    mask[top : top + picture.height, left : left + picture.width] = False
    return canvas, mask
