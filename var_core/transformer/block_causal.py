"""Attention of a whole pyramid at once: every scale sees itself and all coarser ones."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

from var_core.scales import ScaleSchedule
from var_core.transformer.attention_kernels import (
    BLOCK_CAUSAL_BACKENDS,
    attention,
    block_causal_mask,
    forced_backend,
    needed_xformers_ops,
)

CUDA_ONLY = ("flex", "xformers")
FEW_TOKENS = 128  # so many go through one masked call: more calls cost more than they leave out


class BlockCausal:
    """Block-causal attention (arXiv 2404.02905, section 3.2) by one of several equal kernels.

    `math` and `sdpa` score all pairs and mask what is not seen. The others score less: `prefix`
    takes the scales in turn, each with the keys up to its own end (62 % of the pairs at 680
    tokens), the coarsest ones together; `flex` skips tiles of 128 x 128 pairs that are not
    seen; `xformers` takes all scales in one call, each with a copy of its keys. An argument of
    the teacher-forced passes in place of a mask; it keeps nothing between calls.

    Args:
        schedule: the pyramid; that of the first k scales for a pass over these alone.
        device: device of the operands.
        backend: one of `BLOCK_CAUSAL_BACKENDS`; "auto" is `prefix`, the fastest measured (on a
            CPU, from 155 tokens on), unless the environment variable VAR_ATTENTION forces another.
        num_prefix: tokens in front of the pyramid, which are part of the first scale.

    Raises:
        ValueError: if the name is unknown or the kernel cannot run on the device.
    """

    def __init__(
        self,
        schedule: ScaleSchedule,
        device: torch.device,
        backend: str = "auto",
        num_prefix: int = 0,
    ) -> None:
        self.backend = select_block_causal(device, backend)
        first, *rest = schedule.sizes
        self.sizes = (num_prefix + first, *rest)
        self.mask = block_causal_mask(schedule, num_prefix).to(device)
        is_flex = self.backend == "flex"
        self.tiles = visible_tiles(schedule, device, num_prefix) if is_flex else None

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
        """softmax(scale * q kT) v over what each token sees: (B, h, L, d) each -> (B, h, L, d).

        L counts the prefix too.

        Raises:
            ValueError: if there are more or fewer tokens than prefix and pyramid have.
        """
        if q.shape[2] != sum(self.sizes):
            raise ValueError(f"the pyramid has {sum(self.sizes)} tokens, {q.shape[2]} were given")
        if self.backend == "prefix":
            return prefix_attention(q, k, v, scale, self.sizes, self.mask)
        if self.backend == "flex":
            kernel: Callable[..., Tensor] = flex_attention
            if not torch.compiler.is_compiling():
                kernel = _compiled_flex_attention()
            return kernel(q, k, v, block_mask=self.tiles, scale=scale)
        if self.backend == "xformers":
            return _xformers_attention(q, k, v, scale, self.sizes)
        return attention(q, k, v, scale, self.mask, self.backend)


def select_block_causal(device: torch.device, backend: str = "auto") -> str:
    """Name of the kernel that `BlockCausal` would run on a device.

    Raises:
        ValueError: if the name is unknown or the kernel cannot run on the device.
    """
    if backend == "auto":
        backend = forced_backend(BLOCK_CAUSAL_BACKENDS)
    if backend not in BLOCK_CAUSAL_BACKENDS:
        names = ", ".join(BLOCK_CAUSAL_BACKENDS)
        raise ValueError(f"block-causal attention must be one of {names}, got {backend!r}")
    if backend in CUDA_ONLY and device.type != "cuda":
        raise ValueError(f"the backend {backend} has no gradient on {device.type}; use auto")
    if backend == "xformers":
        needed_xformers_ops()
    return "prefix" if backend == "auto" else backend


def prefix_attention(
    q: Tensor, k: Tensor, v: Tensor, scale: float, sizes: Sequence[int], mask: Tensor
) -> Tensor:
    """One call per scale, its queries against the keys up to its end.

    From fine to coarse, on keys that shrink by a scale each time: their gradient then grows by a
    scale each time, instead of being padded to L tokens once per scale. The coarsest scales go
    together under the mask, as far as they have `FEW_TOKENS`.

    Args:
        q: queries, (B, h, L, d).
        k: keys, (B, h, L, d).
        v: values, (B, h, L, d).
        scale: factor on the scores.
        sizes: tokens of each scale, coarse to fine, L in all.
        mask: (L, L) bool, True where attending is allowed.

    Returns:
        (B, h, L, d) in the dtype of `q`.
    """
    # without AMX, bf16 through SDPA takes twice as long as by the plain formula
    is_plain = q.dtype == torch.bfloat16 and q.device.type != "cuda"
    kernel = "math" if is_plain else "sdpa"
    parts = []
    for queries in reversed(q.split(call_sizes(sizes), dim=2)):
        end = k.shape[2]
        rest = end - queries.shape[2]
        sees = mask[:end, :end] if rest == 0 else None
        parts.append(attention(queries, k, v, scale, sees, kernel))
        k, v = k[:, :, :rest], v[:, :, :rest]
    return torch.cat(parts[::-1], dim=2)


def call_sizes(sizes: Sequence[int]) -> list[int]:
    """Queries of each call: the scales that have `FEW_TOKENS` together, then one by one."""
    together = max(1, sum(end <= FEW_TOKENS for end in accumulate(sizes)))
    return [sum(sizes[:together]), *sizes[together:]]


def visible_tiles(schedule: ScaleSchedule, device: torch.device, num_prefix: int = 0) -> BlockMask:
    """The tiles that FlexAttention visits, those seen in part or in whole."""
    scale_of_token = torch.tensor([0] * num_prefix + schedule.scale_of_token(), device=device)

    def sees(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return scale_of_token[query] >= scale_of_token[key]

    length = len(scale_of_token)
    return create_block_mask(sees, None, None, length, length, device=device)


@lru_cache(maxsize=1)
def _compiled_flex_attention() -> Callable[..., Tensor]:
    """FlexAttention on its own, for a network that is not compiled: uncompiled it scores all."""
    return torch.compile(flex_attention)


def row_lengths(sizes: Sequence[int], batch_size: int) -> tuple[list[int], list[int]]:
    """Queries, and keys seen, of every scale of every image, in the order of `lay_rows`."""
    return list(sizes) * batch_size, list(accumulate(sizes)) * batch_size


def lay_rows(q: Tensor, k: Tensor, v: Tensor, sizes: Sequence[int]) -> tuple[Tensor, ...]:
    """All scales of all images in one row, each with its own copy of the keys that it sees.

    Args:
        q: queries, (B, h, L, d).
        k: keys, (B, h, L, d).
        v: values, (B, h, L, d).
        sizes: tokens of each scale, L in all.

    Returns:
        Queries (1, B L, h, d), keys and values (1, B M, h, d), M being the sum of the scales' ends.
    """
    ends = row_lengths(sizes, 1)[1]
    k, v = (torch.cat([x[:, :, :end] for end in ends], dim=2) for x in (k, v))  # (B, h, M, d)
    return tuple(x.transpose(1, 2).flatten(0, 1).unsqueeze(0) for x in (q, k, v))


@lru_cache(maxsize=8)
def _block_diagonal(sizes: tuple[int, ...], batch_size: int, device: torch.device) -> Any:
    """The mask of xformers for one batch size."""
    queries, keys = row_lengths(sizes, batch_size)
    mask_type = needed_xformers_ops().fmha.attn_bias.BlockDiagonalMask
    return mask_type.from_seqlens(queries, keys, device=device)


@torch.compiler.disable()  # the compiler would build the mask anew in every block
def _xformers_attention(
    q: Tensor, k: Tensor, v: Tensor, scale: float, sizes: tuple[int, ...]
) -> Tensor:
    """`prefix_attention` in one call; BlockDiagonalMask is the kind that has a gradient."""
    batch_size = q.shape[0]
    out = needed_xformers_ops().memory_efficient_attention(
        *lay_rows(q, k, v, sizes),
        attn_bias=_block_diagonal(sizes, batch_size, q.device),
        scale=scale,
    )  # (1, B L, h, d)
    return out.squeeze(0).unflatten(0, (batch_size, -1)).transpose(1, 2)
