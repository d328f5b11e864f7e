"""The networks that the benchmarks of drawing run: published shapes with random weights."""

from dataclasses import dataclass

import torch
from diffusers.models.modeling_utils import ModelMixin
from torch import nn

from var_core import MultiScaleVQVAE, VARPipeline, VARTransformer
from var_core.scales import SIDES_256
from var_core.tokenizer.initial_weights import init_tokenizer
from var_core.tokenizer.sketch_training import WIDTH
from var_core.tokenizer.vqvae import LEVEL_CHANNELS_OFFICIAL
from var_core.transformer import init_weights

CPU = torch.device("cpu")
HEAD_WIDTH = 64  # of all published transformers, whose heads are as many as their blocks


@dataclass(frozen=True)
class Shape:
    """Sizes of a pair of networks; the rest is as published.

    Attributes:
        depth: blocks, and heads.
        sides: of the token maps.
        channels: of the levels of the tokenizer, fine to coarse.
    """

    depth: int = 16
    sides: tuple[int, ...] = SIDES_256
    channels: tuple[int, ...] = LEVEL_CHANNELS_OFFICIAL

    @property
    def width(self) -> int:
        """Channels of the transformer."""
        return HEAD_WIDTH * self.depth


def random_pipeline(shape: Shape, device: torch.device = CPU) -> VARPipeline:
    """Networks of a shape as training starts them, float32: they cost the same as trained ones."""
    generator = torch.Generator(device).manual_seed(0)
    with device:  # a GPU makes two thousand million numbers at once
        transformer = VARTransformer(
            sides=shape.sides, depth=shape.depth, width=shape.width, num_heads=shape.depth
        )
        tokenizer = MultiScaleVQVAE(
            sides=shape.sides, level_channels=shape.channels, sketch_width=WIDTH
        )
    init_weights(transformer, generator)
    init_tokenizer(tokenizer, generator)
    return VARPipeline(
        tokenizer.eval().requires_grad_(False), transformer.eval().requires_grad_(False)
    )


def recast(pipeline: VARPipeline, dtype: torch.dtype) -> VARPipeline:
    """The same networks in another dtype, as `from_pretrained` would load them."""

    def twin_of(network: ModelMixin) -> ModelMixin:
        with torch.device("meta"):
            twin = type(network).from_config(network.config)
        twin.load_state_dict(network.state_dict(), assign=True)
        return nn.Module.to(twin.eval().requires_grad_(False), dtype)

    twins = twin_of(pipeline.tokenizer), twin_of(pipeline.transformer)
    return VARPipeline(*twins, pipeline.labels)


def guided_label(pipeline: VARPipeline) -> tuple[int | None, ...]:
    """A label that leaves the coarsest of several attributes open: both branches are drawn."""
    count = len(pipeline.labels.attributes)
    return tuple(None if column == 0 and count > 1 else 0 for column in range(count))
