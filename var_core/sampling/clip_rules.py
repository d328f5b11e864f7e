"""The rule of clips: frames that are known when a clip, or its next part, is drawn."""

import torch
from torch import Tensor

from var_core.sampling.code_rules import ClosedLoop, KeepScales
from var_core.tokenizer import MultiScaleQuantizer


class KeepFrames(ClosedLoop):
    """Steers a clip to the frames that it goes on from, and its end to where a loop began.

    Args:
        quantizer: quantizer of a tokenizer of clips.
        known: features of the frames that it goes on from, (B, D, n, H, W), fewer than the latent
            has; None where it goes on from none.
        is_closed: whether the last frame of the latent is steered to `start`.
        start: features of the frame that a loop began with, (B, D, 1, H, W); None stands for the
            first frame of this clip.
        first: rule that makes the first frame of tokens; None draws it, or takes it from `known`.

    Raises:
        ValueError: if the quantizer is none of clips, or there are more frames than it has.
    """

    def __init__(
        self,
        quantizer: MultiScaleQuantizer,
        known: Tensor | None = None,
        is_closed: bool = False,
        start: Tensor | None = None,
        first: KeepScales | None = None,
    ) -> None:
        schedule = quantizer.schedule
        if not schedule.is_clip:
            raise ValueError("frames are kept of clips, and this is a model of pictures")
        frames, *size = schedule.latent_shape
        number = 0 if known is None else known.shape[2]
        if number >= frames:
            raise ValueError(f"at most {frames - 1} frames of the latent are kept, got {number}")
        mask = torch.ones(1, 1, frames, *size, device=quantizer.device)
        mask[:, :, :number] = 0
        if is_closed:
            mask[:, :, -1] = 0
        nothing = quantizer.empty_latent(1) if known is None else known
        super().__init__(quantizer, nothing, mask)
        self.known, self.is_closed, self.start, self.first = known, is_closed, start, first
        picture_scales = range(schedule.num_picture_scales)
        is_given = first is not None or known is not None
        self.forced_scales = frozenset(picture_scales if is_given else ())

    def __call__(self, scale_index: int, codes: Tensor | None, latent: Tensor) -> Tensor | None:
        """As `ClosedLoop`; the first frame is kept alone, not blended."""
        if self.first is not None and scale_index in self.first.forced_scales:
            return self.first(scale_index, codes, latent)
        return super().__call__(scale_index, codes, latent)

    def wanted(self, latent: Tensor) -> Tensor:
        """Known frames, the last of them again and again where nothing is known, and the end."""
        own = latent[:, :, :1]
        given = own if self.known is None else self.known.expand(len(latent), -1, -1, -1, -1)
        rest = latent.shape[2] - given.shape[2] - self.is_closed
        parts = [given, given[:, :, -1:].expand(-1, -1, rest, -1, -1)]
        if self.is_closed:
            parts.append(own if self.start is None else self.start.expand_as(own))
        return torch.cat(parts, dim=2)
