"""Makes a picture set of your own pictures, sorted into one folder per class.

`python -m training.prepare.folder --images photos --out data/mine --size 64`

The pattern for another maker: a new file beside this one, which reads pictures and labels and hands
them to `save_set`. There is nothing to register.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from training.data.write_prepared_set import (
    MAX_SIDE,
    MIN_SIDE,
    SIZE_HELP,
    LabelColumn,
    check_share,
    pick_validation,
    read_squares,
    save_set,
)
from training.loop.command_line import Settings, run_command
from var_core.images import read_image
from var_core.option_fields import about, option

ENDINGS = (".png", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True, kw_only=True)
class FolderSettings(Settings):
    """What to read and to write."""

    images: str = field(metadata=about("folder with one sub-folder of pictures per class"))
    out: str = field(metadata=about("folder to write"))
    size: int = option(64, SIZE_HELP, low=MIN_SIDE, high=MAX_SIDE)
    validation: float = option(0.05, "share of the pictures kept for validation, below 0.5")
    attribute: str = option("class", "name of the attribute that the classes are values of")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_share(self.validation)


def find_pictures(folder: Path) -> dict[str, list[Path]]:
    """Find the pictures of each class; classes and files sorted by name.

    Raises:
        ValueError: if there are no classes, or one has no pictures.
    """
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}")
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")
    if not classes:
        raise ValueError(f"{folder} has no sub-folders: one is needed for each class")
    found = {}
    for place in classes:
        files = [path for path in sorted(place.rglob("*")) if path.suffix.lower() in ENDINGS]
        if not files:
            raise ValueError(f"{place} has no PNG, JPEG or WebP pictures")
        found[place.name] = files
    return found


def identity(path: Path) -> bytes:
    """The names of folder and file of a picture, which decide its split."""
    return f"{path.parent.name}/{path.name}".encode()


def prepare(settings: FolderSettings) -> None:
    """Read the pictures and write the set.

    Raises:
        ValueError: if a setting or a picture does not do.
        OSError: if there is no space.
    """
    found = find_pictures(Path(settings.images))
    files = [path for paths in found.values() for path in paths]
    names = [name for name, paths in found.items() for _ in paths]
    images, shown = read_squares(files, map(str, files), read_image, settings.size)
    validation = pick_validation((identity(files[place]) for place in shown), settings.validation)
    labels = [names[place] for place in shown]
    save_set(
        Path(settings.out),
        images,
        [LabelColumn(settings.attribute, list(found), labels)],
        validation,
    )
    num_damaged = sum(place != row for row, place in enumerate(shown))
    print(
        f"{len(files)} pictures of {len(found)} classes, {num_damaged} damaged, in {settings.out}"
    )


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(prepare, FolderSettings, "Make a picture set of a folder of pictures.", argv)


if __name__ == "__main__":
    sys.exit(main())
