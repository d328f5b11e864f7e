"""Finds the pictures of a folder that people and systems keep other files in too."""

import logging
from collections import Counter
from pathlib import Path

from PIL import Image

from var_core.images import OWN_FORMATS

logger = logging.getLogger(__name__)

# pictures that Pillow cannot read
UNREAD = {".heic", ".heif", ".jxl", ".svg", ".psd", ".dng", ".cr2", ".nef", ".arw"}
# what systems and tools leave beside pictures, at any level
LEFTOVERS = {"__macosx", "@eadir", "thumbs.db", "desktop.ini", "ehthumbs.db"}


def readable_endings() -> set[str]:
    """Endings of the files that are read, in small letters."""
    return {ending for ending, kind in Image.registered_extensions().items() if kind in OWN_FORMATS}


def is_leftover(path: Path) -> bool:
    """Whether a system or a tool has left a file or folder of this name, such as `._photo.jpg`."""
    return path.name[0] in ".$" or path.name.lower() in LEFTOVERS


def walk(folder: Path, passed_over: Counter[str], above: tuple[Path, ...] = ()) -> list[Path]:
    """The files of a folder and of those in it, sorted; leftovers are counted, not entered.

    Args:
        folder: folder to look in.
        passed_over: counts what is left out.
        above: the folders that lead here, without links; a link back to one is not followed.
    """
    files, above = [], (*above, folder.resolve())
    for path in sorted(folder.iterdir()):
        if is_leftover(path):
            passed_over["leftovers of systems and tools"] += 1
        elif path.is_dir():
            place = path.resolve()
            if any(one.is_relative_to(place) for one in above):
                passed_over["links to a folder that they lie in"] += 1
            else:
                files += walk(path, passed_over, above)
        else:
            files.append(path)
    return files


def check_class_name(folder: Path) -> None:
    """Raise ValueError if the name of a folder is no Unicode text, which a label must be."""
    try:
        folder.name.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"the name of the folder {folder.name!a} is no UTF-8 text") from error


def class_folders(folder: Path) -> list[Path]:
    """The sub-folders of a folder, a class each, sorted by name.

    Raises:
        ValueError: if there are none, or the name of one is no label.
    """
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}")
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and not is_leftover(path))
    if not classes:
        raise ValueError(f"{folder} has no sub-folders: one is needed for each class")
    for place in classes:
        check_class_name(place)
    return classes


def pictures_of(place: Path, passed_over: Counter[str]) -> list[Path]:
    """The pictures of a folder and of those in it, sorted; all else is counted.

    Raises:
        ValueError: if there are none.
    """
    endings = readable_endings()
    files = walk(place, passed_over)
    passed_over.update(
        path.suffix.lower() or "files without ending"
        for path in files
        if path.suffix.lower() not in endings
    )
    found = [path for path in files if path.suffix.lower() in endings]
    if not found:
        raise ValueError(
            f"{place} has no pictures; what is read ends with {', '.join(sorted(endings))}"
        )
    return found


def tell_passed_over(passed_over: Counter[str]) -> None:
    """Count in one line what was passed over."""
    if not passed_over:
        return
    counts = ", ".join(f"{name} ({count:,})" for name, count in passed_over.most_common())
    if passed_over.keys() & UNREAD:
        counts += "; convert pictures among them to PNG or JPEG"
    logger.warning("passed over: %s", counts)


def find_pictures(folder: Path) -> dict[str, list[Path]]:
    """Find the pictures of each class; classes and files sorted by name.

    What is passed over is counted in one line.

    Raises:
        ValueError: if there are no classes, or one has no pictures.
    """
    passed_over = Counter[str]()
    found = {place.name: pictures_of(place, passed_over) for place in class_folders(folder)}
    tell_passed_over(passed_over)
    return found
