"""Menus of choices that stand for phrases, so that a prompt can be picked instead of typed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from var_core.ranges import unknown_name


@dataclass(frozen=True)
class Choice:
    """One entry of a menu.

    Attributes:
        name: name of the choice, for example "fox".
        phrase: what is asked of the model, for example "a fox".
        group: heading that the choice stands under, for example "animals"; may be empty.
        words: further words that a search should find it by.
    """

    name: str
    phrase: str
    group: str = ""
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Menu:
    """Choices of one kind.

    Attributes:
        name: name of the menu, for example "thing".
        choices: at least one, with different names.

    Raises:
        ValueError: on construction, if there is no choice, or two share a name.
    """

    name: str
    choices: tuple[Choice, ...]

    def __post_init__(self) -> None:
        if not self.choices or len(set(self.names)) != len(self.choices):
            raise ValueError(f"the choices of {self.name} must have different names, at least one")

    @property
    def names(self) -> Sequence[str]:
        """Names of all choices."""
        return [choice.name for choice in self.choices]

    def find(self, name: object) -> Choice:
        """The choice of a name.

        Raises:
            ValueError: if there is none; the nearest name is suggested.
        """
        for choice in self.choices:
            if choice.name == name:
                return choice
        if not isinstance(name, str):
            raise ValueError(f"{self.name} must be a name or a list of names, got {name!r:.40}")
        raise unknown_name(self.name, name, self.names)

    def with_choice(self, name: str, like: str) -> "Menu":
        """The same with a further choice, whose phrase is its name.

        Args:
            name: the new choice.
            like: choice that it takes its group from.

        Raises:
            ValueError: if there is no such choice, or the name is taken.
        """
        if name in self.names:
            raise ValueError(f"{self.name} has {name!r} already: choose another name")
        choice = Choice(name, name, self.find(like).group)
        return replace(self, choices=(*self.choices, choice))

    def to_json(self) -> dict[str, Any]:
        """The menu as it stands in labels.json."""
        choices = []
        for choice in self.choices:
            entry: dict[str, Any] = {"name": choice.name, "phrase": choice.phrase}
            if choice.group:
                entry["group"] = choice.group
            if choice.words:
                entry["words"] = list(choice.words)
            choices.append(entry)
        return {"name": self.name, "choices": choices}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Menu":
        """Read what `to_json` wrote.

        Raises:
            ValueError: if it is not of that form.
        """
        choices = tuple(
            Choice(
                str(entry["name"]),
                str(entry["phrase"]),
                str(entry.get("group", "")),
                tuple(str(word) for word in entry.get("words", ())),
            )
            for entry in content["choices"]
        )
        return cls(str(content["name"]), choices)
