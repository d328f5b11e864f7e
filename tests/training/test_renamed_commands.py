"""Old names of commands print the new ones."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server import ROOT
from training.renamed_commands import NEW_NAMES

FOLDER = ROOT / "training" / "renamed_commands"


def test_there_is_a_file_for_every_old_name_and_a_command_behind_every_new_one() -> None:
    files = {path.relative_to(FOLDER).with_suffix("") for path in FOLDER.rglob("*.py")}
    assert {".".join(path.parts) for path in files} == {"__init__", *NEW_NAMES}
    for old_name, new_name in NEW_NAMES.items():
        file = FOLDER / f"{old_name.replace('.', '/')}.py"
        assert f'print_new_name("{old_name}")' in file.read_text()
        found = importlib.util.find_spec(new_name)
        assert found is not None and "def main(" in Path(str(found.origin)).read_text()


@pytest.mark.parametrize("old_name", ["prepare_emoji", "prepare.dataset", "class_check"])
def test_an_old_command_prints_the_new_one_and_exits_with_2(old_name: str) -> None:
    command = [sys.executable, "-m", f"training.{old_name}", "--out", "somewhere"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"`python -m {NEW_NAMES[old_name]}`" in done.stderr
    assert "Traceback" not in done.stderr
