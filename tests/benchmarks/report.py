"""What the benchmarks share: fair timing of several ways to do one thing, and how it is shown."""

import contextlib
import gc
import json
import os
import platform
import resource
import statistics
import time
import traceback
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
class LoneRow(Row):
    """A line of a table whose steps ran one after another.

    Attributes:
        a_second: pictures a second.
        peak_mib: largest memory of a GPU meanwhile, MiB; 0 elsewhere.
    """

    a_second: float
    peak_mib: float


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


def one_by_one(
    makers: Mapping[str, Callable[[], Callable[[], object]]],
    base: str,
    count: int,
    runs: int,
    device: torch.device,
    seconds: float,
) -> list[LoneRow]:
    """Time steps one after another: for a machine of one's own, whose memory holds one at a time.

    What fails is left out, with its traceback.

    Args:
        makers: functions that make the steps, by name; a step is dropped once it is timed.
        base: step that the times compare with.
        count: pictures of a step.
        runs: how many times each, after `WARM_UPS`.
        device: waited for, before and after each run.
        seconds: time after which a step is not run again; the first warm-up does not count.
    """
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    taken: dict[str, list[float]] = {}
    peaks: dict[str, float] = {}
    for name, make in makers.items():
        _forget(device)
        try:
            taken[name] = _timed(make(), runs, wait, seconds)
        except Exception:  # one way may fail where the others do not
            print(f"{name}: left out\n{traceback.format_exc()}", flush=True)
            continue
        if device.type == "cuda":
            peaks[name] = torch.cuda.max_memory_allocated(device) / 2**20
    _forget(device)
    rows = compare(taken, base if base in taken else next(iter(taken), base))
    return [
        LoneRow(
            **asdict(row),
            a_second=1000 * count / row.median_ms,
            peak_mib=peaks.get(row.name, 0.0),
        )
        for row in rows
    ]


def _timed(
    step: Callable[[], object], runs: int, wait: Callable[[], object], seconds: float
) -> list[float]:
    """Milliseconds of the runs of one step."""

    def run() -> float:
        wait()
        started = time.perf_counter()
        step()
        wait()
        return 1000 * (time.perf_counter() - started)

    run()  # compiles
    deadline = time.perf_counter() + seconds
    for _ in range(WARM_UPS - 1):
        run()
    taken = [run()]
    while len(taken) < runs and time.perf_counter() < deadline:
        taken.append(run())
    return taken


def _forget(device: torch.device) -> None:
    """Give the memory of earlier steps back, and count anew."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


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


def print_lone_rows(title: str, rows: Sequence[LoneRow]) -> None:
    """As `print_table`, with pictures a second and memory."""
    width = max((len(row.name) for row in rows), default=0)
    print(f"\n{title}\n{'':{width}}  median ms  fastest ms   times  a second  peak MiB")
    for row in rows:
        print(
            f"{row.name:{width}}  {row.median_ms:9.2f}  {row.fastest_ms:10.2f}  {row.times:6.2f}  "
            f"{row.a_second:8.1f}  {row.peak_mib:8.0f}",
            flush=True,
        )


def write_json(path: Path, described: Mapping, tables: Mapping[str, Sequence]) -> None:
    """The same figures for machines: what `described` says, and the rows of each table.

    Rows are dataclasses.
    """
    content = dict(described) | {name: [asdict(row) for row in t] for name, t in tables.items()}
    fresh = path.with_suffix(".new")  # somebody may be reading
    fresh.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    fresh.replace(path)
