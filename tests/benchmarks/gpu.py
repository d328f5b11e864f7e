"""All figures of a GPU in one go: `python -m tests.benchmarks.gpu --official PATH --out DIR`.

Draws with d16 and d30 shapes at batch 1 to 64, by xformers, SDPA and CUDA graphs, beside the
official code and beside DiT-XL/2, and first makes sure that all ways draw the same tokens. It
prints tables and writes a JSON file for each. `--dry-run` does all of that with networks that take
no time, on whatever device there is.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from tests.benchmarks import draw, versus_dit, versus_official
from tests.benchmarks.networks import Shape, random_pipeline
from tests.benchmarks.report import host
from var_core import VARPipeline
from var_core.devices import pick_device


@dataclass(frozen=True)
class Plan:
    """What is run.

    Attributes:
        depths: of our transformers.
        batches: pictures at once.
        runs: of each row.
        sides: of the token maps.
        channels: of the tokenizer's levels.
        dit: sizes of the other side, as arguments.
    """

    depths: tuple[int, ...] = (16, 30)
    batches: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
    runs: int = 11
    sides: tuple[int, ...] = Shape.sides
    channels: tuple[int, ...] = Shape.channels
    dit: tuple[str, ...] = ()


DRY = Plan(
    (1, 2),
    (1, 2),
    1,
    (1, 2),
    (32, 32, 64, 64, 128),
    ("--dit-layers", "1", "--dit-heads", "1", "--dit-channels", "32", "32"),
)


def commands(
    plan: Plan, official: Path | None, out: Path
) -> dict[str, tuple[Callable[[list[str]], None], list[str]]]:
    """Entry points and their arguments, by the name of the file that they write."""
    shape = [*_option("--sides", plan.sides), *_option("--channels", plan.channels)]
    batches, runs = _option("--batch", plan.batches), ["--runs", str(plan.runs)]
    found = {}
    for depth in plan.depths:
        words = ["--depth", str(depth), *shape, *batches, *runs]
        found[f"draw-d{depth}"] = (draw.main, [*words, "--precision", "fp32", "bf16"])
        if official is not None:
            beside = ["--official", str(official), *words]
            found[f"versus-official-d{depth}"] = (versus_official.main, beside)
    words = [*_option("--depth", plan.depths), *shape, *runs, *plan.dit]
    found["versus-dit"] = (versus_dit.main, words)
    return {
        name: (main, [*words, "--json", str(out / f"{name}.json")])
        for name, (main, words) in found.items()
    }


def check_ways(pipeline: VARPipeline, batch_size: int) -> dict[str, bool]:
    """Whether each way to draw gives the tokens of the plain formula, in float32, twice."""
    ways = {"sdpa": draw.TimedDrawing(pipeline, batch_size, "sdpa")}
    if pipeline.device.type == "cuda":
        ways["xformers"] = draw.TimedDrawing(pipeline, batch_size, "xformers")
        ways["CUDA graphs"] = draw.TimedDrawing(pipeline, batch_size, "sdpa", graphs=True)
    plain = draw.TimedDrawing(pipeline, batch_size, "math").whole().token_maps
    return {
        name: all(all(map(torch.equal, drawing.whole().token_maps, plain)) for _ in range(2))
        for name, drawing in ways.items()
    }


def _option(name: str, values: tuple[int, ...]) -> list[str]:
    return [name, *map(str, values)]


def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--official", type=Path, help="checkout of FoundationVision/VAR")
    parser.add_argument("--out", type=Path, required=True, help="folder for the figures")
    parser.add_argument("--dry-run", action="store_true", help="tiny networks, on any device")
    arguments = parser.parse_args(argv)
    device = pick_device()
    if device.type != "cuda" and not arguments.dry_run:
        parser.error("there is no CUDA device; --dry-run tries the script without one")
    plan = DRY if arguments.dry_run else Plan()
    arguments.out.mkdir(parents=True, exist_ok=True)
    print(*(f"{key} {value}" for key, value in host(device).items()), sep=", ")
    pipeline = random_pipeline(Shape(plan.depths[0], plan.sides, plan.channels)).to(device)
    for name, is_same in check_ways(pipeline, plan.batches[1]).items():
        print(f"{name}: {'the tokens of the plain formula' if is_same else 'OTHER TOKENS'}")
    for name, (run, words) in commands(plan, arguments.official, arguments.out).items():
        print(f"\n== {name}")
        run(words)


if __name__ == "__main__":
    main()
