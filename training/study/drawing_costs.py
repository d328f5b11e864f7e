"""What drawing a picture costs each method: counted operations and measured seconds."""

import logging
import time
from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from training.loop.stop_signals import StopFlag
from training.study.artists import Artist, Choice, DiffusionArtist
from var_core.condition import Condition

logger = logging.getLogger(__name__)

GUIDANCE = 1.5
DIFFUSION_STEPS = (10, 25, 50, 250)
ROUNDS = 10  # of one drawing by each method, of which the fastest counts

Draw = Callable[[], Tensor]


def guided_drawings(artist: Artist) -> dict[str, Draw]:
    """Ways to draw one guided picture, decoded, by number of network evaluations."""
    network = artist.network
    labels = torch.zeros(1, len(network.label_counts), dtype=torch.int64)
    # a label is asked for: guidance towards nothing would cost VAR half
    condition = Condition.of_labels(labels, network.num_prefix, network.text_dim)
    steps = [network.schedule.num_scales]
    if isinstance(artist, DiffusionArtist):
        steps = list(DIFFUSION_STEPS)
    return {
        str(one): partial(artist.draw, condition, Choice(GUIDANCE, steps=one), [0]) for one in steps
    }


def drawing_operations(artist: Artist) -> dict[str, float]:
    """Operations of one guided picture, decoded, by number of network evaluations."""
    return {steps: operations(draw) for steps, draw in guided_drawings(artist).items()}


@torch.inference_mode()
def operations(draw: Draw) -> float:
    """Floating-point operations of a call, after one that prepares what is kept.

    It is counted with the plain formula of attention, as not every fast kernel is known to the
    counter: on a CPU it would leave attention out.
    """
    draw()
    counter = FlopCounterMode(display=False)
    with sdpa_kernel(SDPBackend.MATH), counter:
        draw()
    return float(counter.get_total_flops())


def drawing_seconds(
    artists: Mapping[str, Artist], stop: StopFlag
) -> dict[str, dict[str, float]] | None:
    """Seconds of one guided picture, decoded, by artist and number of network evaluations.

    All take turns, so that whatever else the machine does meets all of them, and the fastest of
    ten rounds counts: what a drawing takes where nothing disturbs it.

    Args:
        artists: artists by name.
        stop: request to stop.

    Returns:
        Seconds; None if it was stopped.
    """
    draws = {name: guided_drawings(artist) for name, artist in artists.items()}
    best = {name: dict.fromkeys(some, float("inf")) for name, some in draws.items()}
    for number in range(1 + ROUNDS):  # the first one prepares what is kept
        for name, some in draws.items():
            for steps, draw in some.items():
                if stop.is_set:
                    return None
                seconds = seconds_of(draw)
                if number:
                    best[name][steps] = min(best[name][steps], seconds)
        logger.info("seconds of drawings: %d of %d rounds", number, ROUNDS)
    return best


@torch.inference_mode()
def seconds_of(draw: Draw) -> float:
    """Seconds of a call."""
    start = time.perf_counter()
    draw().cpu()  # waits for the device
    return time.perf_counter() - start
