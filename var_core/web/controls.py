"""The values of the page's controls: their defaults, their limits, where else they come from."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from var_core.devices import PRECISIONS
from var_core.jobs.parsing import (
    DEFAULT_SEED,
    MAX_COUNT,
    SAMPLING_OPTIONS,
    read_settings,
    read_tokens,
)
from var_core.jobs.png_recipe import read_recipe
from var_core.jobs.requests import Settings
from var_core.labels import Attribute
from var_core.model_info import ModelInfo
from var_core.ranges import check_bool, check_float, check_int
from var_core.sampling import MAX_SEED, random_seed

ANY = ""  # the value that leaves an attribute open
OPTIONS = (  # after the attributes, in this order, under their names in recipes and links
    "seed",
    "count",
    *SAMPLING_OPTIONS,
    "precision",
    "pause",
    "with_recipe",
)
MAX_PAUSE = 1.0  # seconds
DEFAULT_PAUSE = 0.15
BALANCED = "Balanced"
PRESETS: Mapping[str, Mapping[str, object]] = {
    BALANCED: {},
    "Faithful": {"guidance_scale": 2.5, "top_p": 0.3},
    "Varied": {"guidance_scale": 1.0, "top_p": 0.9},
    "Wild": {"guidance_scale": 0.0, "top_p": 1.0, "temperature": 1.3, "top_k": 0},
    "Soft": {"smooth": True},
}


@dataclass(frozen=True)
class Choice:
    """Checked values of all controls.

    Attributes:
        settings: what every drawing needs.
        count: pictures, 1 to MAX_COUNT.
        pause: after each scale, 0 to 1 second.
        with_recipe: whether PNG files carry their recipe.
    """

    settings: Settings
    count: int
    pause: float
    with_recipe: bool


class Controls:
    """Reads and makes lists of control values: one per attribute, then `OPTIONS`.

    Args:
        info: model whose labels and limits hold.
        model_name: a recipe must be of this model.
    """

    def __init__(self, info: ModelInfo, model_name: str) -> None:
        self.info = info
        self.labels = info.labels
        self.model_name = model_name
        self.attributes = [attribute.name for attribute in info.labels.attributes]
        self.names = [*self.attributes, *OPTIONS]

    def defaults(self) -> list[object]:
        """Values at the start."""
        options = self.info.options
        sampling = [getattr(options, name) for name in SAMPLING_OPTIONS]
        return [
            *[ANY] * len(self.attributes),
            *(DEFAULT_SEED, 1, *sampling, PRECISIONS[0], DEFAULT_PAUSE, True),
        ]

    def choices(self, attribute: Attribute) -> list[tuple[str, str]]:
        """Words to show and values of an attribute, the open one first; tags can be searched.

        A search lists what holds the words in this order, so short names go first: the value
        that is named like the words is then the first hit.
        """
        shown = list(attribute.values)
        if characters := self.labels.characters.get(attribute.name):
            shown = [f"{symbol} {name}" for symbol, name in zip(characters, shown, strict=True)]
        if tags := self.labels.tags.get(attribute.name):
            shown = [
                f"{name} ({', '.join(words)})" if words else name
                for name, words in zip(shown, tags, strict=True)
            ]
        choices = list(zip(shown, attribute.values, strict=True))
        if tags:
            choices.sort(key=lambda choice: len(choice[1]))
        return [(f"any {attribute.name}", ANY), *choices]

    def read(self, values: Sequence[object]) -> Choice:
        """Check values.

        Raises:
            ValueError: if one is out of range, or the model does not know it.
        """
        if len(values) != len(self.names):
            raise ValueError(f"there are {len(self.names)} controls, not {len(values)}")
        given = dict(zip(self.names, values, strict=True))
        if given["seed"] is None:
            raise ValueError(f"type a seed from 0 to {MAX_SEED}, or press its dice")
        settings = read_settings(
            self.info,
            {name: given[name] or None for name in self.attributes},
            given["seed"],
            {name: given[name] for name in (*SAMPLING_OPTIONS, "precision")},
        )
        return Choice(
            settings,
            check_int("count", given["count"], 1, MAX_COUNT),
            check_float("pause", given["pause"], 0.0, MAX_PAUSE),
            check_bool("with_recipe", given["with_recipe"]),
        )

    def with_seed(self, values: Sequence[object], keep: object) -> list[object]:
        """The same values, with a new seed unless it is to be kept."""
        values = list(values)
        if not keep:
            values[self.names.index("seed")] = random_seed() // 2  # leaves room to count up
        return values

    def full(self, values: Sequence[object]) -> list[object]:
        """The same values, checked, with implied attributes filled in.

        Raises:
            ValueError: if one is out of range, or the model does not know it.
        """
        names = self.labels.names(self.read(values).settings.label).values()
        return [*[name or ANY for name in names], *values[len(self.attributes) :]]

    def from_recipe(self, path: str | Path) -> tuple[list[object], tuple[Tensor, ...]]:
        """Values from the recipe in a PNG file, and the scales that its picture went on from.

        Returns:
            Values, and token maps (1, S, S); none if the picture was drawn whole.

        Raises:
            ValueError: if there is none, or it is damaged or of another model.
        """
        name, recipe = Path(path).name, read_recipe(path)
        if recipe is None:
            raise ValueError(f"{name} holds no recipe of VAR Studio")
        if recipe.get("model") != self.model_name:
            raise ValueError(f"{name} was drawn by model {recipe.get('model')!r}")
        defaults = zip(OPTIONS, self.defaults()[len(self.attributes) :], strict=True)
        precision = {"float32": "fp32", "bfloat16": "bf16"}.get(str(recipe.get("dtype")), "auto")
        found = {**recipe, "precision": precision}
        values = self.full(
            [
                *[recipe["labels"].get(attribute) or ANY for attribute in self.attributes],
                *[found.get(option, value) for option, value in defaults],
            ]
        )
        kept = recipe.get("kept", [])
        if not isinstance(kept, list) or len(kept) >= len(self.info.schedule.sides):
            raise ValueError(f"the recipe of {name} is damaged")
        try:
            return values, read_tokens(self.info, kept)
        except ValueError as error:
            raise ValueError(f"the recipe of {name} is damaged") from error

    def from_query(self, query: Mapping[str, str]) -> tuple[list[object], list[str]]:
        """Values of a link, and a sentence for each that was left out because it is wrong."""
        values, refused = self.defaults(), []
        for index, name in enumerate(self.names):
            if name not in query:
                continue
            changed = list(values)
            try:
                changed[index] = _parsed(query[name], values[index])
                self.read(changed)
            except ValueError as error:
                refused.append(f"The link's {name} was left out: {error}")
                continue
            values = changed
        return self.full(values), refused

    def preset(self, name: str) -> list[object]:
        """Values of `SAMPLING_OPTIONS` under a preset's name.

        Raises:
            ValueError: if there is no such preset.
        """
        if not isinstance(name, str) or name not in PRESETS:
            raise ValueError(f"preset must be one of {', '.join(PRESETS)}, got {name!r:.40}")
        changes = PRESETS[name]
        options = self.info.options
        return [changes.get(option, getattr(options, option)) for option in SAMPLING_OPTIONS]

    def follow_finer(self, chosen: Sequence[str]) -> list[str]:
        """After a finer attribute (an emoji) was picked: set the coarser ones it implies."""
        values = dict(zip(self.attributes, chosen, strict=True))
        for _, coarser, implied in self._implied(values):
            values[coarser] = implied
        return list(values.values())

    def follow_coarser(self, chosen: Sequence[str]) -> list[str]:
        """After a coarser attribute (a category) was picked: open finer ones that contradict it."""
        values = dict(zip(self.attributes, chosen, strict=True))
        for finer, coarser, implied in self._implied(values):
            if values[coarser] not in (ANY, implied):
                values[finer] = ANY
        return list(values.values())

    def roll(self, name: str, chosen: Sequence[str]) -> list[str]:
        """A random value for one attribute; it stays within the coarser ones that are chosen."""
        values = dict(zip(self.attributes, chosen, strict=True))
        attribute = self.labels.attributes[self.attributes.index(name)]
        allowed = range(len(attribute.values))
        for (source, target), table in self.labels.implies.items():
            coarser = self.labels.attributes[target]
            if self.attributes[source] == name and values[coarser.name]:
                kept = coarser.index(values[coarser.name])
                allowed = [index for index in allowed if table[index] == kept]
        values[name] = attribute.values[secrets.choice(allowed)]
        return self.follow_coarser(list(values.values()))

    def _implied(self, values: Mapping[str, str]) -> list[tuple[str, str, str]]:
        """(finer attribute, coarser attribute, implied value) of all finer ones that are chosen."""
        found = []
        for (source, target), table in self.labels.implies.items():
            finer, coarser = self.labels.attributes[source], self.labels.attributes[target]
            if values[finer.name]:
                implied = coarser.values[table[finer.index(values[finer.name])]]
                found.append((finer.name, coarser.name, implied))
        return found


def parse_numbers(text: str) -> list[float]:
    """Numbers between commas.

    Raises:
        ValueError: if one is none.
    """
    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        shown = text if len(text) <= 40 else text[:40] + "..."
        raise ValueError(f"write numbers with commas between them, not {shown!r}") from error


def _parsed(text: str, like: object) -> object:
    """A value of a link, as the type of the control it is for."""
    if isinstance(like, bool):
        if text not in ("true", "false"):
            raise ValueError(f"it must be true or false, got {text[:40]!r}")
        return text == "true"
    try:
        return type(like)(text)
    except ValueError as error:
        kind = "a whole number" if isinstance(like, int) else "a number"
        raise ValueError(f"it must be {kind}, got {text[:40]!r}") from error
