"""Makes a picture set of a data set that the package `datasets` opens.

`python -m training.prepare.huggingface --dataset NAME_OR_FOLDER --out data/mine --size 64`

NAME_OR_FOLDER is a name on the Hugging Face hub, a folder written by `save_to_disk`, or a folder of
pictures or Parquet files. No code of a data set is run.
"""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from PIL import Image

from training.data.readers.dataset_reader import import_datasets, open_splits
from training.data.write_prepared_set import (
    BAD_HELP,
    MAX_SIDE,
    MIN_SIDE,
    SHARE_HELP,
    SIZE_HELP,
    LabelColumn,
    SizedIterable,
    check_preparation,
    pick_validation,
    read_squares,
    save_set,
)
from training.loop.command_line import Settings, run_command
from var_core.images import read_image
from var_core.labels import check_attribute_name
from var_core.option_fields import about, option

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True, kw_only=True)
class DatasetSettings(Settings):
    """What to read and to write."""

    dataset: str = field(metadata=about("name on the hub, or folder"))
    out: str = field(metadata=about("folder to write"))
    subset: str = option("", "which of several sets of that name")
    size: int = option(64, SIZE_HELP, low=MIN_SIDE, high=MAX_SIDE)
    image_column: str = option("image", "column of the pictures")
    label_columns: str = option(
        "label", "columns of the labels, with commas between; each becomes an attribute"
    )
    split: str = option("train", "split to train with")
    validation_split: str = option(
        "", "split for validation; without it, a share of the other split is kept"
    )
    validation: float = option(0.05, SHARE_HELP)
    max_bad_share: float = option(0.01, BAD_HELP, low=0, high=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_preparation(self.size, self.validation)


def open_parts(settings: DatasetSettings) -> "dict[str, Dataset]":
    """Open the training split and, if one is named, the validation split.

    Raises:
        ValueError: if they cannot be opened.
    """
    found = open_splits(settings.dataset, settings.subset)
    wanted = [name for name in (settings.split, settings.validation_split) if name]
    if len(set(wanted)) < len(wanted):
        raise ValueError(f"the split {settings.split!r} cannot be for training and for validation")
    for name in wanted:
        if name not in found:
            raise ValueError(f"{settings.dataset} has no split {name!r}, only {', '.join(found)}")
    return {name: found[name] for name in wanted}


def read_cell(cell: Mapping | None) -> Image.Image:
    """Read a picture from a cell of a data set, which holds the content or the path of a file.

    Raises:
        ValueError: if there is none, or it is damaged.
    """
    if cell is None:
        raise ValueError("there is no picture")
    content = cell["path"] if cell["bytes"] is None else cell["bytes"]
    return read_image(content, limits=None)


def read_part(
    part: "Dataset", name: str, settings: DatasetSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Read one split: squares and their positions, as returned by `read_squares`.

    Raises:
        ValueError: if the column holds no pictures, or too many are damaged.
    """
    datasets, column = import_datasets(), settings.image_column
    if not isinstance(part.features.get(column), datasets.Image):
        columns = ", ".join(
            key for key, feature in part.features.items() if isinstance(feature, datasets.Image)
        )
        raise ValueError(
            f"{settings.dataset} has no pictures in the column {column!r}; "
            f"columns of pictures: {columns or 'none'}"
        )
    rows = part.select_columns(column).with_format(None)
    rows = rows.cast_column(column, datasets.Image(decode=False))
    names = (f"row {row} of {name}" for row in range(len(rows)))
    pictures = cast(SizedIterable[Mapping[str, Any]], rows)
    return read_squares(
        pictures, names, lambda row: read_cell(row[column]), settings.size, settings.max_bad_share
    )


def class_names(part: "Dataset", column: str) -> list[str]:
    """The class of each row: its name in the data set, or its string or whole number.

    Raises:
        ValueError: if there is no such column, or a row has no class.
    """
    if column not in part.features:
        raise ValueError(
            f"there is no column {column!r} for labels, only {', '.join(part.features)}"
        )
    known = getattr(part.features[column], "names", None)  # a ClassLabel has some
    found = []
    for row, value in enumerate(part.with_format(None)[column]):
        if known and isinstance(value, int) and 0 <= value < len(known):
            found.append(known[value])
        elif not known and isinstance(value, str | int):
            found.append(str(value))
        else:
            kinds = f"from 0 to {len(known) - 1}" if known else "a string or a whole number"
            raise ValueError(f"row {row} of the column {column} must be {kinds}, got {value!r}")
    return found


def class_order(parts: "dict[str, Dataset]", column: str, labels: Iterable[str]) -> list[str]:
    """The classes of a column: in the order of the data set, else sorted by number or name."""
    known = [getattr(part.features[column], "names", ()) for part in parts.values()]
    if any(known):
        return list(dict.fromkeys(chain(*known)))
    found = set(labels)
    are_numbers = all(label.lstrip("-").isdecimal() for label in found)
    return sorted(found, key=int if are_numbers else None)


def read_labels(parts: "dict[str, Dataset]", column: str) -> LabelColumn:
    """Read one attribute, with the labels of all rows.

    Raises:
        ValueError: if a split has no such column, or a row has no class.
    """
    labels = [label for part in parts.values() for label in class_names(part, column)]
    return LabelColumn(column, class_order(parts, column, labels), labels)


def prepare(settings: DatasetSettings) -> None:
    """Read the data set and write the picture set.

    Its own pixels decide whether a row is for validation, unless the data set has a split for it;
    so it stays there whatever is added later.

    Raises:
        ValueError: if a setting, a label or a picture does not do.
        OSError: if there is no space.
    """
    parts = open_parts(settings)
    columns = [read_labels(parts, name) for name in settings.label_columns.split(",")]
    for column in columns:
        check_attribute_name(column.name)
    squares, shown = zip(
        *(read_part(part, name, settings) for name, part in parts.items()), strict=True
    )
    images, num_train = np.concatenate(squares), len(squares[0])
    shown = np.concatenate([shown[0], *(places + num_train for places in shown[1:])])
    columns = [
        replace(column, labels=[column.labels[place] for place in shown]) for column in columns
    ]
    if settings.validation_split:
        validation = range(num_train, len(images))
    else:
        validation = pick_validation(
            (image.tobytes() for image in images), columns[0].labels, settings.validation
        )
    save_set(Path(settings.out), images, columns, validation)
    counts = ", ".join(f"{len(column.values)} of {column.name}" for column in columns)
    num_damaged = np.count_nonzero(shown != np.arange(len(shown)))
    print(f"{len(images)} pictures, classes: {counts}; {num_damaged} damaged, in {settings.out}")


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(
        prepare, DatasetSettings, "Make a picture set of a Hugging Face data set.", argv
    )


if __name__ == "__main__":
    sys.exit(main())
