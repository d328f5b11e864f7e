"""What the benchmarks share: fair timing of several ways to do one thing, and how it is shown."""

import contextlib
import json
import os
import platform
import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

WARM_UPS = 2  # the first one compiles, the second one finds its memory
SHORT = {torch.float32: "fp32", torch.bfloat16: "bf16"}
PROBE_SIDES = {"cpu": 2048, "cuda": 8192}  # of a matrix product that keeps the device busy
PROBE_BYTES = {"cpu": 1 << 28, "cuda": 1 << 31}  # more than any cache holds
PROBE_RUNS = 5


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes:
        name: of the thing timed.
        median_ms: milliseconds.
        fastest_ms: the least disturbed run, milliseconds.
        times: how many times as fast as the row that the table compares with.
    """

    name: str
    median_ms: float
    fastest_ms: float
    times: float


@dataclass(frozen=True)
class Rates:
    """The best that a device does in one dtype.

    Attributes:
        gflops: of one large matrix product, 10^9 a second.
        gigabytes: read and written by one large copy, 10^9 a second.
    """

    gflops: float
    gigabytes: float


def host(device: torch.device) -> dict:
    """The machine, as far as it bears on speed."""
    lines = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    names = [line.split(":")[1].strip() for line in lines.splitlines() if "model name" in line]
    described = {
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "bf16": "AMX"
        if torch.cpu._is_amx_tile_supported()
        else "AVX-512"
        if torch.cpu._is_avx512_bf16_supported()
        else "none",
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
    }
    return described | {"load": round(os.getloadavg()[0], 1)}


def alternate(
    steps: Mapping[str, Callable[[], object]], runs: int, device: torch.device
) -> dict[str, list[float]]:
    """Run all steps in turn, so that whatever disturbs the machine disturbs all of them.

    Args:
        steps: the things to time, by name.
        runs: how many times each, after `WARM_UPS`.
        device: waited for, before and after each run.

    Returns:
        Milliseconds of each run of each step.
    """
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    for step in steps.values():
        for _ in range(WARM_UPS):
            step()
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(runs):
        for name, step in steps.items():
            wait()
            started = time.perf_counter()
            step()
            wait()
            taken[name].append(1000 * (time.perf_counter() - started))
    return taken


def measure_rates(device: torch.device, dtype: torch.dtype) -> Rates:
    """Time one large matrix product and one large copy; the least disturbed run counts.

    On a CPU the product also runs with weights that oneDNN has packed, which may be much faster.
    """
    side = PROBE_SIDES[device.type]
    left, right = torch.randn(2, side, side, device=device).to(dtype)
    products: dict[str, Callable[[], object]] = {"plain": lambda: left @ right}
    if device.type == "cpu" and torch.backends.mkldnn.is_available():
        ops = torch.ops.mkldnn
        packed = ops._reorder_linear_weight(right, side)
        products["packed"] = lambda: ops._linear_pointwise(left, packed, None, "none", [], "")
    source = torch.ones(PROBE_BYTES[device.type], dtype=torch.uint8, device=device)  # real pages
    target = torch.empty_like(source)
    taken = alternate(products | {"copy": lambda: target.copy_(source)}, PROBE_RUNS, device)
    fastest = min(min(taken[name]) for name in products)
    return Rates(2e-6 * side**3 / fastest, 2e-6 * len(source) / min(taken["copy"]))


def peak_memory(run: Callable[[], object], device: torch.device) -> float:
    """MiB held at the worst moment of a call: on a GPU by torch, else by the whole process.

    Where Linux lets the process forget earlier peaks, they do not count.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        run()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) / 2**20
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    run()
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    peaks = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
    return (peaks or [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss])[0] / 1024


def compare(taken: Mapping[str, list[float]], base: str) -> list[Row]:
    """Medians, and how many times as fast as the row `base` each one is."""
    medians = {name: statistics.median(values) for name, values in taken.items()}
    return [
        Row(name, medians[name], min(values), medians[base] / medians[name])
        for name, values in taken.items()
    ]


def print_table(title: str, rows: list[Row], runs: int) -> None:
    """One line a row, under a title that says what the times compare with."""
    width = max(len(row.name) for row in rows)
    print(f"\n{title}\n{'':{width}}  median ms  fastest ms   times   (of {runs} runs)")
    for row in rows:
        print(f"{row.name:{width}}  {row.median_ms:9.1f}  {row.fastest_ms:10.1f}  {row.times:6.2f}")


def write_json(path: Path, described: Mapping, tables: Mapping[str, Sequence]) -> None:
    """The same figures for machines: what `described` says, and the rows of each table.

    Rows are dataclasses.
    """
    content = dict(described) | {name: [asdict(row) for row in t] for name, t in tables.items()}
    path.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
