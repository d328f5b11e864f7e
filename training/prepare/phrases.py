"""Makes a vector of every text that is said of pictures: `python -m training.prepare.phrases`.

`--data` is a set that `training.prepare.shards` made with `--caption-columns`. From then on a
transformer that is trained on it listens to words. The command goes on where it was cut off, and
several may work on one set.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from training.data.caption_vectors import write_vectors
from training.data.prepared_set import load_prepared_set
from training.loop.command_line import Settings, run_command
from training.loop.heartbeat import busy
from var_core.option_fields import about
from var_core.text.encoder import open_embedded_encoder


@dataclass(frozen=True, kw_only=True)
class PhraseSettings(Settings):
    """Which set."""

    data: str = field(metadata=about("folder of a set with captions"))


def encode(settings: PhraseSettings) -> None:
    """Encode the phrases of a set.

    Raises:
        ValueError: if it has none, or the encoder is missing.
        OSError: if the vectors cannot be written.
    """
    with busy("opening the set"):
        phrases = load_prepared_set(settings.data).phrases
        if not phrases:
            raise ValueError(
                f"{settings.data} has no captions: make it with training.prepare.shards and "
                "--caption-columns"
            )
        encoder = open_embedded_encoder()
    write_vectors(Path(settings.data), phrases, encoder)
    print(f"{len(phrases):,} phrases have a vector of {encoder.width} numbers in {settings.data}")


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(encode, PhraseSettings, "Make vectors of the captions of a set.", argv)


if __name__ == "__main__":
    sys.exit(main())
