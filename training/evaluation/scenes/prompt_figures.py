"""Figures of what prompts show: things, held-out combinations, languages, free words, settings."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from training.evaluation.scenes.decisions import join_marks, mark
from training.evaluation.scenes.figures_file import FiguresFile
from training.evaluation.scenes.judge_network import judge_images
from training.evaluation.scenes.measured_model import Bench
from training.evaluation.scenes.prompts import prompt_cases
from training.evaluation.scenes.questions import QUESTIONS, THINGS
from training.evaluation.scenes.rates import (
    DRAWN,
    REAL,
    MarkedSet,
    Pairs,
    difference,
    pairs_of,
    rates,
)

ONE, TWO = "one_thing", "two_things"
SETTING = ("place", "time", "weather")
HELD_OUT = {  # set -> set of trained combinations with as many things, and what is compared
    "new_styles": (ONE, (THINGS, "style")),
    "new_pairs": (TWO, (THINGS,)),
    "new_settings_one_thing": (ONE, (THINGS, *SETTING)),
    "new_settings_two_things": (TWO, (THINGS, *SETTING)),
}


def marked_set(bench: Bench, file: FiguresFile, name: str) -> MarkedSet:
    """Marks of the drawings of a set and of its real scenes; the file keeps them."""
    if name not in file.marks:
        cases, drawn_marks, real_marks = prompt_cases(bench.pictures, name, bench.limit), [], []
        for some, drawn, real in bench.drawn_and_real(cases, name):
            scenes = [case.scene for case in some]
            drawn_marks.append(mark(judge_images(bench.judge, drawn), scenes))
            real_marks.append(mark(judge_images(bench.judge, real), scenes))
        file.add_marks(name, {DRAWN: join_marks(drawn_marks), REAL: join_marks(real_marks)})
    return file.marks[name]


def things_right(bench: Bench, file: FiguresFile, name: str) -> Pairs:
    """In which cases of a set all things are right."""
    return pairs_of(marked_set(bench, file, name), THINGS)


def one_thing_figure(bench: Bench, file: FiguresFile) -> dict[str, Any]:
    """(a) The thing is the likeliest of all."""
    return {"thing": rates(things_right(bench, file, ONE))}


def two_things_figure(bench: Bench, file: FiguresFile) -> dict[str, Any]:
    """(b) Both things are the two likeliest."""
    return {"both_things": rates(things_right(bench, file, TWO))}


def held_out_figure(bench: Bench, file: FiguresFile) -> dict[str, Any]:
    """(c) As (a), (b) and (f), for combinations never trained on, and the difference."""
    return {
        name: {question: _beside(bench, file, name, other, question) for question in questions}
        for name, (other, questions) in HELD_OUT.items()
    }


def languages_figure(bench: Bench, file: FiguresFile) -> dict[str, Any]:
    """(d) As (a), in seven other languages, and the difference."""
    return {"thing": _beside(bench, file, "languages", ONE, THINGS)}


def free_words_figure(bench: Bench, file: FiguresFile) -> dict[str, Any]:
    """(e) The thing that free words mean is the likeliest."""
    return {"thing": rates(things_right(bench, file, "free_words"))}


def settings_figure(bench: Bench, file: FiguresFile) -> dict[str, Any]:
    """(f) Place, time, weather and style are right, with one thing and with two."""
    return {name: _over_sets(bench, file, (ONE, TWO), name) for name in QUESTIONS}


def _over_sets(
    bench: Bench, file: FiguresFile, names: Sequence[str], question: str
) -> dict[str, Any] | None:
    parts = [pairs_of(marked_set(bench, file, name), question) for name in names]
    return rates(np.concatenate(parts))


def _beside(
    bench: Bench, file: FiguresFile, name: str, other: str, question: str
) -> dict[str, Any]:
    ours = pairs_of(marked_set(bench, file, name), question)
    others = pairs_of(marked_set(bench, file, other), question)
    return (rates(ours) or {}) | {f"points_to_{other}": difference(ours, others)}
