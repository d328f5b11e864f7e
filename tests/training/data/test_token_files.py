"""Tokens are encoded once, by whichever processes there are, and read from files."""

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import make_tokenizer
from tests.patience import until
from tests.server import ROOT
from tests.training.data.source_makers import write_shards
from training.data.prepared_set import PreparedSet, load_prepared_set
from training.data.token_encoder import Encoder
from training.data.token_files import TokenFiles, Views
from training.prepare import tokens
from training.prepare.shards import main as prepare
from var_core.tokenizer import MultiScaleVQVAE

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}
SIDE = make_tokenizer().image_shape[0]
SIDES_16 = (1, 2, 8)  # of pictures of 16 pixels
VIEWS = Views(2, flip=True, has_features=True)
SMALL_FILES = """
import sys
from training.data import token_files
from training.prepare.tokens import main
token_files.SHARD_PICTURES = 16
sys.exit(main())
"""


@pytest.fixture
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.data.token_files.SHARD_PICTURES", 4)


def ten_pictures(stamp: str = "ten") -> PreparedSet:
    images = np.random.default_rng(0).integers(0, 256, (10, SIDE, SIDE, 3), dtype=np.uint8)
    splits = {"train": np.arange(9), "validation": np.arange(9, 10), "held_out": np.arange(0)}
    names = {"attributes": [{"name": "class", "values": ["one"]}]}
    return PreparedSet(images, np.zeros((10, 1), np.int64), splits, names, stamp)


def all_tokens(files: TokenFiles, count: int) -> torch.Tensor:
    rows = torch.arange(count)
    return torch.stack([files.tokens(torch.full_like(rows, v), rows) for v in range(2)])


def encode(folder: Path, tokenizer: MultiScaleVQVAE, views: Views = VIEWS) -> TokenFiles:
    return Encoder(folder, tokenizer, ten_pictures(), views).encode()


@pytest.mark.usefixtures("small_files")
def test_tokens_are_encoded_once_and_an_encoding_cut_off_goes_on(tmp_path: Path) -> None:
    tokenizer = make_tokenizer()
    whole = encode(tmp_path, tokenizer)
    tokens = all_tokens(whole, 10)
    assert tokens.shape == (2, 10, tokenizer.schedule.num_tokens) and tokens.dtype == torch.int64
    files = sorted(tmp_path.glob("*/view-*.npy"))
    assert len(files) == 6 and np.load(files[0]).dtype == np.uint16
    (manifest,) = tmp_path.glob("*/tokens.json")
    assert json.loads(manifest.read_text())["num_pictures"] == 10
    made = [path.stat().st_mtime_ns for path in files]
    files[4].unlink()
    again = encode(tmp_path, tokenizer)
    assert torch.equal(all_tokens(again, 10), tokens)
    now = [path.stat().st_mtime_ns for path in files]
    assert [a == b for a, b in zip(made, now, strict=True)] == [True] * 4 + [False, True]
    assert again.tokens(*torch.zeros(2, 0).long()).shape == (0, tokens.shape[2])
    rows = torch.arange(10)
    assert torch.equal(again.latents(rows % 2, rows), whole.latents(rows % 2, rows))


@pytest.mark.usefixtures("small_files")
def test_more_views_and_features_add_to_what_is_there(tmp_path: Path) -> None:
    tokenizer = make_tokenizer()
    encode(tmp_path, tokenizer, Views(1, flip=True))
    assert not list(tmp_path.glob("*/latents-*"))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/view-*")}
    encode(tmp_path, tokenizer, Views(2, flip=True))
    assert {path: path.stat().st_mtime_ns for path in before} == before
    encode(tmp_path, tokenizer, VIEWS)
    assert len(list(tmp_path.glob("*/latents-*"))) == 6
    assert len(list(tmp_path.glob("*"))) == 1


@pytest.mark.usefixtures("small_files")
def test_other_pictures_views_or_weights_have_files_of_their_own(tmp_path: Path) -> None:
    tokenizer, other = make_tokenizer(), make_tokenizer()
    with torch.no_grad():
        other.quantizer.codebook.weight.mul_(-1)
    encode(tmp_path, tokenizer)
    encode(tmp_path, other)
    encode(tmp_path, tokenizer, replace(VIEWS, kind="crop"))
    Encoder(tmp_path, tokenizer, ten_pictures("changed"), VIEWS).encode()
    assert len(list(tmp_path.glob("*"))) == 4


