"""Old names of commands: each prints the new one.

`training/__init__.py` puts this folder on the path of the package, so that
`python -m training.prepare_emoji` finds `prepare_emoji.py` here; `training/prepare/__init__.py`
does the same with the folder `prepare`.
"""

import sys

from var_core.exit_codes import EXIT_BAD_INPUT

NEW_NAMES = {
    "class_check": "training.evaluation.class_check",
    "prepare_cifar": "training.prepare.cifar",
    "prepare.dataset": "training.prepare.huggingface",
    "prepare_dataset": "training.prepare.huggingface",
    "prepare_emoji": "training.prepare.emoji",
    "prepare_fashion": "training.prepare.fashion",
    "prepare_folder": "training.prepare.folder",
    "prepare_nets": "training.prepare.nets",
    "samples": "training.evaluation.scenes.samples",
}


def print_new_name(old_name: str) -> int:
    """Print the new name of a command, for example of "samples"; returns 2."""
    print(f"error: this command is now `python -m {NEW_NAMES[old_name]}`", file=sys.stderr)
    return EXIT_BAD_INPUT
