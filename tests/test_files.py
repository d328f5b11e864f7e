"""Files and folders appear whole or not at all."""

import hashlib
import os
import threading
from pathlib import Path

import pytest
import torch

from var_core.files import making_folder, replacing, sha256_of, write_atomically
from var_core.weight_files import save_tensors


def test_a_file_is_replaced_in_one_step_and_its_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "deep" / "file.txt"
    write_atomically(path, b"first")
    with replacing(path) as temporary:
        temporary.write_bytes(b"second")
        assert path.read_bytes() == b"first"
    assert path.read_bytes() == b"second"
    assert [one.name for one in path.parent.iterdir()] == ["file.txt"]


def test_after_an_error_the_old_file_stays_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    write_atomically(path, b"first")
    with pytest.raises(RuntimeError, match="injected"), replacing(path) as temporary:
        temporary.write_bytes(b"half of the sec")
        raise RuntimeError("injected")
    assert path.read_bytes() == b"first"
    assert [one.name for one in tmp_path.iterdir()] == ["file.txt"]


def test_a_file_keeps_its_permissions_and_a_link_stays(tmp_path: Path) -> None:
    path, link = tmp_path / "file.txt", tmp_path / "link.txt"
    path.write_bytes(b"first")
    path.chmod(0o640)
    link.symlink_to(path)
    write_atomically(link, b"second")
    assert link.is_symlink() and path.read_bytes() == b"second"
    assert path.stat().st_mode & 0o777 == 0o640
    path.chmod(0o400)
    write_atomically(path, b"third")
    assert path.stat().st_mode & 0o777 == 0o400
    (tmp_path / "dangling").symlink_to(tmp_path / "later" / "new.txt")
    write_atomically(tmp_path / "dangling", b"new")
    assert (tmp_path / "later" / "new.txt").read_bytes() == b"new"
    assert (tmp_path / "dangling").is_symlink()


def test_what_others_may_read_does_not_hang_on_the_library_that_writes(tmp_path: Path) -> None:
    open_file, written = tmp_path / "plain.json", tmp_path / "weights.safetensors"
    for umask, mode in ((0o022, 0o644), (0o027, 0o640)):
        before = os.umask(umask)
        try:
            write_atomically(open_file, b"{}")
            save_tensors({"weight": torch.zeros(2)}, written)
        finally:
            os.umask(before)
        assert [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()] == [mode, mode]
        open_file.unlink()
        written.unlink()


def test_a_device_or_a_pipe_gets_the_content_and_stays(tmp_path: Path) -> None:
    write_atomically(Path("/dev/null"), b"content")
    assert Path("/dev/null").is_char_device()
    pipe, found = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: found.append(pipe.read_bytes()))
    reader.start()
    write_atomically(pipe, b"content")
    reader.join()
    assert found == [b"content"] and pipe.is_fifo()
    assert [one.name for one in tmp_path.iterdir()] == ["pipe"]


def test_the_longest_name_that_a_file_may_have_can_be_written(tmp_path: Path) -> None:
    name = "x" * 251 + ".png"
    write_atomically(tmp_path / name, b"content")
    assert [one.name for one in tmp_path.iterdir()] == [name]
    with making_folder(tmp_path / ("y" * 255)):
        pass


def test_a_folder_appears_at_the_end_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "models" / "new"
    with making_folder(path) as temporary:
        (temporary / "weights").write_bytes(b"1")
        assert not path.exists()
    assert [one.name for one in path.iterdir()] == ["weights"]
    with pytest.raises(RuntimeError), making_folder(tmp_path / "models" / "other") as temporary:
        (temporary / "weights").write_bytes(b"1")
        raise RuntimeError("injected")
    assert [one.name for one in path.parent.iterdir()] == ["new"]


def test_a_folder_that_holds_something_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "keep").write_bytes(b"1")
    with pytest.raises(OSError), making_folder(tmp_path / "mine") as temporary:
        (temporary / "keep").write_bytes(b"2")
    assert (tmp_path / "mine" / "keep").read_bytes() == b"1"
    assert [one.name for one in tmp_path.iterdir()] == ["mine"]


def test_the_hash_is_that_of_the_content(tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(bytes(range(256)) * 5000)
    assert sha256_of(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_cannot_be_written_is_named_as_it_was_typed(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError) as folder:
        write_atomically(tmp_path, b"x")
    assert folder.value.filename == str(tmp_path)
    assert not list(tmp_path.iterdir())
    if Path("/dev/full").exists():
        with pytest.raises(OSError, match="No space left") as full:
            write_atomically(Path("/dev/full"), b"x")
        assert full.value.filename == "/dev/full"
