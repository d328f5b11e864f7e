"""Drawing against the official code: `python -m tests.benchmarks.versus_official --official PATH`.

PATH is a checkout of FoundationVision/VAR. Both sides draw in one process, in turn, with the same
weights, threads and settings (those of the official notebook). First they are compared: with the
best code everywhere, and with the same seed, float32 must give the same tokens. Nothing is
asserted about speed. TF32 stays as torch has it.
"""

import argparse
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from tests.benchmarks.networks import Shape
from tests.benchmarks.official_drawing import NUM_CLASSES, OfficialDrawing, Setting
from tests.benchmarks.report import SHORT, Row, alternate, compare, host, print_table, write_json
from var_core import SamplingOptions, VARPipeline, generators_from_seeds
from var_core.condition import Condition
from var_core.devices import pick_device

DEFAULT, AUTOCAST = "official, fp32", "official, bf16 autocast"


@dataclass(frozen=True)
class Agreement:
    """How far both sides agree in float32.

    Attributes:
        name: of the comparison.
        equal_tokens: drawn alike, up to the first scale that differs and in it.
        num_tokens: drawn.
        logits: largest difference over the largest value, while all earlier tokens are equal.
        picture: largest difference of pixels in [0, 1].
    """

    name: str
    equal_tokens: int
    num_tokens: int
    logits: float
    picture: float


def labels_of(batch_size: int) -> list[int]:
    """Classes to draw, all different."""
    return [(980 + 7 * index) % NUM_CLASSES for index in range(batch_size)]


def options_of(setting: Setting) -> SamplingOptions:
    """The same setting for our side."""
    return SamplingOptions(
        guidance_scale=setting.guidance, top_k=setting.top_k, top_p=setting.top_p
    )


def our_steps(
    pipeline: VARPipeline, labels: list[int], setting: Setting
) -> tuple[list[tuple[Tensor, Tensor]], Tensor]:
    """What `OfficialDrawing.recorded` and `draw` give, drawn by us."""
    generators = generators_from_seeds([setting.seed] * len(labels), pipeline.device)
    rows = Condition.of_labels(torch.tensor(labels, device=pipeline.device).unsqueeze(1))
    steps = list(pipeline.sample(rows, options_of(setting), generators, lambda _: None))
    picture = (pipeline.decode_latent(steps[-1].latent) + 1) / 2
    return [(step.logits, step.token_map.flatten(1)) for step in steps], picture


def agreement(
    official: OfficialDrawing, pipeline: VARPipeline, name: str, batch_size: int, setting: Setting
) -> Agreement:
    """Draw once on each side and compare."""
    labels = labels_of(batch_size)
    with official.recorded() as theirs:
        their_picture = official.draw(labels, setting)
    ours, our_picture = our_steps(pipeline, labels, setting)
    equal, furthest = 0, 0.0
    for (our_logits, our_tokens), (logits, tokens) in zip(ours, theirs, strict=True):
        difference = (our_logits - logits).abs().max() / logits.abs().max()
        furthest = max(furthest, float(difference))
        equal += int((our_tokens == tokens).sum())
        if not torch.equal(our_tokens, tokens):
            break
    return Agreement(
        f"{name}, batch {batch_size}",
        equal,
        sum(tokens.numel() for _, tokens in theirs),
        furthest,
        float((our_picture - their_picture).abs().max()),
    )


def agreements(
    official: OfficialDrawing, pipeline: VARPipeline, batches: Sequence[int]
) -> list[Agreement]:
    """The best code everywhere at each batch size; one picture by the same dice."""
    greedy = replace(Setting(), top_k=1, top_p=0.0)
    found = [agreement(official, pipeline, "best code", size, greedy) for size in batches]
    # the official code draws a whole batch from one generator, we from one for each picture
    return [*found, agreement(official, pipeline, "same seed", 1, Setting())]


def steps_of(
    official: OfficialDrawing, pipelines: dict[str, VARPipeline], labels: list[int]
) -> dict[str, Callable[[], object]]:
    """Everything to time for one batch, by name."""
    setting = Setting()
    steps: dict[str, Callable[[], object]] = {
        DEFAULT: lambda: official.draw(labels, setting),
        AUTOCAST: lambda: official.autocast(labels, setting, torch.bfloat16),
        f"{AUTOCAST}, weights cast once": lambda: official.autocast_kept(
            labels, setting, torch.bfloat16
        ),
    }

    options = options_of(setting)

    def generators(pipeline: VARPipeline) -> list[torch.Generator]:
        return generators_from_seeds(range(len(labels)), pipeline.device)

    def whole(pipeline: VARPipeline) -> None:
        pipeline.draw(labels, options, generator=generators(pipeline), output_type="pt")

    def with_previews(pipeline: VARPipeline) -> None:
        for _ in pipeline.stream(labels, options, generators(pipeline), "pt"):
            pass

    for precision, pipeline in pipelines.items():
        steps[f"ours, {precision}"] = lambda pipeline=pipeline: whole(pipeline)
        steps[f"ours, {precision}, previews"] = lambda pipeline=pipeline: with_previews(pipeline)
    return steps


def measure(
    official: OfficialDrawing, batches: Sequence[int], runs: int
) -> dict[str, list[Row] | list[Agreement]]:
    """Compare what is drawn, then time it; print tables as they come.

    Args:
        official: the other side.
        batches: pictures at once.
        runs: of each row.
    """
    pipelines = {name: official.ours(dtype).to(official.device) for dtype, name in SHORT.items()}
    found = agreements(official, pipelines[SHORT[torch.float32]], batches)
    print("\nour float32 against the official one")
    for one in found:
        print(
            f"{one.name:20} {one.equal_tokens} of {one.num_tokens} tokens equal, logits within "
            f"{one.logits:.1e} of the largest, pixels within {one.picture:.1e}"
        )
    tables: dict[str, list[Row] | list[Agreement]] = {"agreement": found}
    for size in batches:
        taken = alternate(steps_of(official, pipelines, labels_of(size)), runs, official.device)
        for base in (DEFAULT, AUTOCAST):
            title = f"batch {size}, against {base}"
            tables[title] = compare(taken, base)
            print_table(title, tables[title], runs)
    return tables


def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--official", type=Path, required=True, help="checkout of FoundationVision/VAR"
    )
    parser.add_argument("--depth", type=int, default=Shape.depth, help="blocks; width / 64")
    parser.add_argument("--sides", type=int, nargs="+", default=Shape.sides)
    parser.add_argument("--channels", type=int, nargs="+", default=Shape.channels)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 4], help="pictures at once")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args(argv)
    warnings.filterwarnings("ignore", category=FutureWarning)  # of the official code
    shape = Shape(arguments.depth, tuple(arguments.sides), tuple(arguments.channels))
    device = pick_device()
    described = {"host": host(device), "shape": asdict(shape), "setting": asdict(Setting())}
    print(
        *(f"{key} {value}" for part in described.values() for key, value in part.items()), sep=", "
    )
    try:
        official = OfficialDrawing(arguments.official, shape, device)
    except ValueError as error:
        parser.error(str(error))
    tables = measure(official, arguments.batch, arguments.runs)
    if arguments.json:
        write_json(arguments.json, described, tables)


if __name__ == "__main__":
    main()
