"""Picks placement and dtype when the user did not."""

import torch

PRECISIONS = ("auto", "fp32", "bf16")


def pick_device() -> torch.device:
    """CUDA where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def pick_dtype(device: torch.device, precision: str = "auto") -> torch.dtype:
    """The dtype of the networks.

    Args:
        device: device that runs the networks.
        precision: "fp32" or "bf16" to force one; "auto" takes bf16 on CUDA and on processors with
            AMX or AVX512-BF16, fp32 elsewhere.

    Raises:
        ValueError: if the precision is unknown.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r:.40}")
    if precision == "auto":
        precision = "bf16" if _has_bf16(device) else "fp32"
    return torch.bfloat16 if precision == "bf16" else torch.float32


def _has_bf16(device: torch.device) -> bool:
    """Whether the hardware of a device computes in bf16; emulated, it is slower than fp32."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
