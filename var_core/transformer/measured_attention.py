"""Attention that notes where each scale looks, by the plain formula."""

import torch
from torch import Tensor

from var_core.scales import ScaleSchedule
from var_core.transformer.attention_kernels import GROUP_BYTES
from var_core.transformer.block_causal import BlockCausal


class MeasuredAttention(BlockCausal):
    """Block-causal attention of one teacher-forced pass, with its weights summed up.

    An argument of `VARTransformer.hidden_states` in place of `block_causal`. It is called once a
    layer and holds the weights of some heads of one scale at a time, so that its memory stays
    small; what it keeps are the sums.

    Args:
        schedule: the pyramid; that of the first k scales for a pass over these alone.
        device: device of the operands.
        num_prefix: tokens of phrases in front of the pyramid (P).
    """

    def __init__(self, schedule: ScaleSchedule, device: torch.device, num_prefix: int = 0) -> None:
        super().__init__(schedule, device, "math", num_prefix)
        self.num_prefix = num_prefix
        self._sums: Tensor | None = None  # (B, K, P + L) over queries, heads and layers
        self._num_maps = 0  # heads of all layers

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
        """As `BlockCausal.__call__`."""
        if self._sums is None:
            shape = (len(q), len(self.sizes), q.shape[2])
            self._sums = torch.zeros(shape, dtype=torch.float64, device=q.device)
        self._num_maps += q.shape[1]
        parts, end = [], 0
        for scale_index, queries in enumerate(q.split(self.sizes, dim=2)):
            end += queries.shape[2]
            seen = k[:, :, :end], v[:, :, :end]
            parts.append(self._attend(scale_index, queries, *seen, scale))
        return torch.cat(parts, dim=2)

    def _attend(self, scale_index: int, q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
        """One scale, some heads at a time: (B, h, N, d) -> same."""
        assert self._sums is not None
        bytes_of_head = 4 * len(q) * q.shape[2] * k.shape[2]
        group = max(1, GROUP_BYTES // bytes_of_head)
        own = self.num_prefix if scale_index == 0 else 0  # phrases look too, but are no scale
        mixed = []
        for queries, keys, values in zip(*(x.split(group, dim=1) for x in (q, k, v)), strict=True):
            scores = (queries @ keys.transpose(-2, -1)).float() * scale
            weights = scores.softmax(dim=-1)  # (B, group, N, M)
            self._sums[:, scale_index, : k.shape[2]] += weights[:, :, own:].double().sum((1, 2))
            mixed.append(weights.to(v.dtype) @ values)
        return torch.cat(mixed, dim=1)

    def shares(self) -> Tensor:
        """How much each scale looks at each phrase and each scale: mean of tokens, heads, layers.

        Returns:
            (B, K, P + K) float32; every row sums to 1.
        """
        assert self._sums is not None, "nothing has been measured yet"
        first, *rest = self.sizes
        sizes = torch.tensor([first - self.num_prefix, *rest], device=self._sums.device)
        sums = self._sums / (sizes.view(-1, 1) * self._num_maps)
        prefix, *scales = sums.split([self.num_prefix, *sizes.tolist()], dim=2)
        to_scales = torch.stack([one.sum(dim=2) for one in scales], dim=2)
        return torch.cat((prefix, to_scales), dim=2).float()
