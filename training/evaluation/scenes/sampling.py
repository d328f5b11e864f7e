"""Chooses a sampling option of a model of scenes: what is right with each of some values.

`python -m training.evaluation.scenes.sampling --model assets/models/scenes256 --data data/scenes
--judge runs/judge/judge.safetensors --vary top_p --values 0.3,0.5,0.8 --out runs/top_p.json`

The prompts are validation prompts that no figure of the card uses: those after them. The value to
take is the one whose rates of things, places and styles have the largest mean. The file is written
after each value and set of prompts; the same command goes on with those that are missing.
"""

import json
import sys
from collections.abc import Mapping
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
from var_core.sampling.options import DEFAULTS

VARIED = ("guidance_scale", "temperature", "top_k", "top_p")
COUNTED = ("one_thing", "two_things", "place", "style")  # rates whose mean decides


@dataclass(frozen=True, kw_only=True)
class SearchSettings(Settings):
    """What to measure, and with what."""

    out_is_file = True

    model: str = field(metadata=about("model folder"))
    data: str = field(metadata=about("folder of training.prepare.scenes"))
    judge: str = field(metadata=about("safetensors file of training.evaluation.scenes.judge"))
    out: str = field(metadata=about("JSON file to write, or to go on with"))
    nets: str = option("data/nets", "folder of training.prepare.nets")
    vary: str = option("guidance_scale", "sampling option to choose", choices=VARIED)
    values: str = field(metadata=about("its values, with commas between them"))
    prompts: int = option(200, "prompts with one thing, and as many with two", low=1)
    precision: str = option("auto", "numbers of the networks", choices=PRECISIONS)


def choose(settings: SearchSettings) -> None:
    """Measure each value, write the file, print the rates and the value to take.

    Raises:
        ValueError: if model, scenes or judge cannot be used, a value is out of range, or the file
            holds figures of something else.
        OSError: if the file cannot be written.
    """
    name = settings.vary
    values = read_values(settings.values, name)
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
        "options": asdict(pipeline.info.options) | {name: None},
    }
    file = FiguresFile(Path(settings.out), depends_on)
    rates = {value: rates_with(bench, file, {name: value}) for value in values}
    for value, found in rates.items():
        print(f"{name} {value:g}: {json.dumps(found)}")
    best = max(rates, key=lambda value: mean_rate(rates[value]))
    print(f"take {best:g}: mean of {', '.join(COUNTED)} {mean_rate(rates[best]):.3f}")


def read_values(text: str, name: str) -> list[float]:
    """Values of a sampling option from a text with commas between them, each of them once.

    Raises:
        ValueError: if one is no number, or out of range.
    """
    try:
        kind = type(getattr(DEFAULTS, name))
        values = list(dict.fromkeys(kind(part) for part in text.split(",")))
    except ValueError as error:
        like = getattr(DEFAULTS, name)
        raise ValueError(f"values of {name} are numbers like {like}, not {text!r:.40}") from error
    return [getattr(replace(DEFAULTS, **{name: value}), name) for value in values]


def rates_with(bench: Bench, file: FiguresFile, changed: Mapping[str, float]) -> dict[str, Any]:
    """What is right with changed options: question -> rate with n and interval."""
    options = replace(bench.pipeline.info.options, **changed)
    varied = replace(bench, pipeline=VARPipeline.from_pipe(bench.pipeline, defaults=options))
    marks = {name: marked(varied, file, name, changed) for name in (ONE, TWO)}
    found = {name: rate(marks[name][THINGS]) for name in (ONE, TWO)}
    both = join_marks(list(marks.values()))
    return found | {name: rate(both[name]) for name in QUESTIONS}


def later_cases(pictures: ScenePictures, name: str, count: int) -> list[Case]:
    """Cases of a set that come after those of its figure."""
    chosen = SETS[name]
    return list(islice(chosen.cases(pictures), chosen.size, chosen.size + count))


def marked(bench: Bench, file: FiguresFile, name: str, changed: Mapping[str, float]) -> Marks:
    """Marks of the drawings of later cases of a set; the file keeps them."""
    title = f"{name} with {', '.join(f'{key} {value:g}' for key, value in changed.items())}"
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
    return run_command(choose, SearchSettings, "Choose how a model of scenes draws.", argv)


if __name__ == "__main__":
    sys.exit(main())
