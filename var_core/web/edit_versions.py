"""The versions of the pictures that a visitor edits; nothing that was drawn is lost."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from var_core.web.canvas import Canvas

MAX_VERSIONS = 24
MAX_MASK = 200_000  # characters of a mask that is kept with its version


@dataclass(frozen=True)
class Edit:
    """What was asked of a picture.

    Attributes:
        task: "redraw", "outpaint" or "vary".
        mask: run lengths of the painted mask; "" if nothing is painted.
        margins: pixels to add at each side.
        keep_scales: scales that a variation keeps.
    """

    task: str
    mask: object = ""
    margins: Mapping[str, Any] = field(default_factory=dict)
    keep_scales: object = 1


@dataclass(frozen=True)
class Version:
    """A picture that was opened or made.

    Attributes:
        canvas: the picture.
        words: what it is, for people.
        number: what the page calls it by.
        parent: number of the version that it was made from; None for a picture that was opened.
        edit: what was asked of the parent.
        before: PNG file of the picture before, placed as in this one.
        mask: what is painted on it, as run lengths.
        source: number of the drawing that it comes from, and its place there; None for a picture
            of the visitor.
    """

    canvas: Canvas
    words: str
    number: int = 0
    parent: int | None = None
    edit: Edit | None = None
    before: Path | None = None
    mask: str = ""
    source: tuple[int, int] | None = None


@dataclass(frozen=True)
class Versions:
    """All versions, the oldest first, one of which is looked at.

    Attributes:
        all: the newest versions.
        current: number of the version that is looked at.
    """

    all: tuple[Version, ...] = ()
    current: int = 0

    @property
    def here(self) -> Version:
        """The version that is looked at.

        Raises:
            ValueError: if there is none yet.
        """
        if not self.all:
            raise ValueError("there is no picture yet: open one, drop one, or press Edit at one")
        return self.at(self.current)

    @property
    def undone(self) -> int | None:
        """Number of the version before the last edit."""
        parent = self.here.parent
        return parent if any(one.number == parent for one in self.all) else None

    @property
    def redone(self) -> int | None:
        """Number of the newest version that was made from this one."""
        made = [one.number for one in self.all if one.parent == self.current]
        return made[-1] if made else None

    def at(self, number: object) -> Version:
        """The version of a number.

        Raises:
            ValueError: if there is none.
        """
        for one in self.all:
            if type(number) is int and one.number == number:
                return one
        raise ValueError(f"there is no version {number!r:.40} any more")

    def go(self, number: object) -> "Versions":
        """The same versions, looking at another one.

        Raises:
            ValueError: if there is none of that number.
        """
        return replace(self, current=self.at(number).number)

    def painted(self, number: int, mask: object) -> "Versions":
        """The same versions; what is painted on one of them is kept for when it is seen again."""
        kept = mask if isinstance(mask, str) and len(mask) <= MAX_MASK else ""
        changed = (replace(one, mask=kept) if one.number == number else one for one in self.all)
        return replace(self, all=tuple(changed))

    def added(self, version: Version) -> "Versions":
        """With one more version, which is looked at; the oldest one goes where there are many."""
        number = self.all[-1].number + 1 if self.all else 0
        return Versions((*self.all, replace(version, number=number))[-MAX_VERSIONS:], number)
