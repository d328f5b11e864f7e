"""The quantizers: a learned codebook, or the corners of a hypercube.

A new one is a subclass of `MultiScaleQuantizer` (`residual_pyramid.py`) in this file, with a name
in `QUANTIZERS`; the setting `code_kind` of networks and of the trainer then takes this name.
How the trainer starts codes and restarts unused ones is in `training/tokenizer/codebook.py`.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from var_core.scales import ScaleSchedule
from var_core.tokenizer.residual_pyramid import MultiScaleQuantizer, Quantization

SHARPNESS = 10.0  # of the soft bits whose entropy is counted


class VectorQuantizer(MultiScaleQuantizer):
    """A learned codebook shared by all scales, as published (arXiv 2404.02905, section 3.2)."""

    def __init__(
        self,
        schedule: ScaleSchedule,
        vocab_size: int,
        code_dim: int,
        num_refine: int = 4,
        refine_ratio: float = 0.5,
    ) -> None:
        super().__init__(schedule, vocab_size, code_dim, num_refine, refine_ratio)
        self.codebook = nn.Embedding(vocab_size, code_dim)

    def code_vectors(self) -> Tensor:
        """All codes, (V, D) float32."""
        return self.codebook.weight.float()

    def embed(self, token_map: Tensor) -> Tensor:
        """Look up code vectors: (B, ...) int64 -> (B, D, ...) float32."""
        return F.embedding(token_map, self.codebook.weight).float().movedim(-1, 1)

    def nearest_tokens(self, codes: Tensor) -> Tensor:
        """Index of the nearest code by Euclidean distance: (B, D, ...) -> (B, ...) int64."""
        vectors = codes.float().movedim(1, -1)  # (B, ..., D)
        codebook = self.code_vectors()
        # |x - c|^2 without the constant |x|^2
        distances = torch.addmm(
            codebook.square().sum(dim=1), vectors.reshape(-1, self.code_dim), codebook.t(), alpha=-2
        )
        return distances.argmin(dim=1).view(vectors.shape[:-1])


class BinarySphericalQuantizer(MultiScaleQuantizer):
    """Codes without a table: the signs of D channels, on the unit sphere (arXiv 2406.07548).

    V is 2^D; bit d of a token is the sign of channel d, every entry is -1/sqrt(D) or 1/sqrt(D).
    How large a scale's share of the latent is, its refine convolution learns: give every scale its
    own (`num_refine` as many as scales).

    Raises:
        ValueError: if the vocabulary is not 2^D.
    """

    def __init__(
        self,
        schedule: ScaleSchedule,
        vocab_size: int,
        code_dim: int,
        num_refine: int = 4,
        refine_ratio: float = 0.5,
    ) -> None:
        if code_dim > 16 or vocab_size != 2**code_dim:
            raise ValueError(
                f"with code_dim {code_dim}, at most 16, a binary quantizer has a vocab_size of "
                f"2^code_dim, got {vocab_size}"
            )
        super().__init__(schedule, vocab_size, code_dim, num_refine, refine_ratio)

    def code_vectors(self) -> Tensor:
        """All codes, (V, D) float32."""
        tokens = torch.arange(self.vocab_size, device=self.device)
        return self.embed(tokens.view(1, 1, -1)).squeeze(2).squeeze(0).t()

    def embed(self, token_map: Tensor) -> Tensor:
        """Spread tokens to signs: (B, ...) int64 -> (B, D, ...) float32."""
        places = self._places(token_map.ndim - 1, token_map.device)
        bits = (token_map.unsqueeze(1) >> places) & 1
        return (2 * bits - 1) / math.sqrt(self.code_dim)

    def nearest_tokens(self, codes: Tensor) -> Tensor:
        """Index of the nearest code by Euclidean distance: (B, D, ...) -> (B, ...) int64."""
        places = self._places(codes.ndim - 2, codes.device)
        return ((codes > 0).long() << places).sum(dim=1)

    def _places(self, num_axes: int, device: torch.device) -> Tensor:
        """The bits 0 to D - 1, (D, 1, ...) with so many axes after the first."""
        return torch.arange(self.code_dim, device=device).view(-1, *[1] * num_axes)

    def entropy_loss(self, features: Tensor, quantization: Quantization) -> Tensor:
        """Sure bits for every cell, all bits alike over the batch; in nats per bit, mean of scales.

        Args:
            features: encoder output with gradient, as for `encode`.
            quantization: what `encode` returned for it.

        Returns:
            A scalar, at least -ln 2 (arXiv 2406.07548, eq. 8, with bits taken as independent).
        """
        features = features.float()
        latents = [torch.zeros_like(features), *quantization.latents[:-1]]
        losses = []
        for scale_index, latent in enumerate(latents):
            residual = F.normalize(self.pool(features - latent.detach(), scale_index), dim=1)
            scores = 2 * SHARPNESS * residual  # logits of a bit to be set
            overall = (
                torch.sigmoid(scores).mean(dim=(0, *range(2, scores.ndim))).clamp(1e-6, 1 - 1e-6)
            )
            losses.append(_bit_entropy(scores).mean() - _bit_entropy(overall.logit()).mean())
        return torch.stack(losses).mean()


QUANTIZERS: dict[str, type[MultiScaleQuantizer]] = {
    "vq": VectorQuantizer,
    "bsq": BinarySphericalQuantizer,
}


def _bit_entropy(scores: Tensor) -> Tensor:
    """Entropy of bits in nats, from their logits; its gradient is finite where they are sure."""
    return F.softplus(scores) - scores * torch.sigmoid(scores)
