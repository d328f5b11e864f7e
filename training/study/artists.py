"""The three methods, asked to draw in one way: a condition, a choice of options, seeds."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from training.study.diffusion_drawing import draw_latents
from training.study.diffusion_network import DiffusionTransformer
from training.study.diffusion_run import DiffusionRun, SceneLatents
from training.study.line_drawing import draw_lines
from training.study.raster_run import RasterRun
from training.study.sized_run import SizedRun
from var_core.condition import Condition
from var_core.sampling import SamplingOptions, generators_from_seeds, sample_scales
from var_core.tokenizer import MultiScaleVQVAE
from var_core.transformer import VARTransformer

GUIDANCES = (0.0, 0.5, 1.0, 2.0, 4.0)  # that are tried
TRIED_TOP_P = (0.0, 0.9)  # of tokens; 0 keeps all codes
TRIED_STEPS = (25, 50)  # of diffusion


@dataclass(frozen=True)
class Choice:
    """How pictures are drawn.

    Attributes:
        guidance: weight of guidance: (1 + g) * conditional - g * unconditional. VAR's rises to it
            from scale to scale, as published.
        top_k: likeliest codes to draw among; 0 keeps all. Diffusion has none.
        top_p: mass of the likeliest codes to draw among; 0 keeps all. Diffusion has none.
        steps: evaluations of a diffusion network; the others have theirs.
    """

    guidance: float = 0.0
    top_k: int = 0
    top_p: float = 0.0
    steps: int = 0

    def to_json(self) -> dict[str, Any]:
        """What differs from plain drawing; guidance always."""
        found = asdict(self)
        return {name: one for name, one in found.items() if one or name == "guidance"}

    @property
    def options(self) -> SamplingOptions:
        """The options of tokens."""
        return SamplingOptions(guidance_scale=self.guidance, top_k=self.top_k, top_p=self.top_p)


class Artist(Protocol):
    """A trained network with all that it needs to draw."""

    @property
    def network(self) -> VARTransformer:
        """The network, which is conditioned as a VAR."""
        ...

    def draw(self, condition: Condition, choice: Choice, seeds: Sequence[int]) -> Tensor:
        """A picture for each row of a condition, (B, 3, H, W) in [-1, 1], on the network's device.

        Args:
            condition: B rows.
            choice: how to draw.
            seeds: B seeds, one for each picture.
        """
        ...


@dataclass(frozen=True, eq=False)
class ScaleArtist:
    """VAR: scale by scale."""

    network: VARTransformer
    tokenizer: MultiScaleVQVAE

    def draw(self, condition: Condition, choice: Choice, seeds: Sequence[int]) -> Tensor:
        """See `Artist`."""
        device = self.network.device
        generators = generators_from_seeds(seeds, device)
        quantizer, asked = self.tokenizer.quantizer, condition.to(device)
        *_, last = sample_scales(self.network, quantizer, asked, choice.options, generators)
        return self.tokenizer.decode_latent(last.latent)


@dataclass(frozen=True, eq=False)
class RasterArtist:
    """Next-token prediction: row by row."""

    network: VARTransformer
    tokenizer: MultiScaleVQVAE

    @torch.inference_mode()
    def draw(self, condition: Condition, choice: Choice, seeds: Sequence[int]) -> Tensor:
        """See `Artist`."""
        generators = generators_from_seeds(seeds, self.network.device)
        codes = self.tokenizer.quantizer.code_vectors()
        lines = draw_lines(self.network, codes, condition, choice.options, generators)
        return self.tokenizer.decode([lines.unflatten(1, self.tokenizer.schedule.final_shape)])


@dataclass(frozen=True, eq=False)
class DiffusionArtist:
    """Diffusion: step by step."""

    network: DiffusionTransformer
    latents: SceneLatents

    @torch.inference_mode()
    def draw(self, condition: Condition, choice: Choice, seeds: Sequence[int]) -> Tensor:
        """See `Artist`."""
        generators = generators_from_seeds(seeds, self.network.device)
        drawn = draw_latents(self.network, condition, choice.steps, choice.guidance, generators)
        return self.latents.decode(drawn)


def artist_of(run: SizedRun | RasterRun | DiffusionRun, network: VARTransformer) -> Artist:
    """The artist of a run with one of its networks."""
    if isinstance(run, DiffusionRun):
        assert isinstance(network, DiffusionTransformer)  # as of such a run
        return DiffusionArtist(network, run.latents)
    if isinstance(run, RasterRun):
        return RasterArtist(network, run.tokenizer)
    return ScaleArtist(network, run.tokenizer)


def choices_to_try(artist: Artist) -> list[Choice]:
    """The options that are searched: as many for each method."""
    if isinstance(artist, DiffusionArtist):
        return [Choice(g, steps=steps) for g in GUIDANCES for steps in TRIED_STEPS]
    return [Choice(g, top_p=top_p) for g in GUIDANCES for top_p in TRIED_TOP_P]
