"""What a picture can be asked to show: attributes, their values, and how they imply each other."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from var_core.menus import Menu
from var_core.ranges import plain, unknown_name

LABELS_FILE = "labels.json"
RESERVED_NAMES = frozenset(
    {
        *("attribute", "best_of", "bottom", "count", "frames", "guidance", "help", "image"),
        *("keep_scales", "left", "loop", "mask", "model", "negative_prompt", "out", "precision"),
        *("prompt", "right"),
        *("rule", "scales_dir", "seed", "smooth", "temperature", "top", "top_k", "top_p"),
    }
)  # options of the command line, where attributes are options too

Label = (
    int
    | None
    | Sequence[int | str | None]
    | Mapping[str, int | str | None]
    | Mapping[str, int | str | Sequence[str] | None]  # names of menus too
)


def is_option_name(name: str) -> bool:
    """Whether an attribute or menu can be an option of the command line under its name."""
    fits = re.fullmatch(r"[^\W\d_][\w-]{0,39}", name) is not None
    option = name.replace("-", "_").lower().removeprefix("no_")  # which turns a switch off
    return fits and option not in RESERVED_NAMES


def check_attribute_name(name: str) -> None:
    """Raise ValueError if a new attribute could not be an option under its name."""
    if not is_option_name(name):
        raise ValueError(
            f"an attribute cannot be called {name!r:.60}: the name has at most 40 letters, digits, "
            f"- and _, begins with a letter and is none of {', '.join(sorted(RESERVED_NAMES))}"
        )


@dataclass(frozen=True)
class Attribute:
    """One column of the labels.

    Attributes:
        name: name of the attribute, for example "style".
        values: its names; the position of a name is its index, and the count is the null index.
        aliases: further spellings of values, to indices.
    """

    name: str
    values: tuple[str, ...]
    aliases: Mapping[str, int] = field(default_factory=dict)

    def index(self, value: object) -> int:
        """Index of a value given by name, alias or index; None stands for the null index.

        Raises:
            ValueError: if there is no such value; the nearest name is suggested.
        """
        count, value = len(self.values), plain(value)
        if value is None:
            return count
        if type(value) is int:
            if not 0 <= value <= count:
                raise ValueError(f"{self.name} must be from 0 to {count} (null), got {value!r:.40}")
            return value
        if not isinstance(value, str):
            raise ValueError(
                f"{self.name} must be a name, a whole number or None, got {value!r:.40}"
            )
        if value in self.values:
            return self.values.index(value)
        if value in self.aliases:
            return self.aliases[value]
        raise unknown_name(self.name, value, self.values)

    def name_of(self, index: int) -> str | None:
        """Name of an index; None for the null index."""
        return None if index == len(self.values) else self.values[index]


@dataclass(frozen=True)
class LabelSpace:
    """The attributes of a model.

    Attributes:
        attributes: one per column of the labels.
        implies: (from, to) column pairs to a table: the value of `from` fixes that of `to`.
        tags: search words of each value of an attribute, by attribute name.
        characters: the Unicode character of each value of an attribute, by attribute name.
        menus: choices that stand for phrases; only models that take text have any.

    Raises:
        ValueError: on construction, if two attributes or menus share a name.
    """

    attributes: tuple[Attribute, ...]
    implies: Mapping[tuple[int, int], tuple[int, ...]] = field(default_factory=dict)
    tags: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    characters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    menus: tuple[Menu, ...] = ()

    def __post_init__(self) -> None:
        names = [one.name for one in (*self.attributes, *self.menus)]
        if len(set(names)) != len(names):
            raise ValueError(f"two attributes or menus share a name: {', '.join(names)}")

    @classmethod
    def single(cls, name: str, count: int) -> "LabelSpace":
        """One attribute whose values are named by their numbers."""
        return cls((Attribute(name, tuple(str(index) for index in range(count))),))

    @property
    def null(self) -> tuple[int, ...]:
        """The label that leaves everything open."""
        return tuple(len(attribute.values) for attribute in self.attributes)

    @property
    def counts(self) -> tuple[int, ...]:
        """Number of values of each attribute."""
        return self.null

    def resolve(self, label: Label) -> tuple[int, ...]:
        """Indices of one label, implied attributes filled in.

        Args:
            label: None (all open); an int, if there is one attribute; a tuple with one entry per
                attribute; or a dictionary from names of attributes to values, in which names of
                menus may stand too (see `phrases`). Entries are names, indices or None.

        Returns:
            One index per attribute.

        Raises:
            ValueError: if a value is unknown, two values contradict each other, or the form does
                not fit the attributes.
        """
        indices = self._indices(label)
        for (source, target), table in self.implies.items():
            if indices[source] == len(self.attributes[source].values):
                continue
            implied = table[indices[source]]
            if indices[target] not in (implied, len(self.attributes[target].values)):
                source_attribute, target_attribute = (
                    self.attributes[source],
                    self.attributes[target],
                )
                raise ValueError(
                    f"{source_attribute.name} {source_attribute.name_of(indices[source])!r} "
                    f"belongs to {target_attribute.name} {target_attribute.name_of(implied)!r}, "
                    f"not {target_attribute.name_of(indices[target])!r}"
                )
            indices[target] = implied
        return tuple(indices)

    def with_value(self, attribute: str, name: str, like: str) -> "LabelSpace":
        """The same with a new value of an attribute, the last one.

        Args:
            attribute: name of the attribute.
            name: the new value.
            like: value that it takes implied labels and its symbol from.

        Raises:
            ValueError: if there is no such attribute or value, or the name is taken.
        """
        names = [one.name for one in self.attributes]
        if attribute not in names:
            raise unknown_name("attribute", attribute, names)
        column = names.index(attribute)
        own = self.attributes[column]
        if name in own.values or name in own.aliases:
            raise ValueError(f"{attribute} has {name!r} already: choose another name")
        index = own.index(like)
        tables = {pair: (*table, table[index]) for pair, table in self.implies.items()}
        implies = {p: tables[p] if p[0] == column else self.implies[p] for p in tables}
        tags, characters, aliases = dict(self.tags), dict(self.characters), dict(own.aliases)
        if attribute in tags:
            tags[attribute] = (*tags[attribute], ())
        if attribute in characters:
            symbol = f"{characters[attribute][index]}*"
            characters[attribute] = (*characters[attribute], symbol)
            aliases[symbol] = len(own.values)
        grown = Attribute(attribute, (*own.values, name), aliases)
        attributes = (*self.attributes[:column], grown, *self.attributes[column + 1 :])
        return replace(
            self, attributes=attributes, implies=implies, tags=tags, characters=characters
        )

    def with_choice(self, menu: str, name: str, like: str) -> "LabelSpace":
        """The same with a new choice of a menu, see `Menu.with_choice`.

        Raises:
            ValueError: as there, and if there is no such menu.
        """
        names = [one.name for one in self.menus]
        if menu not in names:
            raise unknown_name("menu", menu, names)
        menus = (one.with_choice(name, like) if one.name == menu else one for one in self.menus)
        return replace(self, menus=tuple(menus))

    def phrases(self, label: Label) -> tuple[str, ...]:
        """Phrases of what a label picks from the menus, in the order of the menus.

        Args:
            label: label as in `resolve`. The entry of a menu is the name of a choice, a list of
                names, or None.

        Raises:
            ValueError: if there is no such choice.
        """
        if not isinstance(label, Mapping):
            return ()
        chosen: list[str] = []
        for menu in self.menus:
            entry = label.get(menu.name)
            names = [] if entry is None else entry if isinstance(entry, list | tuple) else [entry]
            chosen += [menu.find(name).phrase for name in names]
        return tuple(chosen)

    def names(self, label: Sequence[int]) -> dict[str, str | None]:
        """Attribute names to value names of resolved indices; None where open."""
        return {
            attribute.name: attribute.name_of(index)
            for attribute, index in zip(self.attributes, label, strict=True)
        }

    def telling_names(self, label: Sequence[int]) -> list[str]:
        """Names of resolved indices, without those that are open or that others imply."""
        names = [*self.names(label).values()]
        implied = {target for source, target in self.implies if names[source]}
        return [name for place, name in enumerate(names) if name and place not in implied]

    def _indices(self, label: Label) -> list[int]:
        if label is None:
            return list(self.null)
        if isinstance(label, Mapping):
            known = [one.name for one in (*self.attributes, *self.menus)]
            for name in label:
                if name not in known:
                    raise ValueError(f"a label has {', '.join(known)}, not {name!r:.40}")
            return [attribute.index(label.get(attribute.name)) for attribute in self.attributes]
        if isinstance(label, tuple | list):
            if len(label) != len(self.attributes):
                raise ValueError(f"a label needs {len(self.attributes)} entries, got {len(label)}")
            pairs = zip(self.attributes, label, strict=True)
            return [attribute.index(value) for attribute, value in pairs]
        if len(self.attributes) != 1:
            names = ", ".join(attribute.name for attribute in self.attributes)
            have = f"this model's labels have several attributes ({names})"
            raise ValueError(f"{have if names else 'this model has no labels'}, got {label!r:.40}")
        return [self.attributes[0].index(label)]

    def to_json(self) -> dict[str, Any]:
        """The content of labels.json."""
        implies: dict[str, dict[str, list[int]]] = {}
        for (source, target), table in self.implies.items():
            names = self.attributes[source].name, self.attributes[target].name
            implies.setdefault(names[0], {})[names[1]] = list(table)
        content: dict[str, Any] = {
            "attributes": [
                {"name": attribute.name, "values": list(attribute.values)}
                for attribute in self.attributes
            ],
            "implies": implies,
        }
        if self.menus:
            content["menus"] = [menu.to_json() for menu in self.menus]
        for name in sorted({*self.tags, *self.characters}):
            content[name] = {
                "characters": list(self.characters.get(name, ())),
                "tags": [list(words) for words in self.tags.get(name, ())],
            }
        return content

    @classmethod
    def from_json(cls, content: Mapping) -> "LabelSpace":
        """Read the content of labels.json.

        Raises:
            ValueError: if it is not of that form.
        """
        try:
            return cls._from_json(content)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"the label table is damaged: {error!r}") from error

    @classmethod
    def _from_json(cls, content: Mapping) -> "LabelSpace":
        attributes, tags, characters = [], {}, {}
        for entry in content["attributes"]:
            name, values = str(entry["name"]), tuple(str(value) for value in entry["values"])
            if not values or len(set(values)) != len(values):
                raise ValueError(f"the values of {name} must be different names, at least one")
            extra = content.get(name, {})
            symbols = tuple(str(symbol) for symbol in extra.get("characters", ()))
            if symbols:
                characters[name] = symbols
            if "tags" in extra:
                tags[name] = tuple(tuple(map(str, words)) for words in extra["tags"])
            aliases = {symbol: index for index, symbol in enumerate(symbols)}
            attributes.append(Attribute(name, values, aliases))
        columns = {attribute.name: column for column, attribute in enumerate(attributes)}
        implies = {}
        for source, targets in content.get("implies", {}).items():
            for target, table in targets.items():
                pair = columns[source], columns[target]
                limits = len(attributes[pair[0]].values), len(attributes[pair[1]].values)
                if len(table) != limits[0] or not all(
                    type(index) is int and 0 <= index < limits[1] for index in table
                ):
                    raise ValueError(f"the table from {source} to {target} does not fit")
                implies[pair] = tuple(table)
        menus = tuple(Menu.from_json(entry) for entry in content.get("menus", ()))
        return cls(tuple(attributes), implies, tags, characters, menus)

    def save(self, folder: Path) -> None:
        """Write labels.json into a folder."""
        text = json.dumps(self.to_json(), ensure_ascii=False, separators=(",", ":"))
        (folder / LABELS_FILE).write_text(text, "utf-8")
