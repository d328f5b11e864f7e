"""Drawing against DiT-XL/2 of diffusers at 256 pixels: `python -m tests.benchmarks.versus_dit`.

Both sides have random weights, guidance on, and take turns in one process. The pipeline of
diffusers runs a few steps; its times at 25 and 250 steps follow from the measured ones: the same
run with more of the measured step. FLOPs do not depend on the weights.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from unittest import mock

import torch
from torch import nn

from tests.benchmarks.networks import Shape, random_pipeline, recast
from tests.benchmarks.report import SHORT, Row, alternate, compare, host, print_table, write_json
from var_core import VARPipeline, generators_from_seeds
from var_core.devices import pick_device
from var_core.network_methods import GRAPHS_VARIABLE

MEASURED_STEPS = 4  # three intervals
STEP_COUNTS = (25, 250)  # of the example in the documentation of diffusers, and of the paper
GUIDANCE = 4.0  # the default there
NUM_CLASSES = 1000
LATENT_SIDE = 32  # a factor of 8 below 256 pixels


@dataclass(frozen=True)
class DiTShape:
    """Sizes of the other side; the defaults are DiT-XL/2 and the autoencoder sd-vae-ft.

    Attributes:
        layers: blocks.
        heads: of attention, 72 channels each.
        channels: of the levels of the autoencoder, fine to coarse.
    """

    layers: int = 28
    heads: int = 16
    channels: tuple[int, ...] = (128, 256, 512, 512)


class DiTDrawing:
    """The pipeline of diffusers with random weights.

    Args:
        shape: of the networks.
        dtype: of the weights.
        device: where they are.
    """

    def __init__(self, shape: DiTShape, dtype: torch.dtype, device: torch.device) -> None:
        # imported late: var_core comes before it and keeps xformers quiet
        from diffusers import AutoencoderKL, DDIMScheduler, DiTPipeline, DiTTransformer2DModel

        num_levels = len(shape.channels)
        with device:  # where many random numbers are soon made
            transformer = DiTTransformer2DModel(
                num_attention_heads=shape.heads,
                attention_head_dim=72,
                in_channels=4,
                out_channels=8,
                num_layers=shape.layers,
                sample_size=LATENT_SIDE,
                patch_size=2,
                num_embeds_ada_norm=NUM_CLASSES,
            )
            autoencoder = AutoencoderKL(
                block_out_channels=shape.channels,
                down_block_types=("DownEncoderBlock2D",) * num_levels,
                up_block_types=("UpDecoderBlock2D",) * num_levels,
                layers_per_block=2,
                latent_channels=4,
                sample_size=8 * LATENT_SIDE,
            )
        for network in (transformer, autoencoder):
            nn.Module.to(network, device, dtype).eval().requires_grad_(False)
        self.pipeline = DiTPipeline(transformer, autoencoder, DDIMScheduler())
        self.pipeline.set_progress_bar_config(disable=True)
        self.device = device
        self.intervals: list[float] = []  # milliseconds of one step, a mean for each run
        self._entered: list[float] = []
        transformer.register_forward_pre_hook(lambda *_: self._enter())

    def __call__(self) -> None:
        """Draw one picture in a few steps."""
        self._entered.clear()
        self.pipeline(
            [0],
            guidance_scale=GUIDANCE,
            num_inference_steps=MEASURED_STEPS,
            generator=generators_from_seeds([0], self.device),
            output_type="np",
        )
        first, *_, last = self._entered
        self.intervals.append(1000 * (last - first) / (MEASURED_STEPS - 1))

    def _enter(self) -> None:
        """Note when a step begins; from one beginning to the next everything in it is counted."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self._entered.append(time.perf_counter())


def our_step(pipeline: VARPipeline, graphs: bool = False) -> Callable[[], object]:
    """One picture of ours, previews off; on a GPU perhaps by CUDA graphs."""

    def draw() -> None:
        with mock.patch.dict(os.environ, {GRAPHS_VARIABLE: str(int(graphs))}):
            pipeline(
                [0],
                GUIDANCE,
                generator=generators_from_seeds([0], pipeline.device),
                output_type="np",
            )

    return draw


def measure(
    depths: Sequence[int],
    ours: Shape,
    theirs: DiTShape,
    runs: int,
    dtypes: Sequence[torch.dtype],
    device: torch.device,
) -> dict[str, list[Row]]:
    """For each precision, what was measured, and what follows for more steps.

    Args:
        depths: of our transformers.
        ours: the other sizes of our networks.
        theirs: sizes of the other side.
        runs: of each row.
        dtypes: of the weights.
        device: where all runs.
    """
    others = {SHORT[dtype]: DiTDrawing(theirs, dtype, device) for dtype in dtypes}
    steps: dict[str, Callable[[], object]] = {}
    for depth in depths:
        drawn = random_pipeline(Shape(depth, ours.sides, ours.channels), device)
        for dtype in dtypes:
            pipeline = recast(drawn, dtype)
            steps[f"ours, d{depth}, {SHORT[dtype]}"] = our_step(pipeline)
            if device.type == "cuda":
                name = f"ours, d{depth}, CUDA graphs, {SHORT[dtype]}"
                steps[name] = our_step(pipeline, graphs=True)
    few = {name: f"DiT, {MEASURED_STEPS} steps, {name}" for name in others}
    steps |= {few[name]: other for name, other in others.items()}
    taken = alternate(steps, runs, device)
    tables = {}
    for name, other in others.items():
        measured = {key: values for key, values in taken.items() if key.endswith(name)}
        longer = {key: values for key, values in measured.items() if key.startswith("ours")}
        measured[f"DiT, one step, {name}"] = other.intervals[-runs:]
        step = statistics.median(other.intervals[-runs:])
        for count in STEP_COUNTS:
            longer[f"DiT, {count} steps, {name}"] = [
                whole + (count - MEASURED_STEPS) * step for whole in taken[few[name]]
            ]
        base = next(iter(measured))
        tables[f"{name}, measured"] = compare(measured, base)
        tables[f"{name}, from measured steps"] = compare(longer, base)
    return tables


def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--depth", type=int, nargs="+", default=[Shape.depth], help="of ours")
    parser.add_argument("--sides", type=int, nargs="+", default=Shape.sides)
    parser.add_argument("--channels", type=int, nargs="+", default=Shape.channels)
    parser.add_argument("--dit-layers", type=int, default=DiTShape.layers)
    parser.add_argument("--dit-heads", type=int, default=DiTShape.heads)
    parser.add_argument("--dit-channels", type=int, nargs="+", default=DiTShape.channels)
    parser.add_argument("--precision", choices=SHORT.values(), nargs="+", default=SHORT.values())
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args(argv)
    ours = Shape(arguments.depth[0], tuple(arguments.sides), tuple(arguments.channels))
    theirs = DiTShape(arguments.dit_layers, arguments.dit_heads, tuple(arguments.dit_channels))
    device = pick_device()
    described = {"host": host(device), "ours": asdict(ours), "theirs": asdict(theirs)}
    print(
        *(f"{key} {value}" for part in described.values() for key, value in part.items()), sep=", "
    )
    dtypes = [dtype for dtype, name in SHORT.items() if name in arguments.precision]
    tables = measure(arguments.depth, ours, theirs, arguments.runs, dtypes, device)
    for title, rows in tables.items():
        print_table(f"one picture, {title}; times: against {rows[0].name!r}", rows, arguments.runs)
    if arguments.json:
        write_json(arguments.json, described, tables)


if __name__ == "__main__":
    main()
