"""The cache folder stays bounded, and outlives nobody."""

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.server import ROOT
from var_core.serving.temp_files import LOCK, TempFolder


def write(path: Path, size: int, age: float = 0.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_old_files_go_and_young_ones_stay(tmp_path: Path) -> None:
    with TempFolder(tmp_path, max_age=100) as cache:
        old = write(cache.folder / "up" / "load.png", 10, age=200)
        young = write(cache.folder / "pictures" / "a" / "picture.png", 10)
        cache.sweep()
        assert not old.exists() and young.exists()
        young.unlink()
        assert cache.size() < 20_000  # of folders


def test_above_the_cap_the_oldest_files_go(tmp_path: Path) -> None:
    with TempFolder(tmp_path) as cache:
        files = [write(cache.folder / f"{age}.png", 100_000, age) for age in (30, 10, 40, 20)]
        cache.max_bytes = cache.size() - 150_000
        cache.sweep()
        assert [file.exists() for file in files] == [False, True, False, True]
        assert cache.size() <= cache.max_bytes


def test_empty_files_and_folders_take_room_too(tmp_path: Path) -> None:
    with TempFolder(tmp_path) as cache:
        before = cache.size()
        for number in range(100):
            write(cache.pictures / str(number) / "a.png", 0)
        assert cache.size() - before >= 200 * 1000
        cache.max_bytes = before + 150_000
        cache.sweep()
        assert len(list(cache.pictures.rglob("*.png"))) < 100


def test_empty_folders_go_when_nobody_can_be_writing_into_them(tmp_path: Path) -> None:
    with TempFolder(tmp_path, max_age=100) as cache:
        pictures = cache.pictures
        old, older, young = pictures / "old", cache.folder / "older", pictures / "young"
        for folder in (old, older, young):
            folder.mkdir()
        for folder in (old, older, pictures):
            os.utime(folder, (time.time() - 200,) * 2)
        cache.sweep()
        assert not old.exists() and not older.exists() and young.exists()
        young.rmdir()
        os.utime(pictures, (time.time() - 200,) * 2)
        cache.sweep()
        assert pictures.exists()


def test_the_folder_goes_at_the_end(tmp_path: Path) -> None:
    with TempFolder(tmp_path) as cache:
        write(cache.folder / "a.png", 10)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    code = (
        "import os, sys, pathlib; from var_core.serving.temp_files import TempFolder\n"
        "cache = TempFolder(pathlib.Path(sys.argv[1]))\n"
        "(cache.folder / 'a.png').write_bytes(b'x')\n"
        "print(cache.folder, flush=True); os.kill(os.getpid(), 9)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, text=True
    )
    dead = Path(found.stdout.strip())
    assert (dead / "a.png").exists()
    foreign = tmp_path / "var-studio-of-somebody-else"
    foreign.mkdir()
    with TempFolder(tmp_path) as first, TempFolder(tmp_path) as second:
        assert not dead.exists()
        assert first.folder.exists() and second.folder.exists() and foreign.exists()


def test_a_server_starts_beside_that_of_another_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign, look = tmp_path / "var-studio-of-another-user", os.stat
    foreign.mkdir(0o700)

    def closed(path: str | Path, **how: bool) -> os.stat_result:
        if str(path) == str(foreign / LOCK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return look(path, **how)

    monkeypatch.setattr(os, "stat", closed)  # for root no folder is closed
    with TempFolder(tmp_path) as cache:
        assert cache.folder.exists() and foreign.exists()
