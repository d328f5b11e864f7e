"""Times drawing: `python -m tests.benchmarks.draw`.

The embedded model, another folder, or a published shape with random weights. For each batch size:
the first preview, whole pictures with and without previews, where the time goes by part and scale,
and beside it a floor: the counted work at the rates that this machine reaches in one large matrix
product and one large copy. Nothing is asserted.
"""

import argparse
import contextlib
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from unittest import mock

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.networks import Shape, guided_label, random_pipeline, recast
from tests.benchmarks.parts import (
    Amounts,
    PartRow,
    count_flops,
    matrix_share,
    part_rows,
    print_parts,
    time_parts,
    weight_bytes,
)
from tests.benchmarks.report import (
    SHORT,
    Rates,
    Row,
    alternate,
    compare,
    host,
    measure_rates,
    peak_memory,
    print_table,
    write_json,
)
from var_core import VARPipeline, VARPipelineOutput, generators_from_seeds
from var_core.devices import PRECISIONS, pick_device, pick_dtype
from var_core.network_methods import GRAPHS_VARIABLE
from var_core.official.catalogue import EMBEDDED_FOLDER
from var_core.transformer import BACKENDS
from var_core.transformer.attention_kernels import ENVIRONMENT_VARIABLE

BATCHES = {"cpu": (1, 4), "cuda": (1, 2, 4, 8, 16, 32, 64)}
PART_RUNS = 3
FIRST, PREVIEWS, WHOLE = "first preview", "whole with previews", "whole"
GRAPHS = "whole, CUDA graphs"


class TimedDrawing:
    """Draws one batch in the three ways that are timed.

    Args:
        pipeline: draws.
        batch_size: pictures.
        backend: attention kernel.
        graphs: whether a GPU replays what it has drawn before.
    """

    def __init__(
        self,
        pipeline: VARPipeline,
        batch_size: int,
        backend: str = "auto",
        graphs: bool = False,
    ) -> None:
        self.pipeline = pipeline
        self.labels = [guided_label(pipeline)] * batch_size
        self.environment = {ENVIRONMENT_VARIABLE: backend, GRAPHS_VARIABLE: str(int(graphs))}

    def first_preview(self) -> None:
        """Up to the picture after the first scale."""
        with self._kernel(), contextlib.closing(self._stream()) as previews:
            next(previews)

    def with_previews(self) -> None:
        """All scales, each decoded."""
        with self._kernel():
            for _ in self._stream():
                pass

    def whole(self) -> VARPipelineOutput:
        """All scales, only the last one decoded."""
        with self._kernel():
            return self.pipeline(self.labels, generator=self._generators())

    def _stream(self) -> Iterator:
        return self.pipeline.stream(self.labels, generator=self._generators())

    def _generators(self) -> list[torch.Generator]:
        return generators_from_seeds(range(len(self.labels)), self.pipeline.device)

    def _kernel(self) -> contextlib.AbstractContextManager:
        return mock.patch.dict(os.environ, self.environment)


def steps_of(
    pipelines: dict[str, VARPipeline], batch_size: int, backends: Sequence[str]
) -> dict[str, Callable[[], object]]:
    """Everything to time for one batch size, by name."""
    steps: dict[str, Callable[[], object]] = {}
    for precision, pipeline in pipelines.items():
        drawing = TimedDrawing(pipeline, batch_size)
        steps[f"{precision}, {FIRST}"] = drawing.first_preview
        steps[f"{precision}, {PREVIEWS}"] = drawing.with_previews
        steps[f"{precision}, {WHOLE}"] = drawing.whole
        if pipeline.device.type == "cuda":
            graphs = TimedDrawing(pipeline, batch_size, graphs=True)
            steps[f"{precision}, {GRAPHS}"] = graphs.whole
        for backend in backends:
            forced = TimedDrawing(pipeline, batch_size, backend)
            try:
                forced.first_preview()
            except ValueError as error:
                print(f"{precision}, {WHOLE}, {backend}: left out, {error}")
                continue
            steps[f"{precision}, {WHOLE}, {backend}"] = forced.whole
    return steps


def measure_parts(
    pipeline: VARPipeline, batch_size: int, runs: int, flops: Amounts, rates: Rates
) -> list[PartRow]:
    """Where the time of whole pictures without previews goes: medians over runs.

    Args:
        pipeline: draws.
        batch_size: pictures.
        runs: of which the medians are taken.
        flops: of one picture.
        rates: of the machine.
    """
    device, draw = pipeline.device, TimedDrawing(pipeline, batch_size).whole
    found, wholes = defaultdict(list), []
    for _ in range(runs):
        taken, whole = time_parts(pipeline, draw, device)
        wholes.append(whole)
        for key, value in taken.items():
            found[key].append(value)
    return part_rows(
        {key: statistics.median(values) for key, values in found.items()},
        statistics.median(wholes),
        {key: batch_size * value for key, value in flops.items()},
        weight_bytes(pipeline),
        rates,
        pipeline.transformer.schedule.num_scales,
    )


