"""Packed sets: made part by part by processes that may be killed, and read like any other set."""

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import datasets
import numpy as np
import pytest
from PIL import Image

from tests.patience import until
from tests.server import ROOT
from tests.training.data.source_makers import picture_file, write_shards, write_tar
from tests.training.tiny import run_tokenizer, run_transformer
from training.data.prepared_set import load_prepared_set
from training.prepare.shards import main

CAPTIONED = ("--caption-columns", "txt")


def prepare(source: Path, out: Path, *more: str) -> int:
    arguments = ["--source", str(source), "--out", str(out), "--size", "32", "--validation", "0.2"]
    return main([*arguments, *more])


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a set, the tables of its parts included."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_a_packed_set_reads_as_an_array_and_knows_what_is_said(tmp_path: Path) -> None:
    assert prepare(write_shards(tmp_path / "tars"), tmp_path / "set", *CAPTIONED) == 0
    data = load_prepared_set(tmp_path / "set")
    assert data.images.shape == (24, 32, 32, 3) and data.attributes == ["cls"]
    expected = [np.asarray(Image.open(io.BytesIO(picture_file(n)))) for n in range(24)]
    assert np.array_equal(data.images[:], np.stack(expected))
    assert np.array_equal(data.images[np.array([20, 3])], np.stack([expected[20], expected[3]]))
    assert np.array_equal(data.images[7], expected[7])
    assert data.labels[:, 0].tolist() == [n % 3 for n in range(24)]
    assert list(data.phrases) == ["a picture of kind 0", "a picture of kind 1"]
    assert data.captions is not None and data.captions[:, 0].tolist() == [0, 1] * 12
    assert 0 < len(data.splits["validation"]) < 12
    with tarfile.open(tmp_path / "set" / "pictures-000001.tar") as tar:
        assert tar.extractfile(tar.getmembers()[2]).read() == picture_file(10)  # to the byte


def test_other_pictures_become_squares(tmp_path: Path) -> None:
    members = {"a.png": picture_file(0, kind="PNG", width=50), "a.cls": "9"}
    members |= {"b.webp": picture_file(1, 70, "WEBP"), "b.cls": "10"}
    source = write_tar(tmp_path / "one.tar", members)
    assert (
        prepare(source, tmp_path / "jpeg") == 0
        and prepare(source, tmp_path / "png", "--quality", "100") == 0
    )
    jpeg, png = (load_prepared_set(tmp_path / name) for name in ("jpeg", "png"))
    exact = np.asarray(Image.open(io.BytesIO(members["a.png"])).crop((9, 0, 41, 32)))
    assert np.array_equal(png.images[0], exact)
    assert np.abs(jpeg.images[:].astype(int) - png.images[:].astype(int)).mean() < 2
    assert png.label_names["attributes"][0]["values"] == ["9", "10"]  # as numbers


def test_damaged_pictures_are_left_out_or_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture
) -> None:
    members = {f"{n}.jpg": picture_file(n) for n in range(9)} | {"9.jpg": b"broken"}
    source = write_tar(tmp_path / "one.tar", members)
    more = ("--label-columns", "none")
    assert prepare(source, tmp_path / "set", *more) == 2
    assert "1 of 10 pictures cannot be read, more than 1.0%" in capsys.readouterr().err
    assert prepare(source, tmp_path / "set", *more, "--max-bad-share", "0.1") == 0
    assert "damaged pictures are left out (1), such as one.tar/9" in caplog.text
    data = load_prepared_set(tmp_path / "set")
    assert len(data.images) == 9 and data.label_names["attributes"][0]["values"] == ["picture"]


def test_killed_at_any_time_and_with_two_processes_the_set_is_the_same(tmp_path: Path) -> None:
    source = write_shards(tmp_path / "tars", count=6, pictures=40)
    assert prepare(source, tmp_path / "whole", *CAPTIONED) == 0
    out = tmp_path / "cut"
    arguments = ["--source", source, "--out", out, "--size", "32", "--validation", "0.2"]
    command = [sys.executable, "-m", "training.prepare.shards", *arguments, *CAPTIONED]
    with subprocess.Popen(command, cwd=ROOT) as process:
        until(lambda: list(out.glob("parts/*.json")) or process.poll() is not None)
        process.send_signal(signal.SIGKILL)
    (out / "pictures-000000.tar").write_bytes(b"half")  # as if the disk had lost the end
    assert prepare(source, out, *CAPTIONED, "--workers", "2") == 0
    made = {name: value for name, value in contents(out).items() if ".part" not in name}
    assert {n: v for n, v in made.items() if not n.endswith(".lock")} == contents(
        tmp_path / "whole"
    )


