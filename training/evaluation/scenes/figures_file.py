"""The file of the figures: written after each of them, and continued where it ends."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from var_core.files import write_atomically


class FiguresFile:
    """Figures of one model, and the marks of the sets of prompts behind them.

    Args:
        path: JSON file; it is made when the first entry is written.
        settings: what the figures depend on.

    Raises:
        ValueError: if the file is damaged, or holds figures with other settings.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self.path = path
        self._content: dict[str, Any] = {"settings": dict(settings), "figures": {}, "marks": {}}
        if not path.exists():
            return
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            entries = {name: dict(found[name]) for name in self._content}
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} holds no figures; delete it") from error
        for name, value in settings.items():
            if entries["settings"].get(name) != value:
                raise ValueError(
                    f"{path} holds figures with {name} {entries['settings'].get(name)!r}, now it "
                    f"is {value!r}; delete it, or choose another file"
                )
        self._content = entries

    @property
    def figures(self) -> Mapping[str, Any]:
        """Letter -> figure, of those that are there."""
        return self._content["figures"]

    @property
    def marks(self) -> Mapping[str, Any]:
        """Set of prompts -> marks of its pictures, of those that are there."""
        return self._content["marks"]

    def add_figure(self, letter: str, figure: Mapping[str, Any]) -> None:
        """Keep a figure and write the file."""
        self._add("figures", letter, figure)

    def add_marks(self, name: str, marks: Mapping[str, Any]) -> None:
        """Keep the marks of a set and write the file."""
        self._add("marks", name, marks)

    def _add(self, group: str, name: str, value: Mapping[str, Any]) -> None:
        entries = self._content[group] | {name: dict(value)}
        self._content[group] = dict(sorted(entries.items()))
        text = json.dumps(self._content, indent=1, ensure_ascii=False)
        write_atomically(self.path, f"{text}\n".encode())
