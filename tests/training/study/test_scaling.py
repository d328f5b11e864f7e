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
from training.study.points_file import PointsFile
from training.study.report import report_text

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


def test_networks_of_low_precision_learn_the_same_tokens(
    arguments: list[str], tmp_path: Path
) -> None:
    """As on a GPU: a tokenizer reads a pool as it filled it, whatever the network is in."""
    found = {}
    for precision in ("no", "bf16"):
        out = ["--out", str(tmp_path / precision), "--depths", "1"]
        assert scaling.main([*arguments, *TINY, *out, "--mixed-precision", precision]) == 0
        kept = json.loads((tmp_path / precision / "points.json").read_text())
        found[precision] = kept["made_from"]
    assert found["no"] == found["bf16"]


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


@pytest.mark.slow
def test_another_machine_goes_on_from_the_points_alone(
    arguments: list[str], tmp_path: Path
) -> None:
    whole = [*arguments, *TINY, "--depths", "1", "2", "3"]
    assert scaling.main(whole) == 0
    kept = ["--results", str(tmp_path / "kept"), "--out"]
    for machine, depths in (("first", ["1", "2"]), ("second", ["1", "2", "3"])):
        folder = str(tmp_path / machine)
        assert scaling.main([*arguments, *TINY, *kept, folder, "--depths", *depths]) == 0
        assert not (tmp_path / machine / "points.json").exists()
    found = json.loads((tmp_path / "kept" / "points.json").read_text())
    assert found == json.loads((tmp_path / "study" / "points.json").read_text())
    done = {path.parent.name for path in (tmp_path / "second").glob("*/log.jsonl")}
    assert done == {"pictures-d03-s0"}  # what the first machine did is not done again
    assert (tmp_path / "kept" / "scaling.json").exists()


def test_a_machine_with_other_scenes_is_refused(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    one = [*arguments, *TINY, "--depths", "1", "--seeds", "1"]
    assert scaling.main(one) == 0
    path = tmp_path / "study" / "points.json"
    content = json.loads(path.read_text())
    more = [*one, "--depths", "1", "2"]
    for name, value, words in (
        ("scenes", "others", "points of other scenes (others, here"),
        ("tokens of the pyramid-tokenizer", "7 " * 4 * 69, "of the first scenes, "),
    ):
        changed = content | {"made_from": content["made_from"] | {name: value.strip()}}
        path.write_text(json.dumps(changed))
        assert scaling.main(more) == 2
        assert words in capsys.readouterr().err


def test_the_same_tokens_but_for_rounding_are_taken(tmp_path: Path) -> None:
    points = PointsFile(tmp_path / "points.json", {})
    tokens = torch.arange(4 * 100).view(4, 100)
    points.claim_tokens("tokens", tokens)
    rounded = tokens.clone()
    rounded[0, :20] = 0
    points.claim_tokens("tokens", rounded)
    rounded[1] = 0
    with pytest.raises(ValueError, match="281 of 400 tokens are the same here, at least 95%"):
        points.claim_tokens("tokens", rounded)


def test_points_that_were_added_meanwhile_are_kept(tmp_path: Path) -> None:
    ours, theirs = (PointsFile(tmp_path / "points.json", {"pool": 1}) for _ in range(2))
    theirs.add("a", {"loss": 1.0})
    ours.add("b", {"loss": 2.0})
    assert set(PointsFile(tmp_path / "points.json", {"pool": 1}).points) == {"a", "b"}


def test_what_a_network_does_untaught_is_measured_even_if_its_weights_were_left_behind(
    arguments: list[str], judge_file: Path, few_drawings: None, tmp_path: Path
) -> None:
    kept = ["--results", str(tmp_path / "kept"), "--out"]
    one = [*arguments, *TINY, "--depths", "1", "--seeds", "1", *kept]
    assert scaling.main([*one, str(tmp_path / "first")]) == 0
    judged = ["--judge", str(judge_file)]
    assert scaling.main([*one, str(tmp_path / "second"), *judged]) == 0
    found = json.loads((tmp_path / "kept" / "points.json").read_text())["points"]
    assert set(found) == {"pictures-d01-s0", "zero-shot-d01-s0"}
    edits = found["zero-shot-d01-s0"]["edits"]
    assert edits["kept_area_exact"]["value"] == 1 and edits["new_thing_found"]["n"] == 2
    assert found["zero-shot-d01-s0"]["outpainting"]["seam_surplus_of_255"]["n"] == 2
    assert "### Untaught: edits and continued scenes" in report_text(tmp_path)
