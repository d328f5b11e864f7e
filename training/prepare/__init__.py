"""Makers of picture sets, and a command that fetches pretrained nets; a file each.

A new maker is a new file here, run with `python -m training.prepare.NAME`; there is nothing to
register. Start from `folder.py`: read pictures and labels, hand them to `save_set`.
"""

from pathlib import Path

# old names of commands
__path__.append(str(Path(__file__).parents[1] / "renamed_commands" / "prepare"))
