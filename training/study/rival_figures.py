"""What is measured of a trained rival: options chosen, then figures after each part of training."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from training.data.scenes import Scene
from training.study.artists import Artist, Choice, DiffusionArtist, artist_of, choices_to_try
from training.study.drawing_costs import DIFFUSION_STEPS
from training.study.gauge import Draw, Gauge, condition_of, rounded
from training.study.points_file import PointsFile
from training.study.rival_runs import Rival, RivalRun
from training.study.settings import PYRAMID, RASTER, RivalSettings
from training.study.stages import STAGES, network_after, step_of
from var_core.checkpoints import load_tokenizer
from var_core.devices import pick_device

REAL, LATENTS = "real", "latents"
NUM_TOP_K = 5  # a fifth of all codes, as published (900 of 4,096)
GUIDED = 2.0


def drawer(gauge: Gauge, run: RivalRun, artist: Artist, choice: Choice) -> Draw:
    """How an artist draws scenes with some choice."""

    def draw(scenes: Sequence[Scene], seeds: Sequence[int]) -> Tensor:
        condition = condition_of(gauge.pictures, run.conditioning, scenes)
        return artist.draw(condition, choice, seeds)

    return draw


def rival_figures(rival: Rival, run: RivalRun, gauge: Gauge) -> dict[str, Any]:
    """All figures of a rival that is trained.

    Returns:
        For a method itself: `search`, every choice that was tried and its Frechet distance;
        `choice`, the best of them; `stages`, figures with it after each part of the training;
        for diffusion `by_steps`, figures with other numbers of steps. For VAR, raster and variants:
        `probes`, figures of given choices, for the ablation table.
    """
    artist = artist_of(run, network_after(run, 1.0))
    draws = partial(drawer, gauge, run)
    found: dict[str, Any] = {}
    if not isinstance(artist, DiffusionArtist):
        ways = probes(artist)
        found["probes"] = {name: gauge.quality(draws(artist, one)) for name, one in ways.items()}
    if rival.variant:
        return found
    choices = choices_to_try(artist)
    # rounded as they are written, so that the points say why; equals: the first, of fewer steps
    tried = [(one, rounded(gauge.tried_distance(draws(artist, one)))) for one in choices]
    best = min(tried, key=lambda pair: pair[1])[0]
    found["search"] = [one.to_json() | {"frechet": far} for one, far in tried]
    found["choice"] = best.to_json()
    found["stages"] = [
        {"part": part, "pictures": step_of(run, part) * run.total_batch}
        | gauge.figures(draws(artist_of(run, network_after(run, part)), best))
        for part in STAGES
    ]
    if isinstance(artist, DiffusionArtist):
        found["by_steps"] = {
            str(steps): gauge.quality(draws(artist, Choice(best.guidance, steps=steps)))
            for steps in DIFFUSION_STEPS
        }
    return found


def probes(artist: Artist) -> dict[str, Choice]:
    """The ways to draw of the ablation table: without, and with what is added one by one."""
    top_k = max(1, artist.network.config["vocab_size"] // NUM_TOP_K)
    return {
        "plain": Choice(),
        "top-k": Choice(top_k=top_k),
        "guided": Choice(GUIDED, top_k=top_k),
    }


def measure_limits(settings: RivalSettings, points: PointsFile, gauge: Gauge) -> None:
    """Write what drawings could reach at best: real scenes, and scenes through each tokenizer.

    Raises:
        OSError: if a point cannot be written.
    """
    if REAL not in points.points:
        points.add(REAL, {"kind": REAL} | gauge.real_figures())
    pyramid, raster = (load_tokenizer(settings.kept_tokenizer(name)) for name in (PYRAMID, RASTER))
    for tokenizer in (pyramid, raster):
        nn.Module.to(tokenizer, pick_device())

    def without_codes(images: Tensor) -> Tensor:
        return pyramid.decode_latent(pyramid.encode_features(images))

    for name, rebuild in {PYRAMID: pyramid, RASTER: raster, LATENTS: without_codes}.items():
        if through(name) not in points.points:
            draw = partial(rebuilt, gauge, rebuild)
            points.add(through(name), {"kind": "rebuilt"} | gauge.quality(draw))


def through(name: str) -> str:
    """Name of the point of scenes that went through a tokenizer."""
    return f"through-{name}"


@torch.inference_mode()
def rebuilt(
    gauge: Gauge,
    rebuild: Callable[[Tensor], Tensor],
    scenes: Sequence[Scene],
    seeds: Sequence[int],
) -> Tensor:
    """Real scenes after something was done to them, (N, 3, H, W) in [-1, 1]."""
    return rebuild(gauge.paint(scenes, seeds))
