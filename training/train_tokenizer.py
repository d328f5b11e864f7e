"""Trains the tokenizer: `python -m training.train_tokenizer --data data/mine --out runs/tokenizer`.

Run the same command again to resume from the newest checkpoint.
"""

import sys

from training.loop.train_command import train_command
from training.tokenizer.footprint import tokenizer_footprint
from training.tokenizer.run import TokenizerRun
from training.tokenizer.settings import TokenizerSettings
from training.tokenizer.trial import tokenizer_trial


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    about = "Train the multi-scale tokenizer."
    return train_command(
        TokenizerRun, tokenizer_footprint, tokenizer_trial, TokenizerSettings, about, argv
    )


if __name__ == "__main__":
    sys.exit(main())
