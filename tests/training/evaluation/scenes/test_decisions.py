"""Right and wrong, rates and intervals."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from training.data.scenes import SpriteTable, make_validation_scene
from training.evaluation.scenes.decisions import RIGHT, UNASKED, WRONG, join_marks, mark, shows_all
from training.evaluation.scenes.intervals import (
    bootstrap,
    mean_estimate,
    ratio_estimate,
    wilson,
)
from training.evaluation.scenes.judge_network import Scores
from training.evaluation.scenes.questions import (
    NO_ANSWER,
    QUESTIONS,
    THINGS,
    right_answers,
    things_of,
    topics_of,
)
from training.evaluation.scenes.rates import DRAWN, REAL, difference, pairs_of, rates


def sure_scores(table: SpriteTable, indices: range) -> Scores:
    """What a perfect judge says of validation scenes."""
    scenes = [make_validation_scene(table, index) for index in indices]
    topics = topics_of(table)
    things = torch.full((len(scenes), len(topics.things)), -3.0)
    answers = {name: torch.zeros(len(scenes), len(topics.answers[name])) for name in QUESTIONS}
    for row, scene in enumerate(scenes):
        things[row, list(things_of(scene))] = -1.0  # likeliest, though none is likely
        for name, right in right_answers(scene).items():
            if right != NO_ANSWER:
                answers[name][row, right] = 1.0
    return Scores(things, answers)


def test_as_many_things_are_compared_as_were_asked_for() -> None:
    scores = torch.tensor([0.1, 0.9, -2.0, 0.5])
    assert shows_all(scores, {1}) and shows_all(scores, {1, 3})
    assert not shows_all(scores, {3}) and not shows_all(scores, {0, 1})


def test_a_perfect_judge_marks_real_scenes_as_right(table: SpriteTable) -> None:
    scenes = [make_validation_scene(table, index) for index in range(40)]
    marks = mark(sure_scores(table, range(40)), scenes)
    assert marks[THINGS] == RIGHT * 40
    for name in QUESTIONS:
        assert set(marks[name]) <= {RIGHT, UNASKED}
    timeless = "".join(RIGHT if scene.time else UNASKED for scene in scenes)
    assert marks["time"] == timeless and UNASKED in timeless


def test_each_question_is_marked_on_its_own(table: SpriteTable) -> None:
    scene = make_validation_scene(table, 0)
    scores = sure_scores(table, range(1))
    other = replace(scene, style=1 - scene.style)
    marks = mark(scores, [other])
    assert marks["style"] == WRONG and marks["place"] == RIGHT and marks[THINGS] == RIGHT
    assert join_marks([marks, marks])["style"] == WRONG * 2


def test_cases_without_an_answer_do_not_count() -> None:
    marked = {DRAWN: {"time": "1-0"}, REAL: {"time": "1-1"}}
    pairs = pairs_of(marked, "time")
    assert pairs.tolist() == [[1, 1], [0, 1]]
    found = rates(pairs)
    assert found is not None
    assert found["n"] == 2 and found[DRAWN]["value"] == 0.5 and found[REAL]["value"] == 1
    assert found["of_real"]["value"] == 0.5
    assert rates(pairs[:0]) is None


def test_nothing_is_reported_of_a_judge_that_is_never_right() -> None:
    found = rates(np.array([[1.0, 0.0], [0.0, 0.0]]))
    assert found is not None and found["of_real"] is None


def test_difference_is_in_points_of_what_is_right_of_real() -> None:
    ours = np.array([[1.0, 1.0], [0.0, 1.0]] * 50)
    others = np.ones((100, 2))
    found = difference(ours, others)
    assert found is not None
    assert found["value"] == -50 and found["low"] < -50 < found["high"] < 0
    assert difference(ours, others[:0]) is None


def test_wilson_interval_of_known_cases() -> None:
    half = wilson(50, 100)  # Wilson's published formula
    assert (half.low, half.high) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    nothing, all_of_them = wilson(0, 10), wilson(10, 10)
    assert nothing.low == 0 and nothing.high == pytest.approx(0.2775, abs=1e-4)
    assert all_of_them.high == 1 and all_of_them.low == pytest.approx(0.7225, abs=1e-4)


@pytest.mark.parametrize(("hits", "n"), [(0, 0), (3, 2), (-1, 2)])
def test_impossible_rates_are_refused(hits: int, n: int) -> None:
    with pytest.raises(ValueError, match="hits must lie in"):
        wilson(hits, n)


def test_bootstrap_interval_is_that_of_a_mean() -> None:
    values = np.random.default_rng(1).normal(3.0, 2.0, 400)
    found = mean_estimate(values)
    assert found is not None and found.n == 400
    assert found.value == pytest.approx(values.mean())
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * 2 / 20, rel=0.15)
    assert mean_estimate(values) == found  # the same file twice


def test_ratio_keeps_pairs_together() -> None:
    references = np.random.default_rng(2).uniform(1, 9, 50)
    found = ratio_estimate(references / 2, references)
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))
    with pytest.raises(ValueError, match="at least one row"):
        bootstrap(lambda means: means[:, 0], np.zeros((0, 1)))
