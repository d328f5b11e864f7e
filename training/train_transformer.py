"""Trains the transformer on the tokens of a trained tokenizer.

`python -m training.train_transformer --data data/mine --tokenizer runs/tokenizer/tokenizer
--out runs/transformer`. Run the same command again to resume from the newest checkpoint.
"""

import sys

from training.loop.train_command import train_command
from training.transformer.footprint import transformer_footprint
from training.transformer.run import TransformerRun
from training.transformer.settings import TransformerSettings
from training.transformer.trial import transformer_trial


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    about = "Train the next-scale transformer."
    return train_command(
        TransformerRun, transformer_footprint, transformer_trial, TransformerSettings, about, argv
    )


if __name__ == "__main__":
    sys.exit(main())
