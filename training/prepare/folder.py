"""Makes a picture set of your own pictures, sorted into one folder per class.

`python -m training.prepare.folder --images photos --out data/mine --size 64`

The pattern for another maker: a new file beside this one, which reads pictures and labels and hands
them to `save_set`. There is nothing to register.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from training.data.picture_folder import find_pictures
from training.data.write_prepared_set import (
    BAD_HELP,
    MAX_SIDE,
    MIN_SIDE,
    SHARE_HELP,
    SIZE_HELP,
    LabelColumn,
    check_preparation,
    pick_validation,
    read_squares,
    save_set,
)
from training.loop.command_line import Settings, run_command
from var_core.images import read_image
from var_core.labels import check_attribute_name
from var_core.option_fields import about, option


@dataclass(frozen=True, kw_only=True)
class FolderSettings(Settings):
    """What to read and to write."""

    images: str = field(metadata=about("folder with one sub-folder of pictures per class"))
    out: str = field(metadata=about("folder to write"))
    size: int = option(64, SIZE_HELP, low=MIN_SIDE, high=MAX_SIDE)
    validation: float = option(0.05, SHARE_HELP)
    max_bad_share: float = option(0.01, BAD_HELP, low=0, high=1)
    attribute: str = option("class", "name of the attribute that the classes are values of")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_preparation(self.size, self.validation)
        check_attribute_name(self.attribute)


def identity(path: Path) -> bytes:
    """The names of folder and file of a picture, which decide its split."""
    return f"{path.parent.name}/{path.name}".encode(errors="surrogateescape")


def prepare(settings: FolderSettings) -> None:
    """Read the pictures and write the set.

    Raises:
        ValueError: if a setting or a picture does not do.
        OSError: if there is no space.
    """
    found = find_pictures(Path(settings.images))
    files = [path for paths in found.values() for path in paths]
    names = [name for name, paths in found.items() for _ in paths]
    images, shown = read_squares(
        files,
        map(str, files),
        lambda path: read_image(path, limits=None),
        settings.size,
        settings.max_bad_share,
    )
    labels = [names[place] for place in shown]
    identities = (identity(files[place]) for place in shown)
    validation = pick_validation(identities, labels, settings.validation)
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
