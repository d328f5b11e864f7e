"""What drawing a picture costs each method: counted operations and measured seconds."""

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from training.study.diffusion_drawing import draw_latents
from training.study.diffusion_run import DiffusionRun
from training.study.line_drawing import draw_lines
from training.study.raster_run import RasterRun
from training.study.sized_run import SizedRun
from var_core.sampling import SamplingOptions, generators_from_seeds, sample_scales

GUIDANCE = 1.5
DIFFUSION_STEPS = (10, 25, 50, 250)
REPEATS = 3


def drawing_costs(run: SizedRun | RasterRun | DiffusionRun) -> dict[str, Any]:
    """Operations and seconds of one guided picture, decoded, by number of network evaluations."""
    return {str(steps): measured(draw) for steps, draw in ways_to_draw(run).items()}


def ways_to_draw(
    run: SizedRun | RasterRun | DiffusionRun,
) -> dict[int, Callable[[], Tensor]]:
    """Functions that draw one picture, by their evaluations of the network."""
    network = run.averaged()
    condition = network.null_condition()
    generators = partial(generators_from_seeds, [0], network.device)
    if isinstance(run, DiffusionRun):
        return {
            steps: partial(_diffuse, run, network, steps, generators) for steps in DIFFUSION_STEPS
        }
    options = SamplingOptions(guidance_scale=GUIDANCE).fitted(run.tokenizer.config["vocab_size"])
    if isinstance(run, RasterRun):

        def draw_raster() -> Tensor:
            return run.decode(draw_lines(network, run.codes, condition, options, generators()))

        return {network.schedule.num_scales: draw_raster}

    def draw_scales() -> Tensor:
        quantizer = run.tokenizer.quantizer
        *_, last = sample_scales(network, quantizer, condition, options, generators())
        return run.tokenizer.decode_latent(last.latent)

    return {network.schedule.num_scales: draw_scales}


def _diffuse(run: DiffusionRun, network: Any, steps: int, generators: Callable[[], Any]) -> Tensor:
    drawn = draw_latents(network, network.null_condition(), steps, GUIDANCE, generators())
    return run.latents.decode(drawn)


@torch.inference_mode()
def measured(draw: Callable[[], Tensor]) -> dict[str, float]:
    """Operations and median seconds of a call; the first call warms up, and is counted."""
    counter = FlopCounterMode(display=False)
    with counter:
        draw()
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        draw().cpu()  # waits for the device
        seconds.append(time.perf_counter() - start)
    return {"operations": float(counter.get_total_flops()), "seconds": statistics.median(seconds)}
