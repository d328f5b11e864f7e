"""Chooses the guidance of a model of scenes: what is right with each of some values.

`python -m training.evaluation.scenes.guidance --model assets/models/scenes256 --data data/scenes
--judge runs/judge/judge.safetensors --out runs/guidance.json`

The prompts are validation prompts that no figure of the card uses: those after them. The value to
take is the one whose rates of things, places and styles have the largest mean. The file is written
after each value and set of prompts; the same command goes on with those that are missing.
"""

import json
import sys
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from training.data.scenes.pictures import ScenePictures
from training.evaluation.scenes.decisions import Marks, join_marks, mark
from training.evaluation.scenes.figures_file import FiguresFile
from training.evaluation.scenes.judge_network import judge_images, load_scene_judge
from training.evaluation.scenes.measured_model import AT_ONCE, Bench, weights_hash
from training.evaluation.scenes.prompt_figures import ONE, TWO
from training.evaluation.scenes.prompts import SETS, Case
from training.evaluation.scenes.questions import QUESTIONS, THINGS
from training.evaluation.scenes.rates import rate
from training.loop.command_line import Settings, run_command
from var_core.devices import PRECISIONS, pick_device, pick_dtype
from var_core.files import sha256_of
from var_core.option_fields import about, option
from var_core.pipeline import VARPipeline
from var_core.sampling import SamplingOptions

COUNTED = ("one_thing", "two_things", "place", "style")  # rates whose mean decides


@dataclass(frozen=True, kw_only=True)
class GuidanceSettings(Settings):
    """What to measure, and with what."""

    out_is_file = True

    model: str = field(metadata=about("model folder"))
    data: str = field(metadata=about("folder of training.prepare.scenes"))
    judge: str = field(metadata=about("safetensors file of training.evaluation.scenes.judge"))
    out: str = field(metadata=about("JSON file to write, or to go on with"))
    nets: str = option("data/nets", "folder of training.prepare.nets")
    values: str = option("1.5,2,3,4,5", "values of guidance, with commas between them")
    prompts: int = option(200, "prompts with one thing, and as many with two", low=1)
    precision: str = option("auto", "numbers of the networks", choices=PRECISIONS)


def choose(settings: GuidanceSettings) -> None:
    """Measure each value, write the file, print the rates and the value to take.

    Raises:
        ValueError: if model, scenes or judge cannot be used, a value is out of range, or the file
            holds figures of something else.
        OSError: if the file cannot be written.
    """
    values = read_values(settings.values)
    dtype = pick_dtype(pick_device(), settings.precision)
    pipeline = VARPipeline.from_pretrained(settings.model, dtype).to(pick_device())
    judge = load_scene_judge(settings.judge).to(pipeline.device)
    pictures = ScenePictures.open(settings.data)
    bench = Bench(pipeline, judge, pictures, Path(settings.nets), settings.prompts)
    depends_on = {
        "weights": weights_hash(settings.model, "", ""),
        "judge": sha256_of(Path(settings.judge))[:16],
        "numbers": str(dtype).removeprefix("torch."),
        "limit": settings.prompts,
        "options": asdict(replace(pipeline.info.options, guidance_scale=0.0)),
    }
    file = FiguresFile(Path(settings.out), depends_on)
    rates = {value: rates_with(bench, file, value) for value in values}
    for value, found in rates.items():
        print(f"guidance {value:g}: {json.dumps(found)}")
    best = max(rates, key=lambda value: mean_rate(rates[value]))
    print(f"take {best:g}: mean of {', '.join(COUNTED)} {mean_rate(rates[best]):.3f}")


def read_values(text: str) -> list[float]:
    """Values of guidance from a text with commas between them, each of them once.

    Raises:
        ValueError: if one is no number, or out of range.
    """
    try:
        values = list(dict.fromkeys(float(part) for part in text.split(",")))
    except ValueError as error:
        raise ValueError(f"values are like 1.5,2,3, not {text!r:.40}") from error
    return [SamplingOptions(guidance_scale=value).guidance_scale for value in values]


def rates_with(bench: Bench, file: FiguresFile, value: float) -> dict[str, Any]:
    """What is right with a value of guidance: question -> rate with n and interval."""
    options = replace(bench.pipeline.info.options, guidance_scale=value)
    guided = replace(bench, pipeline=VARPipeline.from_pipe(bench.pipeline, defaults=options))
    marks = {name: marked(guided, file, name, value) for name in (ONE, TWO)}
    found = {name: rate(marks[name][THINGS]) for name in (ONE, TWO)}
    both = join_marks(list(marks.values()))
    return found | {name: rate(both[name]) for name in QUESTIONS}


def later_cases(pictures: ScenePictures, name: str, count: int) -> list[Case]:
    """Cases of a set that come after those of its figure."""
    chosen = SETS[name]
    return list(islice(chosen.cases(pictures), chosen.size, chosen.size + count))


def marked(bench: Bench, file: FiguresFile, name: str, value: float) -> Marks:
    """Marks of the drawings of later cases of a set; the file keeps them."""
    title = f"{name} with {value:g}"
    if title not in file.marks:
        cases, parts = later_cases(bench.pictures, name, bench.limit), []
        for start in range(0, len(cases), AT_ONCE):
            some = cases[start : start + AT_ONCE]
            drawn = bench.draw(bench.wishes(some), range(start, start + len(some)))
            parts.append(mark(judge_images(bench.judge, drawn), [case.scene for case in some]))
        file.add_marks(title, join_marks(parts))
    return dict(file.marks[title])


def mean_rate(found: dict[str, Any]) -> float:
    """Mean of the rates that decide."""
    return float(np.mean([found[name]["value"] for name in COUNTED]))


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(choose, GuidanceSettings, "Choose the guidance of a model of scenes.", argv)


if __name__ == "__main__":
    sys.exit(main())
