"""How tokens are drawn: the options, and pure functions from logits to tokens."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from var_core.option_fields import check_options, option
from var_core.ranges import check_int
from var_core.sampling.rng import exponential_noise

MAX_TOP_K = 65536


@dataclass(frozen=True, kw_only=True)
class SamplingOptions:
    """How tokens are drawn: this is the one place where a sampling option is written down.

    `option_fields(SamplingOptions)` gives the ranges and words to command line, API and page.

    Raises:
        ValueError: on construction, if a value is out of its range or not finite.
    """

    # t at the last scale, ramped up from 0: logits are (1 + t) * conditional - t * unconditional
    guidance_scale: float = option(
        1.5,
        "0 ignores the labels' pull, high values exaggerate it",
        label="Guidance",
        low=0.0,
        high=20.0,
        step=0.1,
    )
    # divides the logits before the filters
    temperature: float = option(
        1.0,
        "below 1 tamer, above 1 wilder",
        label="Temperature",
        low=0.01,
        high=10.0,
        step=0.05,
        shown=(0.1, 2.0),
    )
    top_k: int = option(
        900,
        "draw among so many of the likeliest codes; 0 is off",
        label="Top-k",
        low=0,
        high=MAX_TOP_K,
        step=1,
    )
    top_p: float = option(
        0.5,
        "draw among the likeliest codes of this mass; 0 is off",
        label="Top-p",
        low=0.0,
        high=1.0,
        step=0.05,
    )
    # by Gumbel weights
    smooth: bool = option(False, "mix codes instead of drawing one; for looks only", label="Smooth")

    def __post_init__(self) -> None:
        check_options(self)

    def fitted(self, vocab_size: int) -> "SamplingOptions":
        """These options for a codebook; the default top_k is clamped to it.

        Raises:
            ValueError: if another top_k exceeds the number of codes.
        """
        if self.top_k == DEFAULTS.top_k:
            return replace(self, top_k=min(self.top_k, vocab_size))
        check_int("top_k", self.top_k, 0, vocab_size)
        return self


DEFAULTS = SamplingOptions()


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
