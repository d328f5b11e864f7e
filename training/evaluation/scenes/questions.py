"""What a judge is asked about a scene, and the right answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from training.data.scenes import Scene, SpriteTable
from training.data.scenes.description import PLACES, TIMES, WEATHERS

QUESTIONS = ("place", "time", "weather", "style")  # with one answer each
THINGS = "things"  # has several answers
NO_ANSWER = -1  # a room has no weather


@dataclass(frozen=True)
class Topics:
    """All answers that a judge can give.

    Attributes:
        things: names of the things.
        answers: question -> names of its answers.
    """

    things: tuple[str, ...]
    answers: Mapping[str, tuple[str, ...]]

    def to_json(self) -> dict[str, Any]:
        """The topics as they stand in the file of a judge."""
        return {THINGS: list(self.things)} | {name: list(self.answers[name]) for name in QUESTIONS}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Topics":
        """Read what `to_json` wrote.

        Raises:
            KeyError: if a question is missing.
        """
        answers = {name: tuple(content[name]) for name in QUESTIONS}
        return cls(tuple(content[THINGS]), answers)


def topics_of(table: SpriteTable) -> Topics:
    """The topics of scenes that are composed from a sprite table."""
    answers = {"place": PLACES, "time": TIMES, "weather": WEATHERS, "style": table.styles}
    return Topics(table.names, answers)


def things_of(scene: Scene) -> frozenset[int]:
    """Indices of the things that a scene shows."""
    return frozenset(placement.thing for placement in scene.placements)


def right_answers(scene: Scene) -> dict[str, int]:
    """Question -> index of its right answer; NO_ANSWER where the question makes no sense."""
    return {
        "place": PLACES.index(scene.place),
        "time": TIMES.index(scene.time) if scene.time else NO_ANSWER,
        "weather": WEATHERS.index(scene.weather) if scene.weather else NO_ANSWER,
        "style": scene.style,
    }
