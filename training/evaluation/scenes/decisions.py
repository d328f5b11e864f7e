"""Right or wrong, without thresholds: what a judge says of pictures beside what was asked."""

from collections.abc import Collection, Sequence

from torch import Tensor

from training.data.scenes import Scene
from training.evaluation.scenes.judge_network import Scores
from training.evaluation.scenes.questions import (
    NO_ANSWER,
    QUESTIONS,
    THINGS,
    right_answers,
    things_of,
)

RIGHT, WRONG, UNASKED = "1", "0", "-"

Marks = dict[str, str]  # question -> RIGHT, WRONG or UNASKED of each picture, one character each


def likeliest(scores: Tensor, count: int) -> frozenset[int]:
    """The likeliest things of one picture: logits (T,) -> `count` indices."""
    return frozenset(scores.topk(min(count, len(scores))).indices.tolist())


def shows_all(scores: Tensor, asked: Collection[int]) -> bool:
    """Whether the k things that were asked for are the k likeliest: logits (T,)."""
    return likeliest(scores, len(asked)) == frozenset(asked)


def mark(scores: Scores, scenes: Sequence[Scene]) -> Marks:
    """Compare the scores of pictures with the scenes that they should show."""
    pairs = zip(scores.things, scenes, strict=True)
    marks = {THINGS: "".join(_sign(shows_all(one, things_of(scene))) for one, scene in pairs)}
    answers = [right_answers(scene) for scene in scenes]
    for name in QUESTIONS:
        picked = scores.answers[name].argmax(dim=1).tolist()
        marks[name] = "".join(
            UNASKED if right[name] == NO_ANSWER else _sign(index == right[name])
            for index, right in zip(picked, answers, strict=True)
        )
    return marks


def join_marks(parts: Sequence[Marks]) -> Marks:
    """The marks of some batches, one after another."""
    return {name: "".join(part[name] for part in parts) for name in (THINGS, *QUESTIONS)}


def _sign(is_right: bool) -> str:
    return RIGHT if is_right else WRONG
