"""Clips: from words, or from a picture or frames that they go on from."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from PIL import Image
from torch import Tensor

from var_core.clip_options import ClipOptions
from var_core.clip_parts import ClipParts, Given, to_frames
from var_core.doors import door
from var_core.images import central_part, image_to_tensor
from var_core.labels import Label
from var_core.model_info import CLIPS
from var_core.network_methods import NetworkMethods
from var_core.outputs import ClipOutput, ClipPreview
from var_core.pipeline_parts import PipelineParts
from var_core.ranges import check_kind
from var_core.sampling import SamplingOptions
from var_core.sampling.code_rules import check_kept
from var_core.sampling.rng import Generators
from var_core.wishes import Prompt, Wish

Labels = Sequence[Label | Wish] | None
Prompts = str | Sequence[Prompt] | None


CLIP_DEFAULTS = ClipOptions()


class VARClipPipeline(NetworkMethods, PipelineParts):
    """Next-scale generation of clips: first the scales of a picture, then those of its motion.

    The arguments are those of `VARPipeline`; the networks are of clips.
    """

    kind = CLIPS

    @door
    def animate(
        self,
        class_labels: Labels = None,
        options: SamplingOptions | None = None,
        clip_options: ClipOptions = CLIP_DEFAULTS,
        start: Sequence[Image.Image] = (),
        generator: Generators | None = None,
        keep: Sequence[Tensor] = (),
        *,
        prompt: Prompts = None,
        negative_prompt: Prompts = None,
    ) -> ClipOutput:
        """Draw a clip for each label or prompt.

        Args:
            class_labels: labels as for drawing pictures.
            options: how tokens are drawn; None takes the model's own defaults.
            clip_options: how long the clips are, and whether they are loops.
            start: what the clips go on from: a picture, which becomes their first frame, or the
                last frames of an earlier clip; central parts are used, alpha becomes white.
            generator: one `torch.Generator` per clip; None takes random seeds.
            keep: token maps of the first scales, (B, ...) int64 each, as of a picture by the same
                tokenizer: another way to give the first frame.
            prompt: prompts as for drawing pictures.
            negative_prompt: prompts as for drawing pictures.

        Raises:
            ValueError: if an argument is out of range; nothing has been drawn then.
        """
        asked = self._asked(class_labels, prompt, negative_prompt)
        previews = self._start(asked, options, clip_options, start, generator, keep)
        *_, last = previews
        return ClipOutput(last.clips, last.token_maps, last.wishes)

    @door
    def animate_stream(
        self,
        class_labels: Labels = None,
        options: SamplingOptions | None = None,
        clip_options: ClipOptions = CLIP_DEFAULTS,
        start: Sequence[Image.Image] = (),
        generator: Generators | None = None,
        keep: Sequence[Tensor] = (),
        *,
        prompt: Prompts = None,
        negative_prompt: Prompts = None,
    ) -> Iterator[ClipPreview]:
        """As `animate`, with the whole clips so far after every scale; the last are the result.

        The arguments are checked here, not at the first preview.
        """
        asked = self._asked(class_labels, prompt, negative_prompt)
        return self._start(asked, options, clip_options, start, generator, keep)

    @door
    def reconstruct_clip(self, frames: Sequence[Image.Image]) -> list[Image.Image]:
        """A clip as the tokenizer encodes and decodes it.

        Args:
            frames: pictures, as many as the model draws together; central parts are used.

        Raises:
            ValueError: if there are more or fewer.
        """
        pixels = self._pixels(frames)
        if len(frames) != self.info.num_frames:
            raise ValueError(f"a clip has {self.info.num_frames} frames here, got {len(frames)}")
        with torch.inference_mode():
            return to_frames(self.decode_latent(self.tokenizer.encode(pixels).latent))[0]

    def _pixels(self, frames: Sequence[Image.Image]) -> Tensor:
        """Frames of the model's size, (1, 3, n, H, W) in [-1, 1]."""
        if not isinstance(frames, list | tuple) or not frames:
            raise ValueError(f"a clip must be a list of pictures, got {frames!r:.40}")
        shape = self.info.image_shape
        parts = [image_to_tensor(central_part(image, shape)) for image in frames]
        return torch.stack(parts, dim=2).to(self.device)

    def _asked(self, class_labels: Labels, prompt: Prompts, negative_prompt: Prompts) -> list[Wish]:
        if class_labels is None and prompt is None:  # one clip of anything
            class_labels = [None]
        return self.info.reader.read_all(class_labels, prompt, negative_prompt)

    def _start(
        self,
        wishes: list[Wish],
        options: SamplingOptions | None,
        clip_options: ClipOptions,
        start: Sequence[Image.Image],
        generator: Generators | None,
        keep: Sequence[Tensor],
    ) -> Iterator[ClipPreview]:
        options = self.info.fit_options(options)
        clip_options = check_kind("clip_options", clip_options, ClipOptions)
        clip_options = clip_options.fitted(self.info.clip_lengths)
        generators = self.check_generators(generator, len(wishes))
        keep = self._check_keep(keep, start, len(wishes))
        condition = self.wish_encoder.condition(wishes, self.device)
        against = self.wish_encoder.against(wishes, self.device)
        given = self._encode_start(start, len(wishes))
        num_parts = 1 + self.info.clip_lengths.index(clip_options.frames)
        how = options, generators, clip_options.loop, num_parts
        parts = ClipParts(self, wishes, condition, against, *how)
        return parts.previews(replace(given, keep=keep) if keep else given)

    def _check_keep(
        self, keep: Sequence[Tensor], start: Sequence[Image.Image], count: int
    ) -> list[Tensor]:
        kept = check_kept(self.tokenizer.quantizer, keep, count)
        if kept and len(start):
            raise ValueError("start and keep both say what a clip begins with: give one of them")
        return kept

    @torch.inference_mode()
    def _encode_start(self, start: Sequence[Image.Image], count: int) -> Given:
        """Tokens of the picture that clips begin with, or features of frames."""
        if not isinstance(start, list | tuple):
            raise ValueError(f"start must be a list of pictures, got {start!r:.40}")
        stride = self.info.frame_stride
        usable = min(len(start), self.info.frames_kept)
        number = 1 + (usable - 1) // stride * stride if start else 0
        if not number:
            return Given()
        pixels = self._pixels(start[-number:])  # (1, 3, n, H, W)
        if number > 1:
            features = self.tokenizer.encode_features(pixels)
            return Given(known=features.expand(count, -1, -1, -1, -1))
        tokens = self.tokenizer.encode(pixels[:, :, 0]).token_maps
        return Given(keep=[one.expand(count, -1, -1) for one in tokens])
