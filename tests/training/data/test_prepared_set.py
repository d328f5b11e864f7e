"""A prepared set is read only if its tables fit together."""

import json
import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from tests.training.data.emoji_rows import make_rows, make_table
from training.data.emoji_tables import Row, build_label_names, split_rows
from training.data.prepared_set import evenly, load_prepared_set


def write_set(folder, rows: list[Row], num_images: int) -> None:
    splits = split_rows(rows, np.random.default_rng(0), num_validation=20, num_held_out=30)
    np.save(folder / "images.npy", np.zeros((num_images, 64, 64, 3), np.uint8))
    for name, value in {
        "rows": [asdict(row) for row in rows],
        "splits": splits,
        "labels": build_label_names(rows, make_table(rows)),
    }.items():
        (folder / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")


def test_loaded_labels_point_at_the_names_of_each_row(tmp_path) -> None:
    rows = make_rows()
    write_set(tmp_path, rows, len(rows))
    data = load_prepared_set(tmp_path)
    values = [part["values"] for part in data.label_names["attributes"]]
    assert data.labels.shape == (len(rows), 3)
    for row, indices in zip(rows, data.labels, strict=True):
        names = [column[index] for column, index in zip(values, indices, strict=True)]
        assert names == [row.subgroup, row.label, row.style]
    assert isinstance(data.images, np.memmap)
    assert not data.images.flags.writeable
    assert sum(len(indices) for indices in data.splits.values()) == len(rows)


def test_loading_a_missing_folder_names_the_command(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"images\.npy is missing.*prepare\.folder --out"):
        load_prepared_set(tmp_path / "nothing")


def test_loading_refuses_tables_that_do_not_fit_together(tmp_path) -> None:
    rows = make_rows()
    write_set(tmp_path, rows, len(rows) - 1)
    with pytest.raises(ValueError, match="images have"):
        load_prepared_set(tmp_path)
    write_set(tmp_path, rows, len(rows))
    splits = json.loads((tmp_path / "splits.json").read_text())
    splits["train"].append(splits["validation"][0])
    (tmp_path / "splits.json").write_text(json.dumps(splits))
    with pytest.raises(ValueError, match="overlap"):
        load_prepared_set(tmp_path)
    (tmp_path / "splits.json").write_text("{")
    with pytest.raises(ValueError, match=r"training\.prepare"):
        load_prepared_set(tmp_path)


@pytest.mark.parametrize("name", ["train", "validation"])
def test_a_set_without_pictures_to_learn_from_or_to_validate_with_is_refused(
    tmp_path, name: str
) -> None:
    rows = make_rows()
    write_set(tmp_path, rows, len(rows))
    splits = json.loads((tmp_path / "splits.json").read_text())
    splits["held_out"] += splits[name]
    splits[name] = []
    (tmp_path / "splits.json").write_text(json.dumps(splits))
    with pytest.raises(ValueError, match=f"it has no pictures for {name}"):
        load_prepared_set(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("images.npy", b"PK\x03\x04" + b"x" * 99, "magic string"),
        ("rows.json", b"[" * 200_000, "recursion"),
        ("splits.json", b'{"train": [1e30], "validation": [1], "held_out": []}', "overlap|convert"),
        ("splits.json", b'{"train": [[1]], "validation": [1], "held_out": []}', "dimension"),
        (
            "splits.json",
            b'{"train": [%d], "validation": [1], "held_out": []}' % 10**30,
            "too large",
        ),
    ],
)
def test_damaged_files_are_one_sentence(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    rows = make_rows()
    write_set(tmp_path, rows, len(rows))
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"holds no usable picture set \(.*({message})"):
        load_prepared_set(tmp_path)


@pytest.mark.parametrize("name", ["images.npy", "rows.json", "labels.json"])
def test_a_pipe_is_not_waited_for(tmp_path: Path, name: str) -> None:
    rows = make_rows()
    write_set(tmp_path, rows, len(rows))
    (tmp_path / name).unlink()
    os.mkfifo(tmp_path / name)
    with pytest.raises(ValueError, match=f"{name} is no file"):
        load_prepared_set(tmp_path)


def test_as_many_rows_are_chosen_as_asked_for_and_all_parts_have_some() -> None:
    rows = np.arange(100, 2101)
    chosen = evenly(rows, 2000)
    assert len(chosen) == len(set(chosen)) == 2000 and chosen[0] == 100
    assert np.diff(evenly(rows, 300)).max() <= 7
    assert evenly(rows, 3000) is rows
