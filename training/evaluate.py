"""Measures a trained model on a picture set: reconstruction, likeness, recognition, diversity.

`python -m training.evaluate --model models/mine --data data/mine --nets data/nets
--out runs/mine/figures.json`, also under torchrun.
"""

import sys

from training.evaluation.set_figures import EvaluationSettings, write_figures
from training.loop.command_line import run_command


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(write_figures, EvaluationSettings, "Measure a trained model.", argv)


if __name__ == "__main__":
    sys.exit(main())
