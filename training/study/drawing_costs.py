"""What drawing a picture costs each method: counted operations and measured seconds."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from training.study.artists import Artist, Choice, DiffusionArtist
from var_core.condition import Condition

GUIDANCE = 1.5
DIFFUSION_STEPS = (10, 25, 50, 250)
REPEATS = 3


def drawing_costs(artist: Artist) -> dict[str, Any]:
    """Operations and seconds of one guided picture, decoded, by number of network evaluations."""
    network = artist.network
    labels = torch.zeros(1, len(network.label_counts), dtype=torch.int64)
    # a label is asked for: guidance towards nothing would cost VAR half
    condition = Condition.of_labels(labels, network.num_prefix, network.text_dim)
    steps = [network.schedule.num_scales]
    if isinstance(artist, DiffusionArtist):
        steps = list(DIFFUSION_STEPS)
    return {
        str(one): measured(lambda one=one: artist.draw(condition, Choice(GUIDANCE, steps=one), [0]))
        for one in steps
    }


@torch.inference_mode()
def measured(draw: Callable[[], Tensor]) -> dict[str, float]:
    """Operations and median seconds of a call, after one that prepares what is kept.

    It is counted with the plain formula of attention, as not every fast kernel is known to the
    counter: on a CPU it would leave attention out.
    """
    draw()
    counter = FlopCounterMode(display=False)
    with sdpa_kernel(SDPBackend.MATH), counter:
        draw()
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        draw().cpu()  # waits for the device
        seconds.append(time.perf_counter() - start)
    return {"operations": float(counter.get_total_flops()), "seconds": statistics.median(seconds)}
