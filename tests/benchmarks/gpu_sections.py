"""One section of `tests.benchmarks.gpu`, in a process of its own.

`python -m tests.benchmarks.gpu_sections NAME --out DIR` imports what all sections need, reads from
standard input until when it may run, and does the section. So the next one is ready when one
ends. What goes wrong is written to `failures.txt`, also where a process hung at the end of its
time.
"""

import argparse
import faulthandler
import gc
import os
import shlex
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.benchmarks import (
    draw,
    gpu_decoder,
    gpu_drawing,
    gpu_profile,
    gpu_training,
    versus_dit,
)
from tests.benchmarks.gpu import FAILURES, PROFILE, Given

ROOT = Path(__file__).resolve().parents[2]
GPU_MARK = "mark.gpu"


@dataclass(frozen=True)
class Plan:
    """Sizes of what is run, as words of the command lines.

    Attributes:
        small: depth of the smaller network.
        large: depth of the larger network.
        batches: pictures at once.
        ends: the least and the most of them.
        sizes: of token maps and tokenizer, for all that draws.
        sides: of token maps, for training.
        training: batch of a training step.
        dit: sizes of the other side of `versus_dit`.
        compiler: backend of `torch.compile`.
        runs: of each row.
        tests: how pytest is called.
    """

    small: str = "16"
    large: str = "30"
    batches: str = "1 8 64"
    ends: str = "1 64"
    sizes: str = ""
    sides: str = ""
    training: str = "--batch-size 32"
    dit: str = ""
    compiler: str = "--compiler inductor"
    runs: str = "--runs 11"
    tests: str = ""


DRY = Plan(
    small="1",
    large="2",
    batches="1 2",
    ends="1 2",
    sizes="--sides 1 2 --channels 32 32 64 64 128",
    sides="--sides 1 2",
    training="--batch-size 1",
    dit="--dit-layers 1 --dit-heads 1 --dit-channels 32 32",
    compiler="--compiler eager",
    runs="--runs 1",
    tests="--collect-only",
)
PARTS = "--precision bf16"


def run_tests(words: list[str]) -> None:
    """The tests that need a GPU; warnings are no errors: other versions have others.

    Raises:
        RuntimeError: if one fails.
    """
    files = [
        str(path)
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        if GPU_MARK in path.read_text("utf-8")
    ]
    plain = ["-o", "addopts=", "-o", "filterwarnings=default", "-p", "no:cacheprovider"]
    plain += ["-p", "no:faulthandler"]  # which is ours
    found = pytest.main([*plain, "-q", "-m", "gpu", "-rA", "--durations=10", *words, *files])
    if found:
        raise RuntimeError(f"pytest returns {found!r}")


def commands(plan: Plan, given: Given) -> dict[str, tuple[Callable[[list[str]], None], list[str]]]:
    """What each section calls with which words, by its name."""
    beside = f"--official {shlex.quote(str(given.official))}" if given.official else ""
    runs, compiler, sizes = plan.runs, plan.compiler, plan.sizes
    drawing = f"{runs} {compiler} {sizes}"
    training = f"--depth {plan.small} {plan.training} {runs} {compiler} {plan.sides}"
    every = f"--batch {plan.batches}"
    ways = "--ways compiled compiled-graphs"
    found: dict[str, tuple[Callable[[list[str]], None], str]] = {
        "tests": (run_tests, plan.tests),
        "compile-drawing": (
            gpu_drawing.main,
            f"--depth {plan.small} {every} {drawing} --ways compiled --seconds 0",
        ),
        "compile-training": (gpu_training.main, f"{training} --ways compiled flex --seconds 0"),
        "small": (
            gpu_drawing.main,
            f"--depth {plan.small} {every} {drawing} {beside} --ways eager previews graphs",
        ),
        "large": (
            gpu_drawing.main,
            f"--depth {plan.large} {every} {drawing} {beside} --ways eager graphs",
        ),
        "small-compiled": (
            gpu_drawing.main,
            f"--depth {plan.small} {every} {drawing} {ways} eager graphs",
        ),
        "training": (
            gpu_training.main,
            f"{training} {beside} --ways compiled eager flex sdpa double fourfold",
        ),
        "decoder": (gpu_decoder.main, f"--batch {plan.ends} {drawing}"),
        "kernels": (
            draw.main,
            f"--depth {plan.small} --batch {plan.ends} {runs} {sizes} {PARTS} --backends math sdpa",
        ),
        "dit": (
            versus_dit.main,
            f"--depth {plan.small} {plan.large} {runs} {sizes} {plan.dit} {PARTS}",
        ),
        "sharded": (gpu_training.main, f"{training} --ways compiled fsdp fsdp-eager"),
        "xformers-tests": (run_tests, f"{plan.tests} -k xformers"),
        "xformers": (
            draw.main,
            f"--depth {plan.small} --batch {plan.ends} {runs} {sizes} {PARTS} "
            "--backends sdpa xformers",
        ),
        "xformers-official": (
            gpu_drawing.main,
            f"--depth {plan.small} --batch {plan.ends} {drawing} {beside} --ways eager graphs",
        ),
        "xformers-training": (gpu_training.main, f"{training} --ways eager xformers"),
        "large-compiled": (
            gpu_drawing.main,
            f"--depth {plan.large} --batch {plan.ends} {drawing} {ways}",
        ),
        "large-parts": (
            draw.main,
            f"--depth {plan.large} --batch {plan.ends} {runs} {sizes} {PARTS} --backends",
        ),
        "profile": (
            gpu_profile.main,
            f"--depth {plan.small} {plan.training} --batch {plan.ends} {compiler} {sizes} "
            f"--out {shlex.quote(str(given.out / PROFILE))}",
        ),
    }
    return {
        name: (run, shlex.split(words) + ([] if run is run_tests else _json(given, name)))
        for name, (run, words) in found.items()
    }


def _json(given: Given, name: str) -> list[str]:
    return ["--json", str(given.tables / f"{name}.json")]


def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="of the section")
    Given.add_arguments(parser)
    arguments = parser.parse_args(argv)
    given = Given.of(arguments)
    run, words = commands(DRY if given.is_dry else Plan(), given)[arguments.name]
    gc.collect()
    gc.freeze()  # each recording of a graph collects: spare it all that was imported
    if not (line := sys.stdin.readline()):
        return 1  # nobody waits for it
    seconds = max(1.0, float(line) - time.monotonic())  # of the same clock in all processes
    print(f"\n==== {arguments.name}: {' '.join(words)}", flush=True)
    with (given.out / FAILURES).open("a") as failures:
        faulthandler.dump_traceback_later(seconds, exit=True, file=failures)
        try:
            run(words)
        except (Exception, SystemExit):  # the other sections go on
            text = f"\n==== {arguments.name}\n{traceback.format_exc()}"
            print(text, flush=True)
            failures.write(text)
            return 1
        finally:
            faulthandler.cancel_dump_traceback_later()
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # tidying up takes seconds of the next section
