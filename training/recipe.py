"""Runs a recipe: tokenizer, transformer, model folder, check of what is drawn.

`python -m training.recipe training/recipes/quick.yaml [transformer.steps=100 ...]`

Each part is a command of its own, printed before it runs; run again, the recipe goes on where it
was cut off.
"""

import argparse
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

from training.loop.config import EXIT_BAD_INPUT

SECTIONS = ("tokenizer", "transformer")


def read_recipe(path: Path, changes: list[str]) -> dict:
    """The content of a recipe, with changes such as `transformer.steps=100` or `out=runs/b`.

    Raises:
        ValueError: if it is missing, malformed, or has something that no recipe has.
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
        if not equals or section not in ("", *SECTIONS):
            raise ValueError(
                f"a change is like transformer.steps=100 or out=runs/b, not {change!r}"
            )
        (recipe[section] if section else recipe)[key] = yaml.safe_load(text)
    for name in ("data", "out"):
        if not isinstance(recipe.get(name), str):
            raise ValueError(f"{path} does not say {name}")
    if surplus := set(recipe) - {"data", "out", *SECTIONS}:
        raise ValueError(f"{path} has {sorted(surplus)[0]!r}, which no recipe has")
    return recipe


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


def commands(recipe: Mapping) -> list[list[str]]:
    """The modules to run, in order, each with its flags."""
    data, out = recipe["data"], Path(recipe["out"])
    tokenizer, transformer = out / "tokenizer", out / "transformer"
    parts = {"tokenizer": tokenizer / "tokenizer", "data": data}
    return [
        [
            "training.train_tokenizer",
            *flags({"data": data, "out": tokenizer} | recipe["tokenizer"]),
        ],
        [
            "training.train_transformer",
            *flags(parts | {"out": transformer} | recipe["transformer"]),
        ],
        [
            "training.export",
            *flags(parts | {"transformer": transformer / "transformer", "out": out / "model"}),
        ],
        [
            "training.evaluation.class_check",
            *flags({"data": data, "model": out / "model", "out": out}),
        ],
    ]


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code, that of the first part that fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", type=Path, help="YAML file")
    parser.add_argument("changes", nargs="*", help="for example transformer.steps=100")
    parser.add_argument("--dry-run", action="store_true", help="print the commands only")
    arguments = parser.parse_args(argv)
    try:
        planned = commands(read_recipe(arguments.recipe, arguments.changes))
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    for module, *words in planned:
        print(f"python -m {shlex.join([module, *words])}", flush=True)
        if not arguments.dry_run:
            code = subprocess.run([sys.executable, "-m", module, *words], check=False).returncode
            if code:
                return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
