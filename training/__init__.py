"""Trains tokenizer and transformer; run the modules of this folder with `python -m`."""

from pathlib import Path

__path__.append(str(Path(__file__).parent / "renamed_commands"))  # old names of commands
