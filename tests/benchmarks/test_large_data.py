"""The pictures of the large set are the same whenever they are made, and commands can be killed."""

import sys
from pathlib import Path

from tests.benchmarks.large_data import SIDE, make_pictures, run
from tests.patience import until
from tests.processes import is_alive
from training.data.readers.record import Columns
from training.data.readers.tar_reader import TarReader
from var_core.images import read_image


def test_synthetic_pictures_are_read_with_class_and_caption(tmp_path: Path) -> None:
    for name, per_shard in (("a", 2), ("b", 4)):
        make_pictures(tmp_path / name, 5, per_shard)
    first, second = (TarReader(tmp_path / n, Columns(("cls",), ("txt",))) for n in ("a", "b"))
    assert first.num_parts == 3 and second.num_parts == 2
    ours, theirs = (
        [r for part in range(x.num_parts) for r in x.read(part)] for x in (first, second)
    )
    assert [record.content for record in ours] == [record.content for record in theirs]
    assert len({record.content for record in ours}) == 5
    assert read_image(ours[3].content).size == (SIDE, SIDE)
    assert ours[3].captions == (f"waves of kind {ours[3].labels[0]}",)


def test_commands_are_killed_with_what_they_started(tmp_path: Path) -> None:
    sleeper = (
        f"{sys.executable} -c 'import time; time.sleep(600)' & echo $! > {tmp_path}/begun; wait"
    )
    begun = tmp_path / "begun"
    measured = run([["bash", "-c", sleeper]], lambda: bool(begun.exists() and begun.read_text()))
    assert measured.seconds < 600 and len(measured.peaks) == 1
    child = int(begun.read_text())
    until(lambda: not is_alive(child))


def test_one_of_two_commands_may_end_first(tmp_path: Path) -> None:
    late = f"import time; time.sleep(1); open({str(tmp_path / 'done')!r}, 'w')"
    run([[sys.executable, "-c", ""], [sys.executable, "-c", late]])
    assert (tmp_path / "done").exists()
