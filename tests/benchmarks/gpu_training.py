"""A training step on a GPU in all ways: `python -m tests.benchmarks.gpu_training`.

Eager and compiled, with other attention, sharded by FSDP2 on one device, and in larger batches;
with `--official PATH` beside the official trainer. `mfu` is the used part of the GPU's peak, by
the operations of our step. The ways run one after another, and the JSON file grows with them.
"""

import argparse
import contextlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import torch
import torch.distributed

from tests.benchmarks.official_drawing import tf32
from tests.benchmarks.official_training import OfficialSteps
from tests.benchmarks.report import LoneRow, host, one_by_one, print_lone_rows, write_json
from tests.benchmarks.train_step import OurStep, Sizes, network_of, settings_of
from training.loop.footprint import PASSES
from training.loop.speed import peak_of
from training.transformer.footprint import measured
from training.transformer.objective import TransformerObjective
from var_core.devices import pick_device

COMPILED = "compiled"


@dataclass(frozen=True)
class Way:
    """How our step is done.

    Attributes:
        is_compiled: whether blocks and loss are compiled.
        attention: as the trainer's setting.
        is_sharded: whether FSDP2 holds the weights.
        factor: size of the batch over that of the others.
    """

    is_compiled: bool = True
    attention: str = "auto"
    is_sharded: bool = False
    factor: int = 1


WAYS = {
    COMPILED: Way(),
    "eager": Way(is_compiled=False),
    "flex": Way(attention="flex"),
    "sdpa": Way(attention="sdpa"),
    "xformers": Way(attention="xformers"),
    "double": Way(factor=2),
    "fourfold": Way(factor=4),
    "fsdp": Way(is_sharded=True),
    "fsdp-eager": Way(is_compiled=False, is_sharded=True),
}


@dataclass(frozen=True)
class StepRow(LoneRow):
    """A way to do a training step.

    Attributes:
        batch_size: pictures.
        mfu: used part of the peak of the GPU; 0 where that is not known.
    """

    batch_size: int
    mfu: float


def count_flops(sizes: Sizes) -> int:
    """Floating-point operations of our step, forward and backward."""
    with torch.device("meta"):
        objective = TransformerObjective(network_of(sizes), settings_of(sizes))
    return PASSES * measured(objective, sizes.batch_size)[1]


@contextlib.contextmanager
def one_process(device: torch.device) -> Iterator[None]:
    """A process group of this process alone."""
    backend = "nccl" if device.type == "cuda" else "gloo"
    store = torch.distributed.HashStore()
    torch.distributed.init_process_group(backend, store=store, rank=0, world_size=1)
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


@contextlib.contextmanager
def searching() -> Iterator[None]:
    """CuDNN tries its kernels for each new shape."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def official_makers(
    checkout: Path, sizes: Sizes, device: torch.device
) -> dict[str, Callable[[], Callable[[], object]]]:
    """The steps of the official trainer, of one network; TF32 and cuDNN as it sets them."""

    @cache
    def built() -> dict[str, Callable[[], object]]:
        made = OfficialSteps(checkout, sizes.sides, sizes.depth, sizes.batch_size, device)
        return made.steps()

    def maker(name: str) -> Callable[[], Callable[[], object]]:
        def make() -> Callable[[], object]:
            step = built()[name]

            def as_set() -> None:
                with tf32(), searching():
                    step()

            return as_set

        return make

    return {name: maker(name) for name in OfficialSteps.NAMES}


def our_makers(
    sizes: Sizes, ways: Sequence[str], device: torch.device, compiler: str
) -> dict[str, Callable[[], Callable[[], object]]]:
    """What makes our steps, by name."""

    def maker(way: Way) -> Callable[[], Callable[[], object]]:
        return lambda: OurStep(
            replace(sizes, batch_size=way.factor * sizes.batch_size),
            device,
            torch.bfloat16,
            compiler if way.is_compiled else "",
            way.attention,
            way.is_sharded,
        )

    return {f"ours, {name}": maker(WAYS[name]) for name in ways}


def measure(arguments: argparse.Namespace, device: torch.device) -> dict[str, list[StepRow]]:
    """Time all ways; print the table and write it, as it grows."""
    sizes = Sizes(arguments.depth, arguments.batch_size, tuple(arguments.sides))
    described = {"host": host(device), "sizes": asdict(sizes), "flops": count_flops(sizes)}
    makers = {}
    if arguments.official:
        makers = official_makers(arguments.official, sizes, device)
    makers |= our_makers(sizes, arguments.ways, device, arguments.compiler)
    found: list[LoneRow] = []
    rows: list[StepRow] = []
    for name, make in makers.items():
        found += one_by_one(
            {name: make}, name, sizes.batch_size, arguments.runs, device, arguments.seconds
        )
        rows = step_rows(found, described["flops"], sizes.batch_size, peak_of(device))
        if arguments.json:
            write_json(arguments.json, described, {"steps": rows})
    print_lone_rows("training step; times: against the first, for one picture", rows)
    for row in rows:
        print(f"{row.name}: batch {row.batch_size}, mfu {100 * row.mfu:.1f} %", flush=True)
    return {"steps": rows}


def step_rows(found: Sequence[LoneRow], flops: int, batch_size: int, peak: float) -> list[StepRow]:
    """The table, in pictures of each row's own batch.

    Args:
        found: rows as timed.
        flops: operations of a step of `batch_size` pictures.
        batch_size: pictures of a step whose way has a factor of 1.
        peak: operations a second of the GPU.
    """
    rows = []
    for row in found:
        way = WAYS.get(row.name.removeprefix("ours, "), Way())
        a_second = way.factor * row.a_second
        mfu = a_second / batch_size * flops / peak if peak else 0.0
        figures = asdict(row) | {"a_second": a_second, "times": a_second / found[0].a_second}
        rows.append(StepRow(**figures, batch_size=way.factor * batch_size, mfu=round(mfu, 4)))
    return rows


def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--official", type=Path, help="checkout of FoundationVision/VAR")
    parser.add_argument("--depth", type=int, default=16, help="blocks; width / 64")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--sides", type=int, nargs="+", default=Sizes.sides)
    parser.add_argument("--ways", choices=WAYS, nargs="+", default=list(WAYS))
    parser.add_argument("--compiler", default="inductor", help="backend of torch.compile")
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--seconds", type=float, default=3.0, help="of a row, after its warm-up")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args(argv)
    warnings.filterwarnings("ignore", category=FutureWarning)  # of the official code
    device = pick_device()
    needs_group = any(WAYS[name].is_sharded for name in arguments.ways)
    with one_process(device) if needs_group else contextlib.nullcontext():
        measure(arguments, device)


if __name__ == "__main__":
    main()
