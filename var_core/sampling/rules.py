"""Rules for the sampling loop: what replaces the codes that were drawn."""

from collections.abc import Sequence

from torch import Tensor

from var_core.tokenizer import MultiScaleQuantizer


class KeepScales:
    """Keeps the coarse scales of an earlier picture, so that the rest is drawn anew from there.

    Args:
        quantizer: of the tokenizer that the tokens belong to.
        token_maps: what to keep: tokens of the first scales, (B, S, S) int64 each.

    Raises:
        ValueError: if there are none or too many, or one is misshapen or holds no code's number.
    """

    def __init__(self, quantizer: MultiScaleQuantizer, token_maps: Sequence[Tensor]) -> None:
        sides = quantizer.schedule.sides
        if not 1 <= len(token_maps) < len(sides):
            raise ValueError(
                f"1 to {len(sides) - 1} scales can be kept of {len(sides)}, got {len(token_maps)}"
            )
        vocab_size = quantizer.codebook.num_embeddings
        for number, (tokens, side) in enumerate(zip(token_maps, sides, strict=False), start=1):
            if tokens.shape[1:] != (side, side) or len(tokens) != len(token_maps[0]):
                raise ValueError(
                    f"tokens of scale {number} must be ({len(token_maps[0])}, {side}, {side}), "
                    f"got {tuple(tokens.shape)}"
                )
            if tokens.is_floating_point() or ((tokens < 0) | (tokens >= vocab_size)).any():
                raise ValueError(
                    f"tokens of scale {number} must be whole numbers from 0 to {vocab_size - 1}"
                )
        self.codes = [quantizer.embed(tokens.long()) for tokens in token_maps]
        self.forced_scales = frozenset(range(len(token_maps)))

    def __call__(self, scale_index: int, tokens: Tensor | None, latent: Tensor) -> Tensor | None:
        """The kept codes of a coarse scale; None for the others."""
        return self.codes[scale_index] if scale_index in self.forced_scales else None
