"""Reads a recipe and turns it into the commands to run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

SECTIONS = ("tokenizer", "transformer")
COARSE = "coarse"  # section of a transformer run before, which learns the first scales alone
EXPORT = "export"
CLASS_CHECK = "class_check"  # false where labels are no classes
CHANGED = (*SECTIONS, COARSE, EXPORT, CLASS_CHECK)


def read_recipe(path: Path, changes: list[str]) -> dict[str, Any]:
    """Read a recipe, with changes such as `transformer.steps=100` or `out=runs/b`.

    Raises:
        ValueError: if it is missing or malformed, or has an entry that no recipe has.
    """
    try:
        recipe = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if not isinstance(recipe, dict) or not all(
        isinstance(recipe.get(name), dict) for name in SECTIONS
    ):
        raise ValueError(f"{path} has no sections {' and '.join(SECTIONS)}")
    for change in changes:
        name, equals, text = change.partition("=")
        section, _, key = name.rpartition(".")
        if not equals or not key or section not in ("", *CHANGED):
            raise ValueError(
                f"a change is like transformer.steps=100 or out=runs/b, not {change!r}; parts are "
                f"{', '.join(CHANGED)}"
            )
        if section and not isinstance(recipe.get(section), dict):
            if section == COARSE:
                raise ValueError(f"{path} has no section {COARSE} to change")
            recipe[section] = {}
        (recipe[section] if section else recipe)[key] = _value(change, text)
    for name in ("data", "out"):
        if not isinstance(recipe.get(name), str):
            raise ValueError(f"{path} has no entry {name}")
    if surplus := set(recipe) - {"data", "out", *CHANGED}:
        raise ValueError(f"{path} has {sorted(surplus)[0]!r}, which is no entry of a recipe")
    return recipe


def _value(change: str, text: str) -> object:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"the value of {change!r} is no YAML") from error


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
