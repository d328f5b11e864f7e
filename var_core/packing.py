"""Weights in the layouts of the processor's matrix kernels, packed once instead of in every call.

oneDNN multiplies blocked weights. Given plain ones it first reorders them, at every call, which for
the few rows of the coarse scales costs as much as the product.
"""

import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from var_core.own_settings import in_own_settings

PACKED_ROWS = 512  # that a layout is chosen for; one layout serves any number of rows
PROBE_ROWS = (2, 9, 64, 400)
LAYOUT = threading.RLock()  # held while the layout of any weight is looked at and changed


class Packable(nn.Module):
    """A layer that can lay out its weights for drawing; moved or copied, they are plain again.

    Any thread may pack and unpack while others draw: a layer is read as a whole, once in a call.
    """

    @property
    def is_packed(self) -> bool:
        """Whether weights are laid out."""
        raise NotImplementedError

    def pack(self) -> None:
        """Lay weights out for calls without gradients; again does nothing."""
        raise NotImplementedError

    def unpack(self) -> None:
        """Back to plain weights, bit by bit the same."""
        raise NotImplementedError

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
        with LAYOUT:  # nothing packs in between
            self.unpack()
            return super()._apply(fn, recurse)


class Linear(Packable, nn.Linear):
    """A linear layer whose weight oneDNN can pack; saved, it is plain again."""

    def forward(self, input: Tensor, bias: Tensor | None = None, gelu: bool = False) -> Tensor:
        """(..., in_features) -> (..., out_features).

        Packed, the result of a row does not depend on the rows beside it, bit for bit.

        Args:
            input: rows.
            bias: (out_features,), instead of the layer's own.
            gelu: whether the outputs pass through a tanh-approximated GELU.
        """
        weight = self.weight
        bias = self.bias if bias is None else bias
        if not weight.is_mkldnn:
            outputs = F.linear(input, weight, bias)
            return F.gelu(outputs, approximate="tanh") if gelu else outputs
        alone = input.numel() == self.in_features  # for which oneDNN has another kernel
        rows = torch.stack((input, input)) if alone else input
        after = ("gelu", [], "tanh") if gelu else ("none", [], "")
        outputs = torch.ops.mkldnn._linear_pointwise(rows, weight, bias, *after)
        return outputs[0] if alone else outputs

    @property
    def is_packed(self) -> bool:
        """As `Packable.is_packed`."""
        return self.weight.is_mkldnn

    def pack(self) -> None:
        """As `Packable.pack`."""
        with LAYOUT:
            if not self.weight.is_mkldnn:
                packed = torch.ops.mkldnn._reorder_linear_weight(self.weight, PACKED_ROWS)
                self.weight = nn.Parameter(packed, requires_grad=False)

    def unpack(self) -> None:
        """As `Packable.unpack`."""
        with LAYOUT:
            if self.weight.is_mkldnn:
                self.weight = nn.Parameter(self.weight.to_dense(), requires_grad=False)

    def __getstate__(self) -> dict[str, Any]:
        """What is copied and pickled: plain weights; the layer itself keeps its layout."""
        state = super().__getstate__()
        weight = self.weight
        if weight.is_mkldnn:
            plain = nn.Parameter(weight.to_dense(), requires_grad=False)
            state["_parameters"] = {**self._parameters, "weight": plain}
        return state

    def _save_to_state_dict(self, destination: dict, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        saved: Tensor = destination[prefix + "weight"]
        if saved.is_mkldnn:
            destination[prefix + "weight"] = saved.to_dense()


@lru_cache(maxsize=4)
@in_own_settings
def can_pack(dtype: torch.dtype) -> bool:
    """Whether this processor's kernels take packed weights and treat each row by itself."""
    if not torch.backends.mkldnn.is_available():
        return False
    generator = torch.Generator().manual_seed(0)
    layer = Linear(96, 160).to(dtype).requires_grad_(False)
    rows = torch.randn(max(PROBE_ROWS), 96, generator=generator).to(dtype)
    expected = layer(rows, gelu=True)
    try:
        layer.pack()
        found = layer(rows, gelu=True)
        alone = [torch.equal(layer(rows[:count], gelu=True), found[:count]) for count in PROBE_ROWS]
    except (RuntimeError, AttributeError):  # no such kernel
        return False
    return all(alone) and torch.allclose(found, expected, rtol=0.02, atol=0.02)


def convolve(maps: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Convolution with an odd kernel, (B, D, H, W) float32 -> same; a map by itself in any batch.

    That holds where there are kernels for it. Torch takes another one for one small map than for
    several.
    """
    padding = (weight.shape[2] // 2, weight.shape[3] // 2)
    if maps.device.type == "cpu" and can_pack(maps.dtype):
        return torch.mkldnn_convolution(maps, weight, bias, padding, (1, 1), (1, 1), 1)
    return F.conv2d(maps, weight, bias, padding=padding)


def is_packed(network: nn.Module) -> bool:
    """Whether `pack_weights` has nothing left to do."""
    return all(
        module.is_packed
        if isinstance(module, Packable)
        else not isinstance(module, nn.Conv2d)
        or module.weight.is_contiguous(memory_format=torch.channels_last)
        for module in network.modules()
    )


def pack_weights(network: nn.Module) -> None:
    """Pack all layers of a network that can be packed; convolutions get their channels last."""
    with LAYOUT:
        for module in network.modules():
            if isinstance(module, Packable):
                module.pack()
            elif isinstance(module, nn.Conv2d):
                module.weight.data = module.weight.contiguous(memory_format=torch.channels_last)
