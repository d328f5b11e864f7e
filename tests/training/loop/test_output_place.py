"""What cannot be written is said before the work, in one sentence."""

import importlib
import os
import re
import tempfile
from pathlib import Path

import pytest

from training import export, train_tokenizer, train_transformer
from training.evaluation import class_check
from training.evaluation.scenes import samples
from training.loop.output_place import check_file, check_folder
from training.prepare import folder

ROOM = Path(__file__).parents[3] / "training"
COMMANDS = {
    folder: ["--images", "none"],
    train_tokenizer: ["--data", "none"],
    train_transformer: ["--data", "none", "--tokenizer", "none"],
    export: ["--tokenizer", "none", "--transformer", "none", "--data", "none"],
    samples: ["--model", "none"],
    class_check: ["--model", "none", "--data", "none"],
}


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    """Places where no folder can be, by what is wrong with them."""
    (tmp_path / "file").write_text("keep me")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    return {
        "it is no folder": tmp_path / "file",
        "it is no folder ": tmp_path / "file" / "below",
        "it is a link that leads nowhere": tmp_path / "link",
    }


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.__name__)
def test_a_place_that_cannot_be_a_folder_ends_a_command_at_once(
    command: object, places: dict[str, Path], capsys: pytest.CaptureFixture
) -> None:
    for words, place in places.items():
        assert command.main([*COMMANDS[command], "--out", str(place)]) == 3
        said = capsys.readouterr().err
        assert re.fullmatch(rf"error: \S+ cannot be written: {words.strip()}\n", said)
    assert (places["it is no folder"]).read_text() == "keep me"


def test_a_full_disk_and_a_protected_folder_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Path("/dev/full")
    if full.exists():
        monkeypatch.setattr(tempfile, "TemporaryFile", lambda dir: full.open("wb"))
        with pytest.raises(OSError, match=r"No space left on device: .*new'"):
            check_folder(tmp_path / "new")

    def refuse(dir: Path) -> None:
        raise PermissionError(13, "Permission denied", f"{dir}/x")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(PermissionError, match=r"Permission denied: .*new'"):
        check_folder(tmp_path / "new")


def test_what_can_be_written_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "figures.json").write_text("keep me")
    for place in ("real", "link", "new/and/deeper"):
        check_folder(tmp_path / place)
    for place in ("figures.json", "new/figures.json"):
        check_file(tmp_path / place)
    check_file(Path(os.devnull))
    with pytest.raises(IsADirectoryError, match="it is a folder"):
        check_file(tmp_path / "real")
    assert sorted(os.listdir(tmp_path)) == ["figures.json", "link", "real"]
    assert (tmp_path / "figures.json").read_text() == "keep me"


def test_commands_say_whether_they_write_a_file() -> None:
    found = vars(importlib.import_module("training.evaluation.scenes.figures")).values()
    assert [one.out_is_file for one in found if hasattr(one, "out_is_file")].count(True) == 1