@pytest.mark.usefixtures("small_files")
def test_a_bar_counts_the_pictures_that_are_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    tokenizer = make_tokenizer()
    for left in (20, 4):
        encode(tmp_path, tokenizer)
        assert f" {left}/{left} " in capsys.readouterr().err
        sorted(tmp_path.glob("*/view-*.npy"))[0].unlink()


def test_a_damaged_file_is_encoded_again(tmp_path: Path) -> None:
    tokenizer = make_tokenizer()
    tokens = all_tokens(encode(tmp_path, tokenizer), 10)
    path = sorted(tmp_path.glob("*/view-*.npy"))[1]
    whole = path.read_bytes()
    for content in (b"", b"half", b"[" * 9999, whole[:-1], whole[:40]):
        path.write_bytes(content)
        assert torch.equal(all_tokens(encode(tmp_path, tokenizer), 10), tokens)


@pytest.mark.usefixtures("small_files")
def test_threads_that_read_ahead_change_nothing(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("training.data.token_encoder.MAX_BATCH", 2)
    tokenizer, data = make_tokenizer(), ten_pictures()
    alone = Encoder(tmp_path / "a", tokenizer, data, VIEWS).encode()
    ahead = Encoder(tmp_path / "b", tokenizer, data, VIEWS, threads=3).encode()
    assert torch.equal(all_tokens(alone, 10), all_tokens(ahead, 10))


def test_two_processes_that_are_killed_and_run_again_leave_the_tokens_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    source = write_shards(tmp_path / "tars", count=3, pictures=60)
    size = ["--size", "16", "--validation", "0.2"]
    assert prepare(["--source", str(source), "--out", str(tmp_path / "set"), *size]) == 0
    make_tokenizer(SIDES_16).save_pretrained(tmp_path / "tokenizer")
    arguments = ["--data", tmp_path / "set", "--tokenizer", tmp_path / "tokenizer"]
    arguments += ["--num-views", "2", "--out"]
    program = [sys.executable, "-c", SMALL_FILES, *arguments]
    out = tmp_path / "cut"
    with (
        subprocess.Popen([*program, out], cwd=ROOT, env=ENVIRONMENT) as first,
        subprocess.Popen(
            [*program, out], cwd=ROOT, env=ENVIRONMENT | {"RANK": "1", "WORLD_SIZE": "2"}
        ) as second,
    ):
        processes = (first, second)
        until(lambda: any(out.glob("*/*.npy")) or any(one.poll() is not None for one in processes))
        for one in processes:
            one.send_signal(signal.SIGKILL)
    monkeypatch.setattr("training.data.token_files.SHARD_PICTURES", 16)
    for folder in (out, tmp_path / "whole"):
        caplog.clear()
        assert tokens.main([*map(str, arguments), str(folder)]) == 0
        assert re.search(r"180 pictures in 2 views of \d+ tokens", caplog.text)
    ours, theirs = (
        {path.name: path.read_bytes() for path in folder.glob("*/*")}
        for folder in (out, tmp_path / "whole")
    )
    assert ours == theirs and len(ours) == 25


def test_a_packed_set_has_the_tokens_of_its_pictures_in_memory(tmp_path: Path) -> None:
    source = write_shards(tmp_path / "tars")
    size = ["--size", "16", "--validation", "0.2"]
    assert prepare(["--source", str(source), "--out", str(tmp_path / "set"), *size]) == 0
    data, tokenizer = load_prepared_set(tmp_path / "set"), make_tokenizer(SIDES_16)
    packed = Encoder(tmp_path / "a", tokenizer, data, VIEWS).encode()
    loaded = replace(data, images=data.images[:], stamp="in memory")
    in_memory = Encoder(tmp_path / "b", tokenizer, loaded, VIEWS).encode()
    assert torch.equal(all_tokens(packed, 24), all_tokens(in_memory, 24))
