"""The tools for assistants: what they take, and the check of what an assistant sends."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from var_core.jobs.parsing import DEFAULT_SEED, MAX_COUNT
from var_core.sampling import MAX_SEED

MAX_VALUES = 1000  # of one message; that of a tool has some ten
TEXT = {"type": "string"}
WISH: dict[str, dict[str, Any]] = {
    "prompt": {**TEXT, "description": "what to draw: phrases or names with commas between them"},
    "labels": {
        "type": "object",
        "description": "attribute names to value names, as describe tells them",
        "additionalProperties": TEXT,
    },
    "seed": {"type": "integer", "minimum": 0, "maximum": MAX_SEED, "default": DEFAULT_SEED},
    "count": {"type": "integer", "minimum": 1, "maximum": MAX_COUNT, "default": 1},
}
BASE64 = "as base64, with or without the head of a data URL"


@dataclass(frozen=True)
class Tool:
    """One tool.

    Attributes:
        name: its name.
        words: what it does.
        fields: JSON schemas of its arguments.
        required: names of the arguments that must be there.
    """

    name: str
    words: str
    fields: Mapping[str, Mapping[str, Any]]
    required: Sequence[str] = ()

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema of all arguments."""
        return {
            "type": "object",
            "properties": {name: dict(field) for name, field in self.fields.items()},
            "required": list(self.required),
            "additionalProperties": False,
        }

    def check(self, arguments: Mapping[str, object]) -> None:
        """Check names and types of arguments; whole numbers are checked with their limits later.

        Raises:
            ValueError: if one is unknown, missing or of another type.
        """
        if unknown := [name for name in arguments if name not in self.fields]:
            raise ValueError(f"{self.name} takes no {unknown[0]!r:.40}")
        if missing := [name for name in self.required if name not in arguments]:
            raise ValueError(f"{self.name} needs {missing[0]}")
        for name, value in arguments.items():
            kind = self.fields[name]["type"]
            if kind == "string" and not isinstance(value, str):
                raise ValueError(f"{name} must be a text, got {value!r:.40}")
            if kind == "object":
                _check_names(name, value)


def _check_names(name: str, value: object) -> None:
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} must be an object of names to names, got {value!r:.40}")
    if wrong := [one for one in value.values() if not isinstance(one, str)]:
        raise ValueError(f"{name} must hold names, which are texts, got {wrong[0]!r:.40}")


TOOLS = {
    tool.name: tool
    for tool in (
        Tool("generate", "Draw pictures, with seeds counting up. Returns PNG pictures.", WISH),
        Tool(
            "edit",
            "Redraw what is under a mask; elsewhere the picture stays. Returns PNG pictures.",
            {
                "picture": {**TEXT, "description": f"PNG, JPEG or WebP {BASE64}"},
                "mask": {
                    **TEXT,
                    "description": f"picture of the same size {BASE64}; what is light is redrawn",
                },
                **WISH,
            },
            ("picture", "mask"),
        ),
        Tool(
            "describe",
            "What the model can draw: its labels, scales and limits.",
            {"search": {**TEXT, "description": "only names that hold this word"}},
        ),
    )
}


def is_small(body: bytes) -> bool:
    """Whether a message in JSON has no more values than MAX_VALUES, the nested ones included."""
    waiting, count = [json.loads(body)], 0
    while waiting and count <= MAX_VALUES:
        value = waiting.pop()
        count += 1
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return count <= MAX_VALUES
