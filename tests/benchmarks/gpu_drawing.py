"""Drawing on a GPU in all ways: `python -m tests.benchmarks.gpu_drawing`.

As the product does it, by CUDA graphs, compiled, and both; with `--official PATH` beside the
official code, after a look at the tokens of both in float32. The ways run one after another, and
what one of them cannot do costs the others nothing. The JSON file grows with every table.
"""

import argparse
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from unittest import mock

import torch
from torch import Tensor

from tests.benchmarks import versus_official
from tests.benchmarks.compiled_drawing import breaks_at_attention, compiled
from tests.benchmarks.networks import Shape, random_pipeline, recast
from tests.benchmarks.official_drawing import OfficialDrawing, Setting, no_tf32
from tests.benchmarks.report import LoneRow, host, one_by_one, print_lone_rows, write_json
from var_core import VARPipeline, generators_from_seeds
from var_core.devices import pick_device
from var_core.network_methods import GRAPHS_VARIABLE

NOTEBOOK = "official, its notebook"
COMPARED = 8  # pictures at most whose tokens are compared


@dataclass(frozen=True)
class Way:
    """How our networks are run.

    Attributes:
        graphs: whether scales are recorded as CUDA graphs.
        compiled: whether blocks and decoder are compiled.
        previews: whether every scale is decoded.
    """

    graphs: bool = False
    compiled: bool = False
    previews: bool = False


WAYS = {
    "eager": Way(),
    "previews": Way(previews=True),
    "graphs": Way(graphs=True),
    "compiled": Way(compiled=True),
    "compiled-graphs": Way(graphs=True, compiled=True),
}


def official_makers(
    official: OfficialDrawing, labels: list[int]
) -> dict[str, Callable[[], Callable[[], object]]]:
    """The official code as its notebook calls it, in bf16, and without autocast."""
    setting = Setting()
    half = torch.float16 if official.device.type == "cuda" else torch.bfloat16
    steps: dict[str, Callable[[], object]] = {
        NOTEBOOK: lambda: official.notebook(labels, setting, half),
        "official, its notebook in bf16": lambda: official.notebook(
            labels, setting, torch.bfloat16
        ),
        "official, float32": lambda: official.draw(labels, setting),
    }
    return {name: lambda step=step: step for name, step in steps.items()}


def our_step(
    pipeline: VARPipeline, labels: list[int], way: Way, compiler: str
) -> Callable[[], object]:
    """One drawing of ours; what it records or compiles is its own."""
    own = compiled(pipeline, compiler) if way.compiled else VARPipeline.from_pipe(pipeline)
    options = versus_official.options_of(Setting())

    def whole() -> None:
        own.draw(labels, options, generators(), "pt")

    def with_previews() -> None:
        for _ in own.stream(labels, options, generators(), "pt"):
            pass

    def generators() -> list[torch.Generator]:
        return generators_from_seeds(range(len(labels)), own.device)

    def step() -> None:
        with mock.patch.dict(os.environ, {GRAPHS_VARIABLE: str(int(way.graphs))}):
            (with_previews if way.previews else whole)()

    def compiled_step() -> None:
        with breaks_at_attention():
            step()

    return compiled_step if way.compiled else step


def our_makers(
    pipeline: VARPipeline, labels: list[int], ways: Sequence[str], compiler: str
) -> dict[str, Callable[[], Callable[[], object]]]:
    """What makes the steps of `our_step`, by name."""
    return {
        f"ours, {name}": lambda name=name: our_step(pipeline, labels, WAYS[name], compiler)
        for name in ways
    }


def compare_tokens(
    official: OfficialDrawing, batches: Sequence[int]
) -> list[versus_official.Agreement]:
    """Whether both sides draw the same tokens in float32."""
    pipeline = official.ours(torch.float32).to(official.device)
    sizes = [size for size in batches if size <= COMPARED]
    with no_tf32():
        found = versus_official.agreements(official, pipeline, sizes)
    for one in found:
        print(f"{one.name}: {one.equal_tokens} of {one.num_tokens} tokens equal", flush=True)
    return found


def share_alike(pipeline: VARPipeline, count: int) -> float:
    """Share of tokens that seeds give alone as well as in one batch."""
    labels, options = versus_official.labels_of(count), versus_official.options_of(Setting())

    def tokens(rows: range) -> Tensor:
        generators = generators_from_seeds(rows, pipeline.device)
        drawn = pipeline.draw([labels[row] for row in rows], options, generators, "pt")
        return torch.cat([tokens.flatten(1) for tokens in drawn.token_maps], dim=1)

    alone = torch.cat([tokens(range(row, row + 1)) for row in range(count)])
    return float((tokens(range(count)) == alone).float().mean())


def measure(
    arguments: argparse.Namespace, shape: Shape, device: torch.device
) -> dict[str, list[LoneRow] | list[versus_official.Agreement]]:
    """Time all batches; print tables and write them as they come."""
    tables: dict[str, list[LoneRow] | list[versus_official.Agreement]] = {}
    described: dict[str, object] = {"host": host(device), "shape": asdict(shape)}
    described["setting"] = asdict(Setting())
    official = None
    if arguments.official:
        official = OfficialDrawing(arguments.official, shape, device)
        try:
            tables["agreement"] = compare_tokens(official, arguments.batch)
        except RuntimeError:  # perhaps there is too little memory for float32
            traceback.print_exc(file=sys.stdout)
        pipeline = official.ours(torch.bfloat16).to(device)
    else:
        pipeline = recast(random_pipeline(shape, device), torch.bfloat16)
    described["share alike"] = share_alike(pipeline, COMPARED)
    print(f"seeds alone and among {COMPARED}: {described['share alike']:.4f} of tokens alike")
    for size in arguments.batch:
        labels = versus_official.labels_of(size)
        makers = {} if official is None else official_makers(official, labels)
        makers |= our_makers(pipeline, labels, arguments.ways, arguments.compiler)
        base = NOTEBOOK if official is not None else next(iter(makers))
        rows = one_by_one(makers, base, size, arguments.runs, device, arguments.seconds)
        title = f"batch {size}"
        tables[title] = rows
        print_lone_rows(f"d{shape.depth}, {title}; times: against {base!r}", rows)
        if arguments.json:
            write_json(arguments.json, described, tables)
    return tables


def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--official", type=Path, help="checkout of FoundationVision/VAR")
    parser.add_argument("--depth", type=int, default=Shape.depth, help="blocks; width / 64")
    parser.add_argument("--sides", type=int, nargs="+", default=Shape.sides)
    parser.add_argument("--channels", type=int, nargs="+", default=Shape.channels)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8, 64], help="pictures at once")
    parser.add_argument("--ways", choices=WAYS, nargs="+", default=list(WAYS))
    parser.add_argument("--compiler", default="inductor", help="backend of torch.compile")
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--seconds", type=float, default=3.0, help="of a row, after its warm-up")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args(argv)
    warnings.filterwarnings("ignore", category=FutureWarning)  # of the official code
    shape = Shape(arguments.depth, tuple(arguments.sides), tuple(arguments.channels))
    measure(arguments, shape, pick_device())


if __name__ == "__main__":
    main()
