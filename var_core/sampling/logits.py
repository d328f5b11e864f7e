"""How tokens are drawn: the options, and pure functions from logits to tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from var_core.ranges import check_bool, check_float, check_int

MAX_GUIDANCE = 20.0
MAX_TOP_K = 65536


@dataclass(frozen=True)
class SamplingOptions:
    """How tokens are drawn.

    Raises:
        ValueError: on construction, if a value is out of its range or not finite.
    """

    guidance_scale: float = 1.5  # t at the last scale, ramped from 0: (1+t)*cond - t*uncond; 0 off
    top_k: int = 900  # keep the k likeliest codes; 0 keeps the whole codebook
    top_p: float = 0.5  # keep the likeliest codes of this mass; 0 keeps the whole mass
    temperature: float = 1.0  # divides the logits before the filters
    smooth: bool = False  # mix codes by Gumbel weights instead of drawing one; looks only

    def __post_init__(self) -> None:
        check_float("guidance_scale", self.guidance_scale, 0.0, MAX_GUIDANCE)
        check_int("top_k", self.top_k, 0, MAX_TOP_K)
        check_float("top_p", self.top_p, 0.0, 1.0)
        check_float("temperature", self.temperature, 0.01, 10.0)
        check_bool("smooth", self.smooth)


DEFAULTS = SamplingOptions()


def apply_guidance(conditional: Tensor, unconditional: Tensor, weight: float) -> Tensor:
    """Push conditional logits away from unconditional ones: two (B, N, V) -> (B, N, V)."""
    return (1 + weight) * conditional - weight * unconditional


def keep_top_k(logits: Tensor, top_k: int) -> Tensor:
    """Set all but the k largest logits to -inf; ties at the k-th value all stay. 0 keeps all."""
    if top_k == 0 or top_k >= logits.shape[-1]:
        return logits
    threshold = logits.topk(top_k, dim=-1).values[..., -1:]
    return logits.masked_fill(logits < threshold, float("-inf"))


def keep_top_p(logits: Tensor, top_p: float) -> Tensor:
    """Set logits outside the nucleus to -inf; 0 and 1 keep all (arXiv 1904.09751).

    The nucleus is the shortest run of likeliest codes whose mass reaches `top_p`: a code stays when
    the mass of the likelier ones is still below it. The likeliest code always stays.
    """
    if top_p == 0.0 or top_p == 1.0:
        return logits
    ordered, order = logits.sort(dim=-1, descending=True)
    mass = ordered.softmax(dim=-1)
    outside = mass.cumsum(dim=-1) - mass >= top_p
    outside[..., 0] = False
    return logits.masked_fill(outside.scatter(-1, order, outside), float("-inf"))


def filter_logits(logits: Tensor, options: SamplingOptions) -> Tensor:
    """Temperature, then top-k, then top-p: (B, N, V) -> (B, N, V), dropped codes at -inf."""
    if options.temperature != 1.0:
        logits = logits / options.temperature
    return keep_top_p(keep_top_k(logits, options.top_k), options.top_p)


def draw_tokens(logits: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
    """Draw one code per position, each picture from its own generator: (B, N, V) -> (B, N)."""
    rows = [
        torch.multinomial(row.softmax(dim=-1), num_samples=1, generator=generator)
        for row, generator in zip(logits, generators, strict=True)
    ]
    return torch.stack(rows).squeeze(-1)


def soft_code_weights(
    logits: Tensor, progress: float, generators: Sequence[torch.Generator]
) -> Tensor:
    """Gumbel-softmax weights over codes, sharper towards the fine scales: (B, N, V) -> same.

    Logits are scaled by 1 + progress, the temperature falls from 0.27 to about 0.01, as in the
    official `more_smooth` mode.
    """
    temperature = max(0.27 * (1 - 0.95 * progress), 0.005)
    noise = torch.stack(
        [
            -torch.empty_like(row).exponential_(generator=generator).log()
            for row, generator in zip(logits, generators, strict=True)
        ]
    )
    return ((logits * (1 + progress) + noise) / temperature).softmax(dim=-1)
