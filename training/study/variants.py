"""VAR without one of its parts, or with one of our own options: the rows of the ablation table."""

from dataclasses import dataclass, field, replace
from typing import Any, cast

import torch
import torch.nn.functional as F

from training.data.scenes.pictures import ScenePictures
from training.loop.checkpoint import step_generator
from training.study.sized_run import SizedRun
from training.transformer.new_transformer import network_settings
from training.transformer.settings import TransformerSettings
from var_core.condition import Condition
from var_core.transformer import VARTransformer, init_weights
from var_core.transformer.embedded_condition import EmbeddedCondition


class PlainNormTransformer(VARTransformer):
    """VAR whose norms treat all pictures alike: it is told what to draw by tokens alone.

    Scales, shifts and gates are learned, as those of a usual block. What they were derived from
    stays in the network unused, so that its parameters are counted as before.
    """

    def embed(self, condition: Condition) -> EmbeddedCondition:
        """As of a VAR, but for modulations that depend on nothing."""
        found = super().embed(condition)
        nothing = F.silu(torch.zeros_like(found.embedding))
        assert self.block_modulation is not None  # as of all networks of the study
        shared = self.block_modulation(nothing).unflatten(1, (6, -1))  # (B, 6, C)
        head = self.head_modulation(nothing).unflatten(1, (2, -1))
        head_scale, head_shift = head.unsqueeze(1).unbind(2)  # (B, 1, C) each
        blocks = tuple(block.modulation_of(nothing, shared) for block in self.each_block())
        return found._replace(blocks=blocks, head_scale=head_scale, head_shift=head_shift)

    @torch.no_grad()
    def open_gates(self) -> None:
        """Let every branch count from the first step on, as those of a usual pre-norm block do.

        Gates that start closed belong to adaptive norms (arXiv 2212.09748).
        """
        for block in self.each_block():
            assert block.modulation_offset is not None  # as of all networks of the study
            block.modulation_offset[:, :2] = 1.0


@dataclass(frozen=True)
class Variant:
    """What differs from the VAR of the comparison.

    Attributes:
        title: words for tables.
        network: changed settings of the network.
        training: changed settings of the run.
        has_adaptive_norm: whether norms depend on what is asked for.
        coarse_first: whether half of the run learns without the finest scale.
    """

    title: str
    network: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    has_adaptive_norm: bool = True
    coarse_first: bool = False

    def settings(self, own: TransformerSettings, num_scales: int) -> TransformerSettings:
        """The settings of its run."""
        changed = dict(self.training)
        if self.coarse_first:
            changed |= {"num_scales": num_scales - 1, "coarse_part": 0.5}
        return replace(own, **changed)


VARIANTS = {
    "plain-norm": Variant("without adaptive norm", has_adaptive_norm=False),
    "no-qk-norm": Variant("without normed queries and keys", network={"qk_norm": False}),
    "self-correction": Variant("self-correction 0.1", training={"self_correction": 0.1}),
    "scale-weights": Variant("coarse scales weigh more", training={"scale_weight_power": 0.5}),
    "coarse-first": Variant("finest scale in the second half alone", coarse_first=True),
}


class VariantRun(SizedRun):
    """Trains a variant.

    Args:
        settings: settings of the run, those of the variant.
        pictures: scenes of the tokenizer's side.
        num_validation: scenes of the pool to measure with.
        variant: what differs in the network.
    """

    def __init__(
        self,
        settings: TransformerSettings,
        pictures: ScenePictures,
        num_validation: int,
        variant: Variant,
    ) -> None:
        self.variant = variant
        super().__init__(settings, pictures, num_validation)

    @property
    def kind(self) -> type[VARTransformer]:
        """Type of the network."""
        return VARTransformer if self.variant.has_adaptive_norm else PlainNormTransformer

    def new_network(self) -> VARTransformer:
        """The network with the weights it starts from, float32 on the CPU."""
        usual = network_settings(
            self.settings, self.pictures, self.tokenizer.config, self.conditioning
        )
        network = self.kind(**usual | self.variant.network)
        init_weights(network, step_generator(self.settings.seed, -1))
        if isinstance(network, PlainNormTransformer):
            network.open_gates()
        self.conditioning.start(network)
        return network

    def averaged(self) -> VARTransformer:
        """The network with the averaged weights, float32, in eval mode."""
        network = cast(VARTransformer, self.kind.from_config(self.transformer.config))
        network.load_state_dict(self.average.tensors)
        return network.to(self.accelerator.device).eval()
