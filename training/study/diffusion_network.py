"""A diffusion transformer from the parts of VAR: all latent positions at once, no mask, and a time.

After DiT (arXiv 2212.09748) with rectified flow (arXiv 2209.03003): the network says in which
direction noise lies. Labels, phrases and modulation are those of VAR.
"""

import math
from collections.abc import Sequence
from inspect import signature
from typing import Any

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from training.study.sizes import MLP_RATIO
from var_core.condition import Condition
from var_core.transformer import VARTransformer
from var_core.transformer.blocks import modulate
from var_core.transformer.model import MAX_PHRASES

TIME_WAVES = 64  # sines and cosines that a time becomes
MAX_PERIOD = 10000.0
NUM_TIMES = 1000  # times of training, as numbered by the schedulers of diffusers


class DiffusionTransformer(VARTransformer):
    """Predicts the velocity of noisy latents.

    Args:
        side: side of the latent.
        channels: channels of the latent (D).
        label_counts: number of values of each label attribute.
        depth: blocks.
        width: channels of the network (C), a multiple of `num_heads`.
        num_heads: attention heads.
        mlp_ratio: hidden width of the feed-forward over C.
        text_dim: width of the phrase vectors; 0 without text.
        max_phrases: phrases that a prompt may have.

    Raises:
        ValueError: if a setting is out of range.
    """

    @register_to_config
    def __init__(
        self,
        side: int = 8,
        channels: int = 32,
        label_counts: Sequence[int] = (1,),
        depth: int = 4,
        width: int = 128,
        num_heads: int = 4,
        mlp_ratio: float = MLP_RATIO,
        text_dim: int = 0,
        max_phrases: int = MAX_PHRASES,
    ) -> None:
        super().__init__(
            sides=[side],
            vocab_size=channels,  # the head has an output for each channel of the latent
            code_dim=channels,
            label_counts=label_counts,
            depth=depth,
            width=width,
            num_heads=num_heads,
            mlp_ratio=mlp_ratio,
            shared_modulation=True,
            text_dim=text_dim,
            max_phrases=max_phrases,
        )
        self.start_embed.requires_grad_(False)  # nothing starts from the condition alone
        self.time = nn.Sequential(nn.Linear(TIME_WAVES, width), nn.SiLU(), nn.Linear(width, width))

    def own_settings(self) -> dict[str, Any]:
        """Arguments that make another network like this one."""
        names = signature(DiffusionTransformer.__init__).parameters
        return {name: self.config[name] for name in names if name != "self"}

    def velocity(self, latents: Tensor, times: Tensor, condition: Condition) -> Tensor:
        """Noise minus picture, as expected at some noisy latents.

        Args:
            latents: noisy latents, (B, D, H, W).
            times: their times, (B,) in [0, 1000]: 0 is the picture, 1000 is noise.
            condition: B rows.

        Returns:
            (B, D, H, W) float32.
        """
        latents = latents.to(self.head.weight.dtype)
        embedding, prefix = self._embedding(condition)
        embedding = embedding + self.time(waves(times).to(embedding.dtype))
        signal = F.silu(embedding)
        assert self.block_modulation is not None  # as `shared_modulation` asks for
        shared = self.block_modulation(signal).unflatten(1, (6, -1))  # (B, 6, C)
        head = self.head_modulation(signal).unflatten(1, (2, -1))
        head_scale, head_shift = head.unsqueeze(1).unbind(2)  # (B, 1, C) each
        hidden = self.input_proj(latents.flatten(2).transpose(1, 2)) + self._places()
        if prefix is not None:
            hidden = torch.cat((prefix, hidden), dim=1)
        for block in self.each_block():
            hidden = block(hidden, block.modulation_of(embedding, shared))
        hidden = modulate(
            hidden[:, self.num_prefix :], head_scale, head_shift, self.config["norm_eps"]
        )
        return self.head(hidden).float().transpose(1, 2).unflatten(2, latents.shape[2:])


def waves(times: Tensor) -> Tensor:
    """Cosines and sines of times at falling frequencies: (B,) -> (B, 64)."""
    half = TIME_WAVES // 2
    steps = torch.arange(half, device=times.device, dtype=torch.float32) / half
    angles = times.float().unsqueeze(1) * torch.exp(-math.log(MAX_PERIOD) * steps)
    return torch.cat((angles.cos(), angles.sin()), dim=1)
