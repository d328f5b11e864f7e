"""Measures a trained model: every figure of the model card comes from one command here.

`python -m training.evaluate --model assets/models/emoji64 --data data/emoji64 --nets data/nets
--judge runs/judge/judge.safetensors --out runs/figures.json`
"""

import sys

from training.evaluation.emoji_figures import EvaluationSettings, write_figures
from training.loop.command_line import run_command


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(write_figures, EvaluationSettings, "Measure a trained model.", argv)


if __name__ == "__main__":
    sys.exit(main())
