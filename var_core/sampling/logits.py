"""From logits to tokens: guidance, filters and draws, all pure functions."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from var_core.sampling.options import SamplingOptions
from var_core.sampling.rng import exponential_noise


def apply_guidance(conditional: Tensor, unconditional: Tensor, weight: float) -> Tensor:
    """Push conditional states or logits away from unconditional ones: two (B, N, C) -> same."""
    mixed = (1 + weight) * conditional.float() - weight * unconditional.float()
    return mixed.to(conditional.dtype)


def filter_logits(logits: Tensor, options: SamplingOptions) -> Tensor:
    """Temperature, then top-k, then top-p: (B, N, V) -> (B, N, V), dropped codes at -inf.

    The nucleus is the shortest run of likeliest codes whose mass, of that of the k likeliest,
    reaches `top_p` (arXiv 1904.09751). Codes as likely as the last one kept all stay.
    """
    if options.temperature != 1.0:
        logits = logits / options.temperature
    count = logits.shape[-1]
    if 0 < options.top_k < count:
        count = options.top_k
    if options.top_p in (0.0, 1.0):
        if count == logits.shape[-1]:
            return logits
        least = largest(logits, count)[..., -1:]
    else:
        least = nucleus_end(largest(logits, count), options.top_p)
    return logits.masked_fill(logits < least, float("-inf"))


def largest(logits: Tensor, count: int) -> Tensor:
    """The largest logits of each row, falling: (B, N, V) -> (B, N, count)."""
    if logits.device.type != "cpu":
        return logits.topk(count, dim=-1).values
    # numpy sorts without carrying indices along, and with the processor's vector instructions
    ordered = torch.from_numpy(np.sort(logits.numpy(), axis=-1))
    return ordered[..., -count:].flip(-1)


def nucleus_end(ordered: Tensor, top_p: float) -> Tensor:
    """The last logit inside the nucleus: (B, N, count), falling -> (B, N, 1)."""
    mass = ordered.softmax(dim=-1)
    inside = mass.cumsum(dim=-1) - mass < top_p  # what is likelier falls short of it
    last = inside.sum(dim=-1, keepdim=True) - 1
    return ordered.gather(-1, last.clamp_(min=0))


def draw_tokens(logits: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
    """Draw one code per position, each picture from its own generator: (B, N, V) -> (B, N).

    An exponential race, as in `torch.multinomial`: the same generator gives the same codes.
    """
    noise = torch.stack([exponential_noise(logits.shape[1:], one) for one in generators])
    return (logits.softmax(dim=-1) / noise).argmax(dim=-1)


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
            -exponential_noise(row.shape, generator).log()
            for row, generator in zip(logits, generators, strict=True)
        ]
    )
    return ((logits * (1 + progress) + noise) / temperature).softmax(dim=-1)