def test_a_stream_is_cut_into_parts_and_goes_on(tmp_path: Path) -> None:
    rows = [{"image": {"bytes": picture_file(n), "path": None}, "label": n % 2} for n in range(10)]
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    (tmp_path / "source").mkdir()
    datasets.Dataset.from_list(rows, features).to_parquet(tmp_path / "source" / "train.parquet")
    more = ("--streaming", "--part-pictures", "4")
    assert prepare(tmp_path / "source", tmp_path / "set", *more) == 0
    first = contents(tmp_path / "set")
    assert len(load_prepared_set(tmp_path / "set").images) == 10
    (tmp_path / "set" / "set.json").unlink()
    (tmp_path / "set" / "parts" / "000001.json").unlink()
    assert prepare(tmp_path / "source", tmp_path / "set", *more) == 0
    assert contents(tmp_path / "set") == first


def test_a_saved_data_set_is_read_by_two_processes_and_known_again(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    rows = [{"image": {"bytes": picture_file(n), "path": None}, "label": n % 2} for n in range(10)]
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["pear", "apple"])}
    )
    datasets.Dataset.from_list(rows, features).save_to_disk(tmp_path / "source")
    more = ("--workers", "2", "--part-pictures", "2")
    for _ in range(2):
        assert prepare(tmp_path / "source", tmp_path / "set", *more) == 0
    assert "10 pictures are in" in capsys.readouterr().out
    data = load_prepared_set(tmp_path / "set")
    assert data.label_names["attributes"] == [{"name": "label", "values": ["pear", "apple"]}]
    assert data.labels[:, 0].tolist() == [0, 1] * 5


def test_another_source_is_refused_and_a_missing_shard_named(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    source = write_shards(tmp_path / "tars")
    assert prepare(source, tmp_path / "set") == 0
    assert prepare(source, tmp_path / "set") == 0
    assert "24 pictures are in" in capsys.readouterr().out
    assert prepare(source, tmp_path / "set", *CAPTIONED) == 2
    assert "holds pictures of another source" in capsys.readouterr().err
    shard = tmp_path / "set" / "pictures-000001.tar"
    os.truncate(shard, 5000)
    with pytest.raises(ValueError, match=r"pictures-000001\.tar has 5000 bytes instead of"):
        load_prepared_set(tmp_path / "set")
    shard.unlink()
    with pytest.raises(ValueError, match=r"no usable picture set.*pictures-000001\.tar"):
        load_prepared_set(tmp_path / "set")


def test_flipped_bytes_of_a_picture_are_named_when_it_is_read(tmp_path: Path) -> None:
    assert prepare(write_shards(tmp_path / "tars"), tmp_path / "set") == 0
    data = load_prepared_set(tmp_path / "set")
    shard = tmp_path / "set" / "pictures-000001.tar"
    content = bytearray(shard.read_bytes())
    content[512:520] = bytes(8)
    shard.write_bytes(content)
    with pytest.raises(ValueError, match=r"pictures-000001\.tar: no picture at byte 512"):
        data.images[8]


def test_both_trainers_learn_from_a_packed_set(tmp_path: Path) -> None:
    source = write_shards(tmp_path / "tars", pictures=16)
    assert prepare(source, tmp_path / "set", "--size", "64") == 0
    assert run_tokenizer(tmp_path / "set", tmp_path / "tok", 2) == 0
    made = tmp_path / "tok" / "tokenizer"
    assert run_transformer(tmp_path / "set", made, tmp_path / "var", 2, "--num-views", "1") == 0
    settings = json.loads((tmp_path / "var" / "settings.json").read_text())
    assert "crop" in str(settings), settings
