"""Reads a recipe and turns it into the commands to run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

SECTIONS = ("tokenizer", "transformer")
COARSE = "coarse"  # section of a transformer run before, which learns the first scales alone
EXPORT = "export"
CLASS_CHECK = "class_check"  # false where labels are no classes
MAX_BYTES = 1_000_000
PLAIN = (str, int, float, bool)  # types of values
CHANGED = (*SECTIONS, COARSE, EXPORT, CLASS_CHECK)


def read_recipe(path: Path, changes: list[str]) -> dict[str, Any]:
    """Read a recipe, with changes such as `transformer.steps=100` or `out=runs/b`.

    Raises:
        ValueError: if it is missing or malformed, or has an entry that no recipe has.
    """
    recipe = _read_yaml(path)
    if not isinstance(recipe, dict) or not all(
        isinstance(recipe.get(name), dict) for name in SECTIONS
    ):
        raise ValueError(f"{path} has no sections {' and '.join(SECTIONS)}")
    for change in changes:
        _make(change, recipe, path)
    for name in ("data", "out"):
        if not isinstance(recipe.get(name), str):
            raise ValueError(f"{path} has no entry {name}")
    if surplus := [name for name in recipe if name not in ("data", "out", *CHANGED)]:
        raise ValueError(f"{path} has {surplus[0]!r:.60}, which is no entry of a recipe")
    for name in CHANGED:
        if name in recipe and not (name == CLASS_CHECK and isinstance(recipe[name], bool)):
            recipe[name] = _settings(f"{path}: {name}", recipe[name])
    return recipe


def _make(change: str, recipe: dict[str, Any], path: Path) -> None:
    """Make one change in a recipe.

    Raises:
        ValueError: if it is malformed, or there is nothing to change.
    """
    name, equals, text = change.partition("=")
    section, _, key = name.rpartition(".")
    if not equals or not key or section not in ("", *CHANGED):
        raise ValueError(
            f"a change is like transformer.steps=100 or out=runs/b, not {change!r}; parts are "
            f"{', '.join(CHANGED)}"
        )
    if section and not isinstance(recipe.get(section), dict):
        if section == COARSE and recipe.get(section) is None:
            raise ValueError(f"{path} has no section {COARSE} to change")
        recipe[section] = {}
    (recipe[section] if section else recipe)[key] = _value(change, text)


def _read_yaml(path: Path) -> Any:
    try:
        if path.exists() and not path.is_file():  # a pipe could be waited for without end
            raise ValueError("it is no file")
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"it is larger than {MAX_BYTES} bytes")
        return yaml.safe_load(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ValueError(f"{str(path)!r} cannot be read: {error}") from error


def _settings(place: str, found: object) -> dict[str, object]:
    """The settings of a part: names with numbers, words, switches, or lists of numbers.

    Raises:
        ValueError: if it is anything else, such as lists in lists, which may have no end.
    """
    if found is None:  # a heading with nothing below it
        return {}
    if not isinstance(found, dict):
        raise ValueError(f"{place} must be settings such as `steps: 100`")
    for name, value in found.items():
        numbers = value if isinstance(value, list) else [value]
        if not isinstance(name, str) or not all(type(one) in PLAIN for one in numbers):
            shown = type(value).__name__ if isinstance(value, dict | list) else repr(value)
            raise ValueError(
                f"{place} has {name!r:.60} with {shown:.60}, where settings have a number, a word, "
                "true, false or a list of numbers"
            )
    return found


def _value(change: str, text: str) -> object:
    try:
        return yaml.safe_load(text)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise ValueError(f"the value of {change[:60]!r} is no YAML") from error


def flags(settings: Mapping[str, object]) -> list[str]:
    """Settings as command-line flags."""
    words = []
    for name, value in settings.items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            words.append(flag if value else flag.replace("--", "--no-", 1))
        elif isinstance(value, list):
            words += [flag, *map(str, value)]
        else:
            words += [flag, str(value)]
    return words


def commands(recipe: Mapping[str, Any]) -> list[list[str]]:
    """The modules to run, in order, each with its flags."""
    data, out = recipe["data"], Path(recipe["out"])
    tokenizer, transformer, coarse = out / "tokenizer", out / "transformer", out / COARSE
    parts = {"tokenizer": tokenizer / "tokenizer", "data": data}
    plan = [
        [
            "training.train_tokenizer",
            *flags({"data": data, "out": tokenizer} | recipe["tokenizer"]),
        ]
    ]
    first: dict[str, object] = {}
    if COARSE in recipe:
        plan.append(
            ["training.train_transformer", *flags(parts | {"out": coarse} | recipe[COARSE])]
        )
        first = {"initial": coarse / "transformer"}
    plan += [
        [
            "training.train_transformer",
            *flags(parts | {"out": transformer} | first | recipe["transformer"]),
        ],
        [
            "training.export",
            *flags(
                parts
                | {"transformer": transformer / "transformer", "out": out / "model"}
                | recipe.get(EXPORT, {})
            ),
        ],
    ]
    check = recipe.get(CLASS_CHECK, {})
    if check is not False:
        model = {"data": data, "model": out / "model", "out": out}
        model |= check if isinstance(check, dict) else {}
        plan.append(["training.evaluation.class_check", *flags(model)])
    return plan
