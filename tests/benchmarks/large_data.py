"""A large picture set: how fast it is prepared and encoded, with how much memory, also when killed.

`python -m tests.benchmarks.large_data --out FOLDER --pictures 100000`

It makes synthetic JPEG pictures of 256 pixels in .tar shards: a maker of this kind is of no use to
anybody who trains, so it lies here. They go through `training.prepare.shards` and
`training.prepare.tokens`, each in two processes that are killed halfway and run again, and once
more undisturbed; the tokens must be the same to the byte. The tokenizer is a tiny one with the
published scales, as a real one would take days on a CPU: what is measured is all but the network.
"""

import argparse
import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import torch
from PIL import Image

from var_core.scales import SIDES_256
from var_core.tokenizer import MultiScaleVQVAE
from var_core.tokenizer.initial_weights import init_tokenizer

ROOT = Path(__file__).parents[2]
SIDE, QUALITY, CLASSES = 256, 92, 1000
IMAGENET = 1_281_167
STEP = 0.2  # seconds between two looks at memory
LAYERS = 4  # waves that a picture is composed of


def make_pictures(folder: Path, count: int, per_shard: int) -> None:
    """Write shards of pictures: sums of coloured waves and grain, with classes and captions."""
    folder.mkdir(parents=True, exist_ok=True)
    ramp = np.linspace(-np.pi, np.pi, SIDE, dtype=np.float32)
    grain = np.random.default_rng(0).normal(0, 9, (2 * SIDE, 2 * SIDE, 1)).astype(np.float32)
    for first in range(0, count, per_shard):
        path = folder / f"{first // per_shard:06d}.tar"
        if path.exists():
            continue
        with tarfile.open(path.with_suffix(".part"), "w") as tar:
            for number in range(first, min(first + per_shard, count)):
                for ending, content in sample(number, ramp, grain).items():
                    member = tarfile.TarInfo(f"{number:08d}.{ending}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
        path.with_suffix(".part").rename(path)


def sample(number: int, ramp: np.ndarray, grain: np.ndarray) -> dict[str, bytes]:
    """The files of one picture, which depend on its number alone."""
    dice = np.random.default_rng(number)
    down, right = (np.exp(1j * np.outer(dice.uniform(0, 9, LAYERS), ramp)) for _ in range(2))
    colours = dice.uniform(-60, 60, (LAYERS, 3)) * np.exp(1j * dice.uniform(0, 7, (LAYERS, 1)))
    waves = np.einsum("ly,lx,lc->yxc", down, right, colours, optimize=True).real
    top, left = dice.integers(0, SIDE, 2)
    pixels = waves + grain[top : top + SIDE, left : left + SIDE] + dice.uniform(80, 170, 3)
    file = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=QUALITY)
    label = number * 7919 % CLASSES
    caption = f"waves of kind {label}"
    return {"jpg": file.getvalue(), "cls": str(label).encode(), "txt": caption.encode()}


def write_tokenizer(folder: Path) -> None:
    """A tiny network with the published scales."""
    tokenizer = MultiScaleVQVAE(
        sides=SIDES_256, vocab_size=256, code_dim=8, level_channels=(8, 8), stem_patch=8,
        norm_groups=4, num_blocks=1,
    )  # fmt: skip
    init_tokenizer(tokenizer, torch.Generator().manual_seed(0))
    tokenizer.save_pretrained(folder)


@dataclass
class Measured:
    """What a command took.

    Attributes:
        seconds: time from start to end.
        cpu_seconds: time on a core, of all processes.
        peaks: largest resident memory of each process in bytes.
    """

    seconds: float
    cpu_seconds: float
    peaks: list[int]


def run(commands: Sequence[Sequence[str]], is_over: Callable[[], bool] | None = None) -> Measured:
    """Run commands side by side; kill them and what they started when it is over.

    Raises:
        RuntimeError: if one fails.
    """
    start, peaks, used = time.monotonic(), {}, {}
    environment = os.environ | {"OMP_NUM_THREADS": "1", "WORLD_SIZE": str(len(commands))}
    processes = [
        subprocess.Popen(command, cwd=ROOT, env=environment | {"RANK": str(rank)})
        for rank, command in enumerate(commands)
    ]
    while any(process.poll() is None for process in processes):
        for process in with_children(processes):
            memory, used[process.pid] = used_by(process, used.get(process.pid, 0.0))
            peaks[process.pid] = max(peaks.get(process.pid, 0), memory)
        if is_over is not None and is_over():
            for process in with_children(processes):
                kill(process)
            break
        time.sleep(STEP)
    codes = [process.wait() for process in processes]
    if is_over is None and any(codes):
        raise RuntimeError(f"{commands} ended with {codes}")
    return Measured(
        time.monotonic() - start, sum(used.values()), sorted(peaks.values())[-len(processes) :]
    )


