"""Which kernels a GPU spends its time in: `python -m tests.benchmarks.gpu_profile --out FILE`.

Drawing as it is and by CUDA graphs, and a training step. For each: how much of the time some kernel
runs, and the kernels that take the longest.
"""

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from tests.benchmarks import gpu_drawing, versus_official
from tests.benchmarks.networks import Shape, random_pipeline, recast
from tests.benchmarks.report import host, write_json
from tests.benchmarks.train_step import OurStep, Sizes
from var_core.devices import pick_device

KERNELS = 30  # listed
WARM_UPS = 3


@dataclass(frozen=True)
class ProfileRow:
    """Where the time of one step goes.

    Attributes:
        name: of the step.
        whole_ms: milliseconds without the profiler.
        kernels_ms: in kernels of the GPU.
        num_kernels: launched.
    """

    name: str
    whole_ms: float
    kernels_ms: float
    num_kernels: int


def profiled(name: str, step: Callable[[], object], device: torch.device) -> tuple[ProfileRow, str]:
    """Times of one step, and its kernels as a table; operators on a CPU."""
    is_gpu = device.type == "cuda"
    wait = torch.cuda.synchronize if is_gpu else lambda: None
    for _ in range(WARM_UPS):
        step()
    wait()
    started = time.perf_counter()
    step()
    wait()
    whole = 1000 * (time.perf_counter() - started)
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # else it reports its start and stop
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * is_gpu
    with profile(activities=activities) as profiler:
        step()
        wait()
    averages = profiler.key_averages()
    on_gpu = [e for e in averages if e.device_type == torch.autograd.DeviceType.CUDA]
    kernels = [e for e in on_gpu if not getattr(e, "is_user_annotation", False)]
    busy = sum(event.self_device_time_total for event in kernels) / 1000
    order = "self_cuda_time_total" if is_gpu else "self_cpu_time_total"
    table = averages.table(sort_by=order, row_limit=KERNELS, max_name_column_width=90)
    return ProfileRow(name, whole, busy, sum(event.count for event in kernels)), table


def drawing_makers(
    shape: Shape, batches: tuple[int, ...], device: torch.device
) -> dict[str, Callable[[], Callable[[], object]]]:
    """Drawing, as it is and by CUDA graphs."""
    pipeline = recast(random_pipeline(shape, device), torch.bfloat16)
    ways = ("eager", "graphs") if device.type == "cuda" else ("eager",)
    return {
        f"drawing {size}, {name}": lambda size=size, name=name: gpu_drawing.our_step(
            pipeline, versus_official.labels_of(size), gpu_drawing.WAYS[name], ""
        )
        for size in batches
        for name in ways
    }


def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="file for the tables of kernels")
    parser.add_argument("--depth", type=int, default=Shape.depth, help="blocks; width / 64")
    parser.add_argument("--sides", type=int, nargs="+", default=Shape.sides)
    parser.add_argument("--channels", type=int, nargs="+", default=Shape.channels)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 64], help="pictures at once")
    parser.add_argument("--batch-size", type=int, default=32, help="of the training step")
    parser.add_argument("--compiler", default="inductor", help="backend of torch.compile")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args(argv)
    device, sides = pick_device(), tuple(arguments.sides)
    shape = Shape(arguments.depth, sides, tuple(arguments.channels))
    sizes = Sizes(arguments.depth, arguments.batch_size, sides)
    makers = drawing_makers(shape, tuple(arguments.batch), device)
    makers["training step"] = lambda: OurStep(sizes, device, torch.bfloat16, arguments.compiler)
    rows: list[ProfileRow] = []
    with arguments.out.open("w") as file:
        for name, make in makers.items():
            row, table = profiled(name, make(), device)
            rows.append(row)
            print(
                f"{name}: {row.whole_ms:.2f} ms, kernels {row.kernels_ms:.2f} ms, "
                f"{row.num_kernels} of them",
                flush=True,
            )
            print(f"== {name}\n{table}", file=file, flush=True)
            if arguments.json:
                write_json(arguments.json, {"host": host(device)}, {"profile": rows})


if __name__ == "__main__":
    main()
