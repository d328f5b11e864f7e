"""Runs a recipe: tokenizer, transformer, model folder, check of the drawings.

`python -m training.recipe training/recipes/quick.yaml [transformer.steps=100 ...]`

Each part is a command of its own, printed before it runs. All settings are checked before the first
part begins. Run the recipe again to resume it.
"""

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

from training.evaluation.class_check import CheckSettings
from training.export import ExportSettings
from training.loop.command_line import Settings, check_flags, fail, fail_to_write
from training.recipes.recipe_file import commands, read_recipe
from training.tokenizer.settings import TokenizerSettings
from training.transformer.settings import TransformerSettings
from var_core.exit_codes import EXIT_BAD_INPUT
from var_core.terminal import run_quietly

SETTINGS: dict[str, type[Settings]] = {
    "training.train_tokenizer": TokenizerSettings,
    "training.train_transformer": TransformerSettings,
    "training.export": ExportSettings,
    "training.evaluation.class_check": CheckSettings,
}


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code, that of the first part that fails."""
    parser = argparse.ArgumentParser(prog="python -m training.recipe", description="Run a recipe.")
    parser.add_argument("recipe", type=Path, help="YAML file")
    parser.add_argument("changes", nargs="*", help="for example transformer.steps=100")
    parser.add_argument("--dry-run", action="store_true", help="only print the commands")
    return run_quietly(lambda: _said(parser.parse_intermixed_args(argv)))


def _said(arguments: argparse.Namespace) -> int:
    try:
        return _run(arguments)
    except BrokenPipeError:
        raise  # ends the command quietly
    except OSError as error:
        return fail_to_write(error)


def _run(arguments: argparse.Namespace) -> int:
    try:
        planned = commands(read_recipe(arguments.recipe, arguments.changes))
        for module, *words in planned:
            check_flags(SETTINGS[module], words)
    except ValueError as error:
        return fail(str(error), EXIT_BAD_INPUT)
    for module, *words in planned:
        print(f"python -m {shlex.join([module, *words])}", flush=True)
        if not arguments.dry_run:
            code = subprocess.run([sys.executable, "-m", module, *words], check=False).returncode
            if code:
                return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
