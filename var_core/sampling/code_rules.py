"""Rules that replace drawn codes in the sampling loop, for redrawing and editing a picture."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from var_core.ranges import check_kind
from var_core.tokenizer import MultiScaleQuantizer

INTEGERS = (torch.uint8, torch.uint16, torch.int8, torch.int16, torch.int32, torch.int64)


def check_token_maps(quantizer: MultiScaleQuantizer, token_maps: object) -> list[Tensor]:
    """Token maps that a caller gives, as the quantizer takes them.

    Args:
        quantizer: quantizer of the tokenizer that the tokens belong to.
        token_maps: list of the tokens of the first scales of some pictures, (B, h, w) each.

    Returns:
        As many tensors, int64, on the device of the quantizer.

    Raises:
        ValueError: if there are none or too many, or one is misshapen or holds no code's number.
    """
    shapes, vocab_size = quantizer.schedule.shapes, quantizer.vocab_size
    if not isinstance(token_maps, list | tuple):
        raise ValueError(
            f"token maps are given as a list, one for each scale, got a {type(token_maps).__name__}"
        )
    if not 1 <= len(token_maps) <= len(shapes):
        raise ValueError(f"there are 1 to {len(shapes)} scales, got {len(token_maps)}")
    for number, tokens in enumerate(token_maps, start=1):
        check_kind(f"what is given for scale {number}", tokens, Tensor)
    batch_size = max([1, *token_maps[0].shape[:1]])
    checked = []
    for number, (tokens, shape) in enumerate(zip(token_maps, shapes, strict=False), start=1):
        if tokens.shape != (batch_size, *shape):
            raise ValueError(
                f"tokens of scale {number} must be {(batch_size, *shape)}, "
                f"got {tuple(tokens.shape)}"
            )
        codes = tokens.long() if tokens.dtype in INTEGERS else None
        if codes is None or ((codes < 0) | (codes >= vocab_size)).any():
            raise ValueError(
                f"tokens of scale {number} must be whole numbers from 0 to {vocab_size - 1}"
            )
        checked.append(codes.to(quantizer.device))
    return checked


def check_one_picture(quantizer: MultiScaleQuantizer, token_maps: object) -> list[Tensor]:
    """As `check_token_maps`, of one picture alone: (1, h, w) each."""
    checked = check_token_maps(quantizer, token_maps)
    if len(checked[0]) != 1:
        raise ValueError(f"the tokens must be those of one picture, got {len(checked[0])}")
    return checked


def check_kept(quantizer: MultiScaleQuantizer, keep: object, count: int) -> list[Tensor]:
    """What a caller wants to keep of some pictures or clips, as `check_token_maps` returns it.

    Args:
        quantizer: quantizer of the tokenizer that the tokens belong to.
        keep: list of the tokens of the first scales, but not of all; nothing may be kept.
        count: number of pictures or clips.

    Raises:
        ValueError: if they do not fit, or belong to more or fewer.
    """
    if keep is None or (isinstance(keep, list | tuple) and not keep):
        return []
    number = quantizer.schedule.num_scales
    if isinstance(keep, list | tuple) and len(keep) >= number:
        raise ValueError(f"1 to {number - 1} scales can be kept of {number}, got {len(keep)}")
    try:
        kept = check_token_maps(quantizer, keep)
    except ValueError as error:
        raise ValueError(f"keep: {error}") from error
    if len(kept[0]) != count:
        raise ValueError(f"keep must hold tokens of {count} drawings, got {len(kept[0])}")
    return kept


class KeepScales:
    """Keeps the coarse scales of an earlier picture, so that the rest is drawn anew from there.

    Args:
        quantizer: quantizer of the tokenizer that the tokens belong to.
        token_maps: what to keep: tokens of the first scales, (B, h, w) int64 each.

    Raises:
        ValueError: if one is misshapen or holds no code's number, see `check_token_maps`.
    """

    def __init__(self, quantizer: MultiScaleQuantizer, token_maps: Sequence[Tensor]) -> None:
        checked = check_token_maps(quantizer, token_maps)
        self.codes = [quantizer.embed(tokens) for tokens in checked]
        self.forced_scales = frozenset(range(len(token_maps)))

    def __call__(self, scale_index: int, codes: Tensor | None, latent: Tensor) -> Tensor | None:
        """The kept codes of a coarse scale; None for the others."""
        return self.codes[scale_index] if scale_index in self.forced_scales else None


class Replay:
    """Puts the tokens of a picture back outside a mask, as the official notebook does.

    The mask is resized bilinearly to each scale and cut at one half; maps of up to three cells come
    wholly from the picture. The baseline of `ClosedLoop`.

    Args:
        quantizer: quantizer of the tokenizer that the tokens belong to.
        token_maps: tokens of the picture, K tensors (1, h, w) int64.
        mask: (1, 1, H, W) float, 1 where it is drawn anew.
    """

    def __init__(
        self, quantizer: MultiScaleQuantizer, token_maps: Sequence[Tensor], mask: Tensor
    ) -> None:
        schedule = quantizer.schedule
        self.codes = [quantizer.embed(tokens) for tokens in token_maps]
        self.keep = [
            F.interpolate(1 - mask, shape, mode="bilinear") > 0.5 for shape in schedule.shapes
        ]
        self.forced_scales = frozenset(i for i, size in enumerate(schedule.sizes) if size <= 3)

    def __call__(self, scale_index: int, codes: Tensor | None, latent: Tensor) -> Tensor:
        """What was drawn under the mask, the picture's codes elsewhere."""
        kept = self.codes[scale_index].expand(len(latent), -1, -1, -1)
        return kept if codes is None else torch.where(self.keep[scale_index], kept, codes)


class ClosedLoop:
    """Steers what is outside a mask back to a picture at every scale.

    Each scale keeps the codes of what is missing between the picture's features and the latent so
    far, so that what was drawn nearby is corrected, not only overwritten. A cell that is partly
    under the mask is blended by its share; without a mask this is the tokenizer's own encoding,
    under a full one plain drawing.

    Args:
        quantizer: quantizer of the tokenizer.
        features: features of the picture, with nothing of what is under the mask in them,
            (1, D, H, W), or of a clip, (1, D, T, H, W).
        mask: (1, 1, H, W), or (1, 1, T, H, W) of a clip, float, 1 where it is drawn anew.
    """

    def __init__(self, quantizer: MultiScaleQuantizer, features: Tensor, mask: Tensor) -> None:
        self.quantizer = quantizer
        self.features = features
        numbers = range(quantizer.schedule.num_scales)
        self.weights = [quantizer.pool(1 - mask, index) for index in numbers]
        self.forced_scales = frozenset[int]()

    def __call__(self, scale_index: int, codes: Tensor | None, latent: Tensor) -> Tensor | None:
        """A blend of what was drawn and what the picture asks for; None under a full mask."""
        weight = self.weights[scale_index]
        if weight.max() == 0:
            return None
        kept = self.quantizer.embed(self.kept_tokens(scale_index, latent))
        return kept if codes is None else torch.lerp(codes, kept, weight)

    def kept_tokens(self, scale_index: int, latent: Tensor) -> Tensor:
        """The codes nearest to what is missing at a scale, (B, h, w)."""
        missing = self.quantizer.pool(self.wanted(latent) - latent, scale_index)
        return self.quantizer.nearest_tokens(missing)

    def wanted(self, latent: Tensor) -> Tensor:
        """The features to steer to, like `latent`, the sum of the scales so far."""
        return self.features
