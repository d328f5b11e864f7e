"""Work is shared without waiting, and no piece is lost with the process that began it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.server import ROOT
from training.data.shared_work import claimed, share_work

HOLDER = """
import sys
from pathlib import Path
from training.data.shared_work import claimed
with claimed(Path(sys.argv[1])) as is_free:
    print(is_free, flush=True)
    sys.stdin.read()
"""


def test_a_piece_that_another_process_has_begun_is_left_to_it_until_it_dies(tmp_path: Path) -> None:
    pieces = [tmp_path / name for name in "abc"]
    command = [sys.executable, "-c", HOLDER, str(pieces[0])]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as holder:
        assert holder.stdout.readline() == b"True\n"
        done = []

        def do(number: int) -> None:
            pieces[number].write_text("whole")
            done.append(number)
            if len(done) == 2:
                holder.kill()
                holder.wait()

        share_work(pieces, lambda number: pieces[number].exists(), do)
    assert done == [1, 2, 0]
    assert not list(tmp_path.glob(".*.lock"))


def test_what_is_done_is_not_done_again_and_errors_free_a_piece(tmp_path: Path) -> None:
    pieces = [tmp_path / name for name in "ab"]
    pieces[0].write_text("whole")

    def fail(number: int) -> None:
        raise OSError(f"no space for {number}")

    with pytest.raises(OSError, match="no space for 1"):
        share_work(pieces, lambda number: pieces[number].exists(), fail)
    with claimed(pieces[1]) as is_free:
        assert is_free
