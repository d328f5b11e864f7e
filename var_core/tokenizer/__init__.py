"""The multi-scale tokenizer: pixels to token maps and back."""

from var_core.tokenizer.codes import BinarySphericalQuantizer, VectorQuantizer
from var_core.tokenizer.quantizer import MultiScaleQuantizer, Quantization
from var_core.tokenizer.vqvae import MultiScaleVQVAE

__all__ = [
    "BinarySphericalQuantizer",
    "MultiScaleQuantizer",
    "MultiScaleVQVAE",
    "Quantization",
    "VectorQuantizer",
]
