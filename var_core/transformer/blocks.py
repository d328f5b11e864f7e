"""Attention, feed-forward and adaptive normalisation, assembled into a block."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from var_core.packing import Linear
from var_core.transformer.attention_kernels import attention
from var_core.transformer.block_causal import BlockCausal
from var_core.transformer.kv_cache import KVCache

MAX_LOG_QK_SCALE = math.log(100.0)


class Modulation(NamedTuple):
    """Adaptive-norm parts of one block, each (B, 1, C); gates come first as in the official net."""

    attention_gate: Tensor
    mlp_gate: Tensor
    attention_scale: Tensor
    mlp_scale: Tensor
    attention_shift: Tensor
    mlp_shift: Tensor


def modulate(hidden: Tensor, norm_scale: Tensor, shift: Tensor, eps: float) -> Tensor:
    """LayerNorm without affine part, then (1 + scale) * x + shift: (B, N, C) -> (B, N, C)."""
    normed = F.layer_norm(hidden, hidden.shape[-1:], eps=eps)
    return torch.addcmul(shift, normed, 1 + norm_scale)


class SelfAttention(nn.Module):
    """Multi-head attention over the scales so far.

    With `qk_norm`, queries and keys are unit vectors and a learned temperature per head, capped at
    100, scales the scores; without it the scores are scaled by 0.25 / sqrt(d). Keys have no bias.
    """

    def __init__(self, width: int, num_heads: int, qk_norm: bool) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.head_dim = width // num_heads
        self.qkv = Linear(width, 3 * width, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(width))
        self.v_bias = nn.Parameter(torch.zeros(width))
        self.proj = Linear(width, width)
        self.log_qk_scale = (
            nn.Parameter(torch.full((1, num_heads, 1, 1), math.log(4.0))) if qk_norm else None
        )

    def forward(
        self,
        hidden: Tensor,
        mask: Tensor | BlockCausal | None,
        cache: KVCache | None,
        block_index: int,
        backend: str,
    ) -> Tensor:
        """(B, N, C) -> (B, N, C); with a cache, also attends to everything stored there."""
        bias = torch.cat((self.q_bias, torch.zeros_like(self.q_bias), self.v_bias))
        qkv = self.qkv(hidden, bias).unflatten(2, (3, self.num_heads, self.head_dim))
        qkv = qkv.permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)  # (B, h, N, d) each
        scale = 0.25 / math.sqrt(self.head_dim)
        if self.log_qk_scale is not None:
            scale = 1.0
            temperature = self.log_qk_scale.float().clamp(max=MAX_LOG_QK_SCALE).exp()
            q, k = F.normalize(qkv[:2].float(), dim=-1).unbind(0)
            q, k = (q * temperature).to(v.dtype), k.to(v.dtype)
        if cache is not None:
            k, v = cache.append(block_index, k, v)
        if isinstance(mask, BlockCausal):
            mixed = mask(q, k, v, scale)
        else:
            mixed = attention(q, k, v, scale, mask, backend)
        return self.proj(mixed.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """Two linear layers around a tanh-approximated GELU."""

    def __init__(self, width: int, hidden_width: int) -> None:
        super().__init__()
        self.fc1 = Linear(width, hidden_width)
        self.fc2 = Linear(hidden_width, width)

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, N, C) -> (B, N, C)."""
        return self.fc2(self.fc1(hidden, gelu=True))


class AdaptiveBlock(nn.Module):
    """Attention and feed-forward, each modulated and gated by the condition (as in DiT).

    The modulation is either this block's own linear map of the condition, or one map shared by all
    blocks plus an offset of this block.
    """

    def __init__(
        self,
        width: int,
        num_heads: int,
        hidden_width: int,
        qk_norm: bool,
        shared_modulation: bool,
        norm_eps: float,
    ) -> None:
        super().__init__()
        self.norm_eps = norm_eps
        self.attention = SelfAttention(width, num_heads, qk_norm)
        self.mlp = FeedForward(width, hidden_width)
        if shared_modulation:
            self.modulation_offset = nn.Parameter(torch.zeros(1, 6, width))
            self.modulation = None
        else:
            self.modulation_offset = None
            self.modulation = Linear(width, 6 * width)

    def modulation_of(self, condition: Tensor, shared: Tensor | None) -> Modulation:
        """Parts for one condition: (B, C) and, if shared, (B, 6, C) -> six tensors (B, 1, C)."""
        if self.modulation is not None:
            parts = self.modulation(F.silu(condition)).unflatten(1, (6, -1))  # (B, 6, C)
        else:
            assert shared is not None and self.modulation_offset is not None
            parts = shared + self.modulation_offset
        return Modulation(*parts.unsqueeze(1).unbind(2))

    def forward(
        self,
        hidden: Tensor,
        parts: Modulation,
        mask: Tensor | BlockCausal | None = None,
        cache: KVCache | None = None,
        block_index: int = 0,
        backend: str = "auto",
        branch_factors: Tensor | None = None,
    ) -> Tensor:
        """(B, N, C) -> (B, N, C).

        Args:
            hidden: the residual stream.
            parts: this block's modulation.
            mask: (N, M) bool, block-causal attention of all N tokens, or None.
            cache: keys and values of coarser scales, or None.
            block_index: row of the cache.
            backend: attention kernel; block-causal attention brings its own.
            branch_factors: (2, B, 1, 1) factors on the two branches, for stochastic depth.
        """
        normed = modulate(hidden, parts.attention_scale, parts.attention_shift, self.norm_eps)
        gate = parts.attention_gate
        if branch_factors is not None:
            gate = gate * branch_factors[0]
        attended = self.attention(normed, mask, cache, block_index, backend)
        hidden = torch.addcmul(hidden, attended, gate)
        normed = modulate(hidden, parts.mlp_scale, parts.mlp_shift, self.norm_eps)
        gate = parts.mlp_gate
        if branch_factors is not None:
            gate = gate * branch_factors[1]
        return torch.addcmul(hidden, self.mlp(normed), gate)
