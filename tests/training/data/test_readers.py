"""Readers give every picture of a source once, with what is said of it, part by part."""

import json
import sys
from pathlib import Path

import datasets
import pytest

from tests.training.data.source_makers import picture_file, write_shards, write_tar
from training.data.readers.dataset_reader import DatasetReader, open_splits
from training.data.readers.folder_reader import FolderReader
from training.data.readers.record import Columns, Reader, Record
from training.data.readers.tar_reader import TarReader


@pytest.fixture(autouse=True)
def no_copies_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def read_all(reader: Reader) -> list[Record]:
    assert reader.num_parts is not None
    return [record for part in range(reader.num_parts) for record in reader.read(part)]


def test_a_shard_is_a_part_and_members_of_one_name_belong_together(tmp_path: Path) -> None:
    reader = TarReader(write_shards(tmp_path), Columns(("cls",), ("txt",)))
    assert reader.num_parts == 3
    found = read_all(reader)
    assert [record.content for record in found] == [picture_file(n) for n in range(24)]
    assert [record.labels for record in found] == [(str(n % 3),) for n in range(24)]
    assert found[9].captions == ("a picture of kind 1",)
    assert len({record.name for record in found}) == 24


def test_labels_come_from_json_or_from_where_a_picture_lies(tmp_path: Path) -> None:
    members = {
        "n01/a.JPEG": picture_file(0),
        "n01/a.json": json.dumps({"kind": 7, "texts": ["one", "two", ""]}),
        "n02/b.mask.png": picture_file(1, kind="PNG"),
        "n02/b.jpg": picture_file(2),
        "n02/b.json": json.dumps({"kind": "x", "texts": None}),
        "n02/._b.jpg": b"left by a system",
    }
    path = write_tar(tmp_path / "n03.tar", members)
    first, second = read_all(TarReader(path, Columns(("shard", "folder", "kind"), ("texts",))))
    assert first.labels == ("n03", "n01", "7") and first.captions == ("one", "two")
    assert second.labels == ("n03", "n02", "x") and second.captions == ()
    assert second.content == picture_file(2)


def test_a_picture_without_class_or_a_shard_cut_off_is_named(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", {"1.jpg": picture_file(0), "1.txt": "words"})
    with pytest.raises(ValueError, match=r"a\.tar/1 has no class in 'cls'.*columns:.*txt"):
        read_all(TarReader(path, Columns(("cls",))))
    write_tar(path, {"1.jpg": picture_file(0), "1.json": "{"})
    with pytest.raises(ValueError, match=r"a\.tar/1\.json cannot be read"):
        read_all(TarReader(path, Columns(("cls",))))
    content = write_tar(path, {"1.jpg": picture_file(0, 256), "1.cls": "0"}).read_bytes()
    path.write_bytes(content[: len(content) // 3])
    with pytest.raises(ValueError, match=r"a\.tar cannot be read to its end"):
        read_all(TarReader(path, Columns(("cls",))))
    with pytest.raises(ValueError, match=r"holds no \.tar"):
        TarReader(tmp_path / "nothing", Columns(("cls",)))


def test_a_folder_has_classes_and_texts_beside_its_pictures(tmp_path: Path) -> None:
    for number in range(5):
        place = tmp_path / f"kind{number % 2}"
        place.mkdir(exist_ok=True)
        (place / f"{number}.jpg").write_bytes(picture_file(number))
    (tmp_path / "kind0" / "2.txt").write_text("the second\n")
    found = read_all(FolderReader(tmp_path, Columns(("class",), ("txt",)), part_pictures=2))
    assert [record.name for record in found] == [
        "kind0/0.jpg", "kind0/2.jpg", "kind0/4.jpg", "kind1/1.jpg", "kind1/3.jpg"
    ]  # fmt: skip
    assert [record.labels[0] for record in found] == ["kind0"] * 3 + ["kind1"] * 2
    assert [record.captions for record in found] == [(), ("the second",), (), (), ()]
    flat = FolderReader(tmp_path / "kind1", Columns(()), 9)
    assert [record.labels for record in read_all(flat)] == [(), ()]
    with pytest.raises(ValueError, match="a folder has labels in 'class'"):
        FolderReader(tmp_path, Columns(("colour",)), 2)


def test_a_changed_source_has_another_stamp(tmp_path: Path) -> None:
    columns = Columns(("cls",), ("txt",))
    write_shards(tmp_path / "a")
    before = TarReader(tmp_path / "a", columns).stamp
    assert TarReader(tmp_path / "a", columns).stamp == before
    assert TarReader(tmp_path / "a", Columns(("cls",))).stamp != before
    write_tar(tmp_path / "a" / "part-9.tar", {"1.jpg": picture_file(0), "1.cls": "0"})
    assert TarReader(tmp_path / "a", columns).stamp != before


def test_a_data_set_is_read_by_rows_and_as_a_stream_alike(tmp_path: Path) -> None:
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "label": datasets.ClassLabel(names=["pear", "apple"]),
            "texts": datasets.List(datasets.Value("string")),
        }
    )
    rows = [
        {"image": {"bytes": picture_file(n), "path": None}, "label": n % 2, "texts": [f"t{n % 3}"]}
        for n in range(10)
    ]
    made = datasets.Dataset.from_list(rows, features)
    made.save_to_disk(tmp_path / "saved")
    (tmp_path / "parquet").mkdir()
    made.to_parquet(tmp_path / "parquet" / "train.parquet")
    columns = Columns(("label",), ("texts",))
    saved = open_splits(str(tmp_path / "saved"))["train"]
    local = DatasetReader(saved, "train", "image", columns, part_pictures=4)
    found = read_all(local)
    assert [record.content for record in found] == [picture_file(n) for n in range(10)]
    assert [record.labels for record in found[:2]] == [("pear",), ("apple",)]
    assert local.classes == {"label": ["pear", "apple"]} and found[5].captions == ("t2",)
    stream = open_splits(str(tmp_path / "parquet"), streaming=True)["train"]
    streamed = DatasetReader(stream, "train", "image", columns, part_pictures=4)
    assert streamed.num_parts is None
    assert [record for part in range(4) for record in streamed.read(part)] == found
    assert list(DatasetReader(stream, "train", "image", columns, 4).read(2)) == found[8:]
    with pytest.raises(ValueError, match="has no column 'kind', only image, label, texts"):
        DatasetReader(saved, "train", "image", Columns(("kind",)), 4)


def test_without_the_package_a_sentence_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ValueError, match="datasets is missing; run: pip install -r training/"):
        open_splits("anything")