def facts_of(rows: list[Row], precision: str, pipeline: VARPipeline, batch_size: int) -> dict:
    """What follows from the times of one precision, and what one more drawing tells."""
    times = {row.name: row.median_ms for row in rows}
    whole, previews = times[f"{precision}, {WHOLE}"], times[f"{precision}, {PREVIEWS}"]
    drawing, device = TimedDrawing(pipeline, batch_size), pipeline.device
    return {
        "previews cost %": round(100 * (previews / whole - 1), 1),
        "pictures a second": round(1000 * batch_size / whole, 3),
        "matrix products %": round(100 * matrix_share(drawing.whole, device), 1),
        "peak MiB": round(peak_memory(drawing.with_previews, device)),
    }


def measure(
    pipelines: dict[str, VARPipeline],
    batches: Sequence[int],
    runs: int,
    backends: Sequence[str],
    save: Callable[[dict, dict], object],
) -> None:
    """Time all batch sizes; print tables as they come.

    Args:
        pipelines: the same model by precision; all of them take turns.
        batches: pictures at once.
        runs: of each row.
        backends: attention kernels to force in rows of their own.
        save: called after each batch size with rates and facts, and with the tables by title.
    """
    first = next(iter(pipelines.values()))
    device, sides = first.device, first.transformer.schedule.sides
    flops = count_flops(first, TimedDrawing(first, 1, "sdpa").whole)
    rates = {name: measure_rates(device, p.transformer.dtype) for name, p in pipelines.items()}
    for name, found in rates.items():
        print(f"{name}: {found.gflops:.0f} GFLOP/s, {found.gigabytes:.1f} GB/s")
    described = {"rates": {name: vars(found) for name, found in rates.items()}, "facts": {}}
    tables: dict[str, list[Row] | list[PartRow]] = {}
    for batch_size in batches:
        taken = alternate(steps_of(pipelines, batch_size, backends), runs, device)
        base = f"{next(iter(pipelines))}, {WHOLE}"
        tables[f"batch {batch_size}"] = rows = compare(taken, base)
        print_table(f"batch {batch_size}; times: against {base!r}", rows, runs)
        for precision, pipeline in pipelines.items():
            name = f"batch {batch_size}, {precision}"
            found = facts_of(rows, precision, pipeline, batch_size)
            described["facts"][name] = found
            parts = measure_parts(
                pipeline, batch_size, min(PART_RUNS, runs), flops, rates[precision]
            )
            tables[f"{name}, parts"] = parts
            print_parts(f"{name}: milliseconds, only the last scale decoded", parts, sides)
            print(", ".join(f"{key} {value}" for key, value in found.items()), flush=True)
        save(described, tables)


def load(arguments: argparse.Namespace, device: torch.device) -> dict[str, VARPipeline]:
    """The model in every precision asked for, by its short name."""
    dtypes = dict.fromkeys(pick_dtype(device, name) for name in arguments.precision)
    if arguments.depth is None:
        found = [VARPipeline.from_pretrained(arguments.model, torch_dtype=d) for d in dtypes]
    else:
        shape = Shape(arguments.depth, tuple(arguments.sides), tuple(arguments.channels))
        drawn = random_pipeline(shape, device)
        found = [recast(drawn, d) for d in dtypes]
    return {SHORT[d]: one.to(device) for d, one in zip(dtypes, found, strict=True)}


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=EMBEDDED_FOLDER)
    parser.add_argument("--depth", type=int, help="random weights; 16, 20, 24 and 30 are published")
    parser.add_argument("--sides", type=int, nargs="+", default=Shape.sides, help="with --depth")
    parser.add_argument("--channels", type=int, nargs="+", default=Shape.channels, help="likewise")
    parser.add_argument("--batch", type=int, nargs="+", help="pictures at once")
    parser.add_argument("--precision", choices=PRECISIONS, nargs="+", default=["auto"])
    parser.add_argument("--backends", choices=BACKENDS[1:], nargs="*", help="attention kernels")
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--json", type=Path, help="file for the figures")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    arguments = parse_args(argv)
    device = pick_device()
    batches, backends = arguments.batch or BATCHES[device.type], arguments.backends
    if backends is None:
        backends = ("sdpa", "xformers") if device.type == "cuda" else ()
    started = time.perf_counter()
    pipelines = load(arguments, device)
    loaded = time.perf_counter() - started
    million = next(iter(pipelines.values())).info.num_parameters / 1e6
    name = arguments.model.name if arguments.depth is None else f"d{arguments.depth}, random"
    model = {"model": name, "million parameters": round(million, 1), "loaded s": round(loaded, 2)}
    described = {"host": host(device), "model": model}
    print(
        *(f"{key} {value}" for part in described.values() for key, value in part.items()), sep=", "
    )

    def save(found: dict, tables: dict) -> None:
        if arguments.json:
            write_json(arguments.json, described | found, tables)

    measure(pipelines, batches, arguments.runs, backends, save)


if __name__ == "__main__":
    main()
