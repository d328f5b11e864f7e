"""One attention call over several kernels, chosen by placement, dtype and mask."""

import importlib.util
import os
from collections.abc import Sequence
from functools import lru_cache
from types import ModuleType

import torch
import torch.nn.functional as F
from torch import Tensor

from var_core.scales import ScaleSchedule

BACKENDS = ("auto", "sdpa", "xformers", "bmm", "math")
BLOCK_CAUSAL_BACKENDS = ("auto", "prefix", "math", "sdpa", "flex", "xformers")
ENVIRONMENT_VARIABLE = "VAR_ATTENTION"
BMM_QUERIES = 64  # from which on two batched products beat SDPA on a CPU
GROUP_BYTES = 4 << 20  # of their scores at a time, which then stay in the cache


def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    scale: float,
    mask: Tensor | None = None,
    backend: str = "auto",
) -> Tensor:
    """softmax(scale * q kT + mask) v, by the kernel that fits.

    Args:
        q: queries, (B, h, N, d).
        k: keys, (B, h, M, d).
        v: values, (B, h, M, d).
        scale: factor on the scores.
        mask: (N, M) bool, True where attending is allowed; None allows everything.
        backend: "auto", or one of `BACKENDS` to force a kernel. The environment variable
            VAR_ATTENTION forces one wherever the argument says "auto", see `forced_backend`.

    Returns:
        (B, h, N, d) in the dtype of `q`.

    Raises:
        ValueError: if the name is unknown or a forced kernel cannot take these operands.
    """
    chosen = select_backend(q, k, v, mask, backend)
    if chosen == "sdpa":
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale)
    if chosen == "xformers":
        return _xformers_attention(q, k, v, scale, mask)
    if chosen == "bmm":
        return _bmm_attention(q, k, v, scale)
    return _math_attention(q, k, v, scale, mask)


def select_backend(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, backend: str = "auto"
) -> str:
    """Name of the kernel that `attention` would run for these operands.

    Raises:
        ValueError: if the name is unknown or a forced kernel cannot take these operands.
    """
    if backend == "auto":
        backend = forced_backend(BACKENDS)
    if backend not in BACKENDS:
        raise ValueError(f"attention backend must be one of {', '.join(BACKENDS)}, got {backend!r}")
    if backend == "auto":
        if _xformers_accepts(q, k, v, mask):
            return "xformers"
        coarse = q.dtype == torch.bfloat16 and q.shape[2] >= BMM_QUERIES
        return "bmm" if coarse and _bmm_accepts(q, mask) else "sdpa"
    if backend == "bmm" and not _bmm_accepts(q, mask):
        raise ValueError("bmm attention is for CPUs, without mask and gradient; use sdpa or auto")
    if backend == "xformers" and not _xformers_accepts(q, k, v, mask):
        raise ValueError(
            f"xformers attention has no kernel for {q.dtype} on {q.device.type}; "
            "use the backend sdpa or auto"
        )
    return backend


def forced_backend(names: Sequence[str]) -> str:
    """What VAR_ATTENTION says for one kind of attention.

    Args:
        names: backends of this kind, `BACKENDS` or `BLOCK_CAUSAL_BACKENDS`.

    Returns:
        Its value; "auto" where that names a backend of the other kind alone.
    """
    name = os.environ.get(ENVIRONMENT_VARIABLE, "auto")
    is_of_other = name not in names and name in (*BACKENDS, *BLOCK_CAUSAL_BACKENDS)
    return "auto" if is_of_other else name


def _bmm_accepts(q: Tensor, mask: Tensor | None) -> bool:
    return q.device.type == "cpu" and mask is None and not q.requires_grad


def _bmm_attention(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
    """Two batched products, some heads at a time; scores are rounded to the dtype of `q`."""
    mixed = torch.empty(q.shape, dtype=q.dtype)
    group = max(1, GROUP_BYTES // (q.shape[2] * k.shape[2] * q.element_size()))
    scaled = q if scale == 1.0 else q * scale
    heads = [part.flatten(0, 1).split(group) for part in (scaled, k, v, mixed)]
    for queries, keys, values, out in zip(*heads, strict=True):
        turned = keys.contiguous().transpose(1, 2)  # bmm copies turned parts of a cache slowly
        torch.bmm(torch.bmm(queries, turned).softmax(dim=-1), values, out=out)
    return mixed


def _math_attention(q: Tensor, k: Tensor, v: Tensor, scale: float, mask: Tensor | None) -> Tensor:
    """The plain formula: the slow twin of every other kernel."""
    scores = (q @ k.transpose(-2, -1)).float() * scale
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return scores.softmax(dim=-1).to(v.dtype) @ v


@lru_cache(maxsize=1)
def xformers_ops() -> ModuleType | None:
    """The module xformers.ops, or None where it is missing; imported on first need only."""
    if importlib.util.find_spec("xformers") is None:
        return None
    import xformers.ops

    return xformers.ops


def needed_xformers_ops() -> ModuleType:
    """The module xformers.ops.

    Raises:
        ValueError: if it is not installed.
    """
    ops = xformers_ops()
    if ops is None:
        raise ValueError("xformers is not installed; use the backend auto")
    return ops


def _xformers_bias(mask: Tensor, q: Tensor) -> Tensor:
    """The mask as an additive bias (B, h, N, M); rows are padded to 8 keys as kernels demand."""
    num_keys = mask.shape[-1]
    padded = -(-num_keys // 8) * 8
    bias = torch.zeros(*mask.shape[:-1], padded, dtype=q.dtype, device=q.device)
    bias[..., :num_keys].masked_fill_(~mask, float("-inf"))
    return bias[..., :num_keys].expand(q.shape[0], q.shape[1], -1, -1)


def _xformers_accepts(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> bool:
    """Whether the dispatcher of xformers names a kernel for these operands."""
    if q.device.type != "cuda":  # there is no CPU kernel, and importing it costs seconds
        return False
    ops = xformers_ops()
    if ops is None:
        return False
    inputs = ops.fmha.Inputs(
        query=q.transpose(1, 2),
        key=k.transpose(1, 2),
        value=v.transpose(1, 2),
        attn_bias=None if mask is None else _xformers_bias(mask, q),
    )
    try:
        ops.fmha.dispatch._dispatch_fw(inputs, needs_gradient=q.requires_grad)
    except (NotImplementedError, ValueError):
        return False
    return True


def _xformers_attention(
    q: Tensor, k: Tensor, v: Tensor, scale: float, mask: Tensor | None
) -> Tensor:
    """Memory-efficient attention; xformers wants (B, N, h, d)."""
    out = needed_xformers_ops().memory_efficient_attention(
        q.transpose(1, 2),
        k.transpose(1, 2),
        v.transpose(1, 2),
        attn_bias=None if mask is None else _xformers_bias(mask, q),
        scale=scale,
    )
    return out.transpose(1, 2)


def block_causal_mask(schedule: ScaleSchedule, num_prefix: int = 0) -> Tensor:
    """(P + L, P + L) bool: a token sees its own scale and all coarser ones.

    Args:
        schedule: the pyramid, L tokens.
        num_prefix: tokens in front (P), which are part of the first scale.
    """
    scale = torch.tensor([0] * num_prefix + schedule.scale_of_token())
    return scale.unsqueeze(1) >= scale.unsqueeze(0)
