"""The command that makes the emoji set: its failures, and its result."""

import os

import numpy as np
import pytest

from tests.training.data.emoji_rows import make_rows
from training.data.npm_packages import PackageError
from training.data.prepared_set import load_prepared_set
from training.prepare.emoji import check_images, main


def test_missing_npm_ends_the_run_with_one_sentence(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["--out", str(tmp_path / "emoji")]) == 2
    assert capsys.readouterr().err.startswith("error: npm was not found")


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for npm is a shell script")
def test_failing_npm_ends_the_run_with_its_reason(tmp_path, monkeypatch, capsys) -> None:
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'npm error network unreachable' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["--out", str(tmp_path / "emoji")]) == 2
    message = capsys.readouterr().err
    assert "npm pack @iconify-json/noto@1.2.9 failed" in message
    assert "network unreachable" in message


def test_folder_that_cannot_be_written_ends_the_run_with_one_sentence(tmp_path, capsys) -> None:
    (tmp_path / "file").write_text("")
    assert main(["--out", str(tmp_path / "file" / "emoji")]) == 3
    assert "cannot be written" in capsys.readouterr().err


def test_a_set_with_other_counts_is_refused() -> None:
    rows = make_rows()
    with pytest.raises(PackageError, match="image shape differs"):
        check_images(np.zeros((len(rows), 64, 64, 3), np.uint8), rows)


@pytest.mark.network
def test_the_real_set_has_the_known_counts_and_hashes(tmp_path) -> None:
    assert main(["--out", str(tmp_path)]) == 0
    data = load_prepared_set(tmp_path)
    assert data.images.shape == (9144, 64, 64, 3)
    sizes = {name: len(indices) for name, indices in data.splits.items()}
    assert sizes == {"train": 8488, "validation": 256, "held_out": 400}
