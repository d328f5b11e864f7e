"""Prompts in words that are on none of the lists that scenes are composed from."""

from dataclasses import dataclass
from pathlib import Path

import yaml

PROMPTS_FILE = Path(__file__).with_name("free_prompts.yaml")


@dataclass(frozen=True)
class FreePrompt:
    """Words, and the name of the thing that they mean."""

    text: str
    thing: str


def read_free_prompts(path: Path = PROMPTS_FILE) -> list[FreePrompt]:
    """Read the prompts in the order of the file.

    Raises:
        ValueError: if the file is no list of a text and a thing each.
    """
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        return [FreePrompt(str(entry["prompt"]), str(entry["thing"])) for entry in content]
    except (TypeError, KeyError) as error:
        raise ValueError(f"{path.name} must list entries with a prompt and a thing") from error
