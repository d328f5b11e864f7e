"""The command that makes what moving scenes are made of; packages are made up here."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.data.motion.test_animated_sprites import animation
from tests.training.data.tiny_sprites import write_sprites
from tests.training.prepare.test_scenes import FakeEncoder, write_archive
from training.data.motion import motion_phrases
from training.data.npm_packages import Package
from training.data.scenes import read_phrase_vectors, read_table
from training.prepare import motion


@pytest.fixture
def scenes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(motion, "UniversalSentenceEncoder", FakeEncoder)

    def fetch(package: Package, folder: Path) -> Path:
        files = {"assets/1f98a.webp": animation()} if package is motion.PACKAGES[2] else {}
        return write_archive(folder / package.file_name, files)

    monkeypatch.setattr(motion, "fetch_package", fetch)
    return write_sprites(tmp_path / "scenes")


def test_it_writes_phrases_and_animated_sprites(
    scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "motion"
    assert motion.main(["--scenes", str(scenes), "--out", str(out)]) == 0
    phrases = motion_phrases(read_table(scenes))
    assert len(read_phrase_vectors(out, phrases)) == len(phrases.texts)
    assert read_table(out / "animated").names == ("fox",)
    assert "1 animated things" in capsys.readouterr().out


def test_phrases_alone_need_no_package(scenes: Path, tmp_path: Path) -> None:
    words = ["--scenes", str(scenes), "--out", str(tmp_path / "motion"), "--no-animated"]
    assert motion.main(words) == 0
    assert not (tmp_path / "motion" / "packages").exists()


def test_without_scenes_it_says_how_to_make_them(
    scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    words = ["--scenes", str(tmp_path), "--out", str(tmp_path / "motion")]
    assert motion.main(words) == 2
    assert "run: python -m training.prepare.scenes" in capsys.readouterr().err


def test_the_packages_are_pinned() -> None:
    hashes = {package.sha256 for package in motion.PACKAGES}
    assert len(hashes) == 4 and {len(one) for one in hashes} == {64}
    assert all(replace(one, sha256="").version == "1.0.0" for one in motion.PACKAGES)
