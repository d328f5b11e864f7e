"""Draws clips part by part: the last frames of a part are the first of the next one."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from PIL import Image
from torch import Tensor

from var_core.condition import Condition
from var_core.images import tensor_to_images
from var_core.model_info import ModelInfo
from var_core.outputs import ClipPreview
from var_core.own_settings import in_own_settings
from var_core.sampling import KeepFrames, KeepScales, SamplingOptions, ScaleRule, ScaleStep
from var_core.tokenizer import MultiScaleVQVAE
from var_core.wishes import Wish


class AnimatingPipeline(Protocol):
    """What drawing clips needs of a pipeline; `VARClipPipeline` has it all."""

    info: ModelInfo
    tokenizer: MultiScaleVQVAE

    def decode_latent(self, latent: Tensor) -> Tensor:
        """Latents to pictures or clips in [-1, 1]."""
        ...

    def sample(
        self,
        condition: Condition,
        options: SamplingOptions,
        generators: Sequence[torch.Generator],
        make_rule: Callable[[slice], ScaleRule | None],
        *,
        against: Condition | None,
    ) -> Iterator[ScaleStep]:
        """Run the sampling loop."""
        ...


@dataclass(frozen=True)
class Given:
    """What one part of the clips goes on from.

    Attributes:
        keep: token maps of the first scales, (B, ...) each; empty where they are drawn.
        known: features of the first frames, (B, D, n, H, W); None where there are none.
        start: features of the frame that loops began with, (B, D, 1, H, W); None in the first part.
    """

    keep: Sequence[Tensor] = field(default=())
    known: Tensor | None = None
    start: Tensor | None = None


@dataclass(frozen=True)
class ClipParts:
    """The drawing of some clips.

    Attributes:
        pipeline: networks.
        wishes: what each clip is to show.
        condition: the wishes as the transformer takes them.
        against: what guidance pushes away from; None is the null condition.
        options: how tokens are drawn.
        generators: one per clip, which draws all its parts.
        is_loop: whether the end goes back to the start.
        num_parts: number of parts.
    """

    pipeline: AnimatingPipeline
    wishes: list[Wish]
    condition: Condition
    against: Condition | None
    options: SamplingOptions
    generators: Sequence[torch.Generator]
    is_loop: bool
    num_parts: int

    @in_own_settings
    def previews(self, given: Given) -> Iterator[ClipPreview]:
        """The whole clips so far after every scale of every part."""
        pipeline, info = self.pipeline, self.pipeline.info
        num_scales = info.schedule.num_scales
        before = clips = latent = None  # clips without this part, and with it, (B, 3, F, H, W)
        for part in range(self.num_parts):
            is_closed = self.is_loop and part == self.num_parts - 1
            make_rule = self._rule_maker(given, is_closed)
            token_maps: list[Tensor] = []
            how = self.options, self.generators, make_rule
            for step in pipeline.sample(self.condition, *how, against=self.against):
                token_maps.append(step.token_map)
                latent = step.latent
                clips = join_parts(before, self._decoded(step), info.frames_kept)
                is_ending = is_closed and step.scale_index >= info.schedule.num_picture_scales
                shown = to_frames(clips[:, :, :-1] if is_ending else clips)
                number = part * num_scales + step.scale_index + 1
                counts = number, self.num_parts * num_scales
                yield ClipPreview(shown, list(token_maps), *counts, self.wishes)
            assert clips is not None and latent is not None  # there are scales
            before = clips
            start = latent[:, :, :1] if given.start is None else given.start
            if part < self.num_parts - 1:
                given = Given(known=self._encoded(clips[:, :, -info.frames_kept :]), start=start)

    def _decoded(self, step: ScaleStep) -> Tensor:
        """Clips after one scale, (B, 3, F, H, W); a single frame before those of the clip."""
        schedule = self.pipeline.info.schedule
        is_last = step.scale_index == schedule.num_scales - 1
        decode = self.pipeline.decode_latent if is_last else self.pipeline.tokenizer.sketch_latent
        with torch.inference_mode():
            if step.scale_index >= schedule.num_picture_scales:
                return decode(step.latent)
            return decode(step.latent[:, :, 0]).unsqueeze(2)

    def _encoded(self, frames: Tensor) -> Tensor:
        """Features of frames, a clip by itself: kernels round differently for several."""
        with torch.inference_mode():
            encode = self.pipeline.tokenizer.encode_features
            return torch.cat([encode(one) for one in frames.split(1)])

    def _rule_maker(self, given: Given, is_closed: bool) -> Callable[[slice], ScaleRule | None]:
        quantizer = self.pipeline.tokenizer.quantizer

        def make_rule(rows: slice) -> ScaleRule | None:
            keep = [tokens[rows] for tokens in given.keep]
            first = KeepScales(quantizer, keep) if keep else None
            if given.known is None and not is_closed:
                return first
            known = None if given.known is None else given.known[rows]
            start = None if given.start is None else given.start[rows]
            return KeepFrames(quantizer, known, is_closed, start, first)

        return make_rule


def join_parts(before: Tensor | None, part: Tensor, num_shared: int) -> Tensor:
    """Clips with their next part, faded into each other over the frames that both have.

    Args:
        before: clips so far, (B, 3, F, H, W), or None.
        part: the next part; a single frame stands for one that has not begun to move.
        num_shared: frames that the clips end and the part begins with.
    """
    if before is None:
        return part
    if part.shape[2] == 1:
        return before
    share = torch.linspace(0, 1, num_shared, device=part.device).view(-1, 1, 1)
    ours, theirs = before[:, :, -num_shared:], part[:, :, :num_shared]
    faded = torch.lerp(ours, theirs, share.expand_as(ours))
    return torch.cat((before[:, :, :-num_shared], faded, part[:, :, num_shared:]), dim=2)


def to_frames(clips: Tensor) -> list[list[Image.Image]]:
    """(B, 3, F, H, W) in [-1, 1] to the frames of each clip."""
    return [tensor_to_images(clip.transpose(0, 1)) for clip in clips]