def with_children(processes: Sequence[subprocess.Popen]) -> list[psutil.Process]:
    """Those of some processes that have not ended, and all that they have started."""
    found = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            one = psutil.Process(process.pid)
            found += [one, *one.children(recursive=True)]
    return found


def used_by(process: psutil.Process, before: float) -> tuple[int, float]:
    """Resident bytes of a process, and its seconds on a core; after its end, those before."""
    try:
        times = process.cpu_times()
        return process.memory_info().rss, times.user + times.system
    except psutil.NoSuchProcess:
        return 0, before


def kill(process: psutil.Process) -> None:
    """SIGKILL."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill()


def shards_command(source: Path, out: Path, workers: int) -> list[str]:
    """The command that prepares the set."""
    arguments = ["--source", str(source), "--out", str(out), "--caption-columns", "txt"]
    arguments += ["--validation", "0.02", "--workers", str(workers)]
    return [sys.executable, "-m", "training.prepare.shards", *arguments]


def tokens_command(data: Path, tokenizer: Path, out: Path) -> list[str]:
    """The command that encodes it."""
    arguments = ["--data", data, "--tokenizer", tokenizer, "--out", out, "--num-views", "1"]
    return [sys.executable, "-m", "training.prepare.tokens", *map(str, arguments)]


def contents(folder: Path) -> dict[str, bytes]:
    """The files of tokens."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*/*"))}


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def figures(name: str, count: int, measured: Sequence[Measured]) -> dict[str, object]:
    """Speed and memory of a step whose parts came one after another."""
    seconds = sum(one.seconds for one in measured)
    peak = max(max(one.peaks) for one in measured)
    return {
        "step": name,
        "seconds": round(seconds, 1),
        "pictures_per_second": round(count / seconds, 1),
        "core_ms_per_picture": round(1000 * sum(one.cpu_seconds for one in measured) / count, 2),
        "largest_process_MB": round(peak / 1e6),
        "imagenet_hours": round(IMAGENET / count * seconds / 3600, 2),
    }


def main() -> None:
    """Make the pictures, prepare and encode them, and print figures as JSON lines."""
    parser = argparse.ArgumentParser(description="Prepare and encode a large synthetic set.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--per-shard", type=int, default=2500)
    chosen = parser.parse_args()
    out, count = chosen.out, chosen.pictures
    source, data, tokenizer = out / "source", out / "set", out / "tokenizer"
    start, core_start = time.monotonic(), time.process_time()
    make_pictures(source, count, chosen.per_shard)
    made = Measured(time.monotonic() - start, time.process_time() - core_start, [0])
    print(json.dumps(figures("made", count, [made])), flush=True)
    write_tokenizer(tokenizer)
    for folder in (data, out / "cut", out / "whole"):
        shutil.rmtree(folder, ignore_errors=True)

    half = len(list(source.glob("*.tar"))) // 2
    command = shards_command(source, data, workers=2)
    cut = run([command], lambda: len(list((data / "parts").glob("*.json"))) >= half)
    rest = run([command])
    print(json.dumps(figures("prepared, killed halfway", count, [cut, rest])), flush=True)

    commands = 2 * [tokens_command(data, tokenizer, out / "cut")]
    files = -(-count // 4096) // 2
    cut = run(commands, lambda: len(list((out / "cut").glob("*/view-*"))) >= files)
    rest = run(commands)
    print(json.dumps(figures("encoded, killed halfway", count, [cut, rest])), flush=True)
    whole = run(2 * [tokens_command(data, tokenizer, out / "whole")])
    print(json.dumps(figures("encoded, undisturbed", count, [whole])), flush=True)
    sizes = {name: round(size_of(out / name) / 1e6) for name in ("source", "set", "whole")}
    same = contents(out / "cut") == contents(out / "whole")
    print(json.dumps({"tokens_equal": same, "MB": sizes, "pictures": count}), flush=True)


if __name__ == "__main__":
    main()
