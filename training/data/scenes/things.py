"""The things that scenes are composed of, read from `things.txt`."""

from dataclasses import dataclass
from pathlib import Path

THINGS_FILE = Path(__file__).with_name("things.txt")
HOMES = ("ground", "flies", "swims", "sky")
FLAGS = ("fixed", "mass", "core")


@dataclass(frozen=True)
class Thing:
    """One thing and how it stands in a scene."""

    name: str  # English, singular, without article
    character: str  # the emoji that draws it
    category: str
    homes: tuple[str, ...] = ("ground",)  # values of HOMES, at least one
    may_flip: bool = True  # False for what shows letters, digits or a clock face
    is_mass: bool = False  # takes neither article nor number: "bread", "grapes"
    plural: str = ""
    synonyms: tuple[str, ...] = ()  # other English words

    @property
    def slug(self) -> str:
        """Name as part of a file name: "jack-o'-lantern" -> "jack_o_lantern"."""
        letters = (letter if letter.isalnum() else "_" for letter in self.name.lower())
        return "_".join(part for part in "".join(letters).split("_") if part)


def regular_plural(name: str) -> str:
    """Return the regular English plural of a noun: "box" -> "boxes", "fly" -> "flies"."""
    if name.endswith(("s", "x", "ch", "sh")):
        return name + "es"
    if name.endswith("y") and name[-2] not in "aeiou":
        return name[:-1] + "ies"
    return name + "s"


def read_things(path: Path = THINGS_FILE, core: bool = False) -> list[Thing]:
    """Read the list of things, in file order.

    Args:
        path: the list.
        core: whether to return the small world alone, the things with the trait "core".

    Raises:
        ValueError: if a line cannot be read or a name appears twice; the message gives the line.
    """
    things: list[Thing] = []
    category = ""
    for number, raw in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith(("#", "-")):
            continue
        if line.startswith("["):
            category = line.strip("[]")
            continue
        try:
            thing, is_core = _read_thing(line, category)
        except ValueError as error:
            raise ValueError(f"line {number} of {path.name}: {error}") from error
        if is_core or not core:
            things.append(thing)
    names = [thing.name for thing in things]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{path.name} names twice: {', '.join(twice)}")
    return things


def _read_thing(line: str, category: str) -> tuple[Thing, bool]:
    """A thing, and whether it is of the small world."""
    fields = [field.strip() for field in line.split("|")]
    if len(fields) != 3 or " " not in fields[0]:
        raise ValueError(f"expected 'emoji name | traits | words', got {line!r}")
    character, name = fields[0].split(" ", 1)
    text, _, plural = fields[1].partition("plural=")
    traits = text.split()
    unknown = [trait for trait in traits if trait not in HOMES + FLAGS]
    if unknown:
        raise ValueError(
            f"the traits {unknown} are none of {', '.join(HOMES + FLAGS)}, plural=WORD"
        )
    synonyms = tuple(word.strip() for word in fields[2].split(",") if word.strip())
    thing = Thing(
        name=name,
        character=character,
        category=category,
        homes=tuple(home for home in HOMES if home in traits) or ("ground",),
        may_flip="fixed" not in traits,
        is_mass="mass" in traits,
        plural=plural.strip() or regular_plural(name),
        synonyms=synonyms,
    )
    return thing, "core" in traits
