"""The study of sizes, from scenes to plots; it stops and goes on."""

import json
from pathlib import Path

import pytest
import torch

from training.data.batches import EpochOrder
from training.data.token_source import TokenBatch
from training.loop.picture_random import PictureRandom
from training.loop.stop_signals import StopFlag
from training.study import budget, scaling
from training.study.budget import BudgetFlag
from training.study.held_back import HeldBack

SIZES = ["--depths", "1", "2", "3", "4", "--width-per-depth", "8", "--seeds", "2"]
TINY = [*SIZES, "--only", "pictures"]


def figures(folder: Path) -> dict:
    return json.loads((folder / "study" / "scaling.json").read_text())


def points(folder: Path) -> dict:
    return json.loads((folder / "study" / "points.json").read_text())["points"]


def test_a_study_leaves_points_laws_and_plots(arguments: list[str], tmp_path: Path) -> None:
    assert scaling.main([*arguments, *TINY]) == 0
    found = points(tmp_path)
    assert len(found) == 6  # four sizes, two of them from two seeds
    first = found["pictures-d01-s0"]
    assert first["pictures"] == 64 and first["compute"] == 64 * first["operations_per_picture"]
    assert 0 < first["error_last"] <= 1 and 0 < first["loss_all"] < 10
    laws = figures(tmp_path)["kinds"]["pictures"]
    assert laws["runs"] == 5 and laws["kept_out"]["depth"] == 4
    assert set(laws["fits"]["parameters"]) == {"loss_all", "loss_last", "error_all", "error_last"}
    plots = {path.name for path in (tmp_path / "study" / "plots").iterdir()}
    assert {"pictures-parameters.svg", "pictures-compute.png"} <= plots
    assert not list((tmp_path / "study").glob("*/step-*"))  # checkpoints of runs that are done
    before = (tmp_path / "study" / "points.json").read_bytes()
    assert scaling.main([*arguments, *TINY]) == 0  # nothing is left to do
    assert (tmp_path / "study" / "points.json").read_bytes() == before


class Numbers:
    """A source whose tokens are the numbers of its pictures."""

    num_train, can_read_ahead = 40, False

    def train_batch(self, rows: torch.Tensor, random: PictureRandom) -> TokenBatch:
        return TokenBatch(rows.unsqueeze(1), None, rows.unsqueeze(1))

    def fixed(self, split: str, limit: int) -> TokenBatch:
        raise AssertionError("scenes of other kinds are not asked for")


def test_no_scene_comes_twice_and_none_is_for_validation() -> None:
    source = HeldBack(Numbers(), 8)
    rows = EpochOrder(source.num_train, seed=1).rows(torch.arange(source.num_train))
    assert sorted(rows.tolist()) == list(range(32))
    assert source.validation().tokens.flatten().tolist() == list(range(32, 40))
    assert len(source.fixed("held_out", 8).tokens) == 0
    with pytest.raises(ValueError, match="1 to 39 can be kept for validation, got 40"):
        HeldBack(Numbers(), 40)


def test_a_stopped_study_goes_on_to_the_same_points(
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    sizes = [*TINY, "--depths", "1", "2"]
    assert scaling.main([*arguments, *sizes]) == 0
    whole = points(tmp_path)
    out = ["--out", str(tmp_path / "again")]
    for stop_after in (5, 13):  # steps, of eight a run
        steps = iter(range(1000))

        class Stops(BudgetFlag):
            """Time is over after some steps."""

            limit = stop_after
            asked = steps

            @property
            def is_set(self) -> bool:
                return next(self.asked) > self.limit

        monkeypatch.setattr("training.study.jobs.BudgetFlag", Stops)
        assert scaling.main([*arguments, *out, *sizes]) == 0
        assert "goes on from here" in capsys.readouterr().out
    monkeypatch.setattr("training.study.jobs.BudgetFlag", budget.BudgetFlag)
    assert scaling.main([*arguments, *out, *sizes]) == 0
    assert json.loads((tmp_path / "again" / "points.json").read_text())["points"] == whole


def test_time_that_is_over_stops_a_study() -> None:
    signals = StopFlag()
    assert BudgetFlag(signals, 1e-9).is_set
    endless = BudgetFlag(signals, 0)
    assert not endless.is_set
    endless.set(15, None)
    assert endless.is_set and signals.exit_code == 143


def test_points_of_another_study_are_refused(
    arguments: list[str], capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    (tmp_path / "study").mkdir()
    other = {"about": {"pool": 7}, "points": {}}
    (tmp_path / "study" / "points.json").write_text(json.dumps(other))
    assert scaling.main([*arguments, *TINY]) == 2
    assert "points of another study" in capsys.readouterr().err
