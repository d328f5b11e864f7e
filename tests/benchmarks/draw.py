"""Times drawing with the embedded model: `python tests/benchmarks/draw.py`.

Prints medians over several runs after a warm-up: the first preview, the whole picture for one and
for four pictures, and the peak memory of the process. Nothing is asserted.
"""

import argparse
import resource
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from var_core import VARPipeline, generators_from_seeds
from var_core.devices import PRECISIONS, pick_device, pick_dtype
from var_core.pipeline import parameter_counts

EMBEDDED_MODEL = Path(__file__).resolve().parents[2] / "assets" / "models" / "emoji64"


def time_stream(pipeline: VARPipeline, label: tuple, count: int, seed: int) -> tuple[float, float]:
    """Milliseconds to the first preview and to the last."""
    generators = generators_from_seeds(range(seed, seed + count), pipeline.device)
    started = time.perf_counter()
    first = None
    for _ in pipeline.stream([label] * count, generator=generators):
        first = first or time.perf_counter()
    return (first - started) * 1000, (time.perf_counter() - started) * 1000


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=EMBEDDED_MODEL)
    parser.add_argument("--precision", choices=PRECISIONS, default="auto")
    parser.add_argument("--runs", type=int, default=11)
    arguments = parser.parse_args()
    device = pick_device()
    dtype = pick_dtype(device, arguments.precision)
    started = time.perf_counter()
    pipeline = VARPipeline.from_pretrained(arguments.model, torch_dtype=dtype).to(device)
    loaded = time.perf_counter() - started
    million = sum(parameter_counts(pipeline).values()) / 1e6
    print(f"{million:.1f} million parameters on {device} in {dtype}, loaded in {loaded:.2f} s")
    # the finest attribute alone: with labels given, both guidance branches are drawn
    label = tuple(None if column == 0 else 0 for column in range(len(pipeline.labels.attributes)))
    for count in (1, 4):
        time_stream(pipeline, label, count, 0)
        times = [time_stream(pipeline, label, count, seed) for seed in range(arguments.runs)]
        first, whole = (statistics.median(column) for column in zip(*times, strict=True))
        spread = max(t for _, t in times) / min(t for _, t in times)
        print(
            f"batch {count}: first preview {first:6.1f} ms, all scales with previews "
            f"{whole:6.1f} ms (median of {arguments.runs}, max/min {spread:.2f})"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:.0f} MiB")


if __name__ == "__main__":
    main()
