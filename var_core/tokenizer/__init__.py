"""The multi-scale tokenizer: pixels to token maps and back."""

from var_core.tokenizer.quantizers import BinarySphericalQuantizer, VectorQuantizer
from var_core.tokenizer.residual_pyramid import MultiScaleQuantizer, Quantization
from var_core.tokenizer.vqvae import MultiScaleVQVAE

__all__ = [
    "BinarySphericalQuantizer",
    "MultiScaleQuantizer",
    "MultiScaleVQVAE",
    "Quantization",
    "VectorQuantizer",
]
