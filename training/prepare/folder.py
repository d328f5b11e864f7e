"""Makes a picture set of your own pictures, sorted into one folder per class.

`python -m training.prepare.folder --images photos --out data/mine --size 64`

The pattern for another maker: a new file beside this one, which reads pictures and labels and hands
them to `save_set`. There is nothing to register.
"""

import logging
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

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
from var_core.images import OWN_FORMATS, read_image
from var_core.labels import check_attribute_name
from var_core.option_fields import about, option

logger = logging.getLogger(__name__)

# pictures that Pillow cannot read
UNREAD = {".heic", ".heif", ".jxl", ".svg", ".psd", ".dng", ".cr2", ".nef", ".arw"}
# what systems and tools leave beside pictures, at any level
LEFTOVERS = {"__macosx", "@eadir", "thumbs.db", "desktop.ini", "ehthumbs.db"}


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


def readable_endings() -> set[str]:
    """Endings of the files that are read, in small letters."""
    return {ending for ending, kind in Image.registered_extensions().items() if kind in OWN_FORMATS}


def is_leftover(path: Path) -> bool:
    """Whether a system or a tool has left a file or folder of this name, such as `._photo.jpg`."""
    return path.name[0] in ".$" or path.name.lower() in LEFTOVERS


def walk(folder: Path, passed_over: Counter[str]) -> list[Path]:
    """The files of a folder and of those in it, sorted; leftovers are counted, not entered."""
    files = []
    for path in sorted(folder.iterdir()):
        if is_leftover(path):
            passed_over["leftovers of systems and tools"] += 1
        elif path.is_dir():
            files += walk(path, passed_over)
        else:
            files.append(path)
    return files


def find_pictures(folder: Path) -> dict[str, list[Path]]:
    """Find the pictures of each class; classes and files sorted by name.

    What is passed over is counted in one line.

    Raises:
        ValueError: if there are no classes, or one has no pictures.
    """
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}")
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and not is_leftover(path))
    if not classes:
        raise ValueError(f"{folder} has no sub-folders: one is needed for each class")
    found, endings, passed_over = {}, readable_endings(), Counter[str]()
    for place in classes:
        files = walk(place, passed_over)
        found[place.name] = [path for path in files if path.suffix.lower() in endings]
        passed_over.update(
            path.suffix.lower() or "files without ending"
            for path in files
            if path.suffix.lower() not in endings
        )
        if not found[place.name]:
            raise ValueError(
                f"{place} has no pictures; what is read ends with {', '.join(sorted(endings))}"
            )
    if passed_over:
        counts = ", ".join(f"{count} {name}" for name, count in passed_over.most_common())
        if passed_over.keys() & UNREAD:
            counts += "; convert pictures among them to PNG or JPEG"
        logger.warning("passed over: %s", counts)
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
