"""The comparison: three methods on the same scenes, in the same order."""

import json
from pathlib import Path

import pytest
import torch

from training.study import rivals
from training.study.diffusion_run import DiffusionRun
from training.study.held_back import open_scenes
from training.study.rivals import METHODS, Rival, open_rival, rival_settings
from training.study.settings import RivalSettings
from training.study.sizes import Size

TINY = (
    "--sides 1 2 4 --level-channels 32 32 --vocab-size 16 --code-dim 8 --tokenizer-steps 8 "
    "--nets none --depths 2 --width-per-depth 32"
)


@pytest.fixture
def compared(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, RivalSettings]:
    """A whole comparison, with the settings that made it."""
    monkeypatch.setattr(rivals, "LARGEST_DIFFERENCE", 0.2)  # of networks as small as these
    monkeypatch.setattr("training.study.drawing_costs.DIFFUSION_STEPS", (2, 3))
    words = [*arguments, *TINY.split()]
    del words[2:4]  # the tokenizer is made here
    assert rivals.main(words) == 0
    folder = tmp_path / "study"
    about = json.loads((folder / "rivals.json").read_text())["about"]
    settings = RivalSettings(
        data=words[1],
        out=str(folder),
        depths=(2,),
        nets="none",
        **{name: tuple(one) if isinstance(one, list) else one for name, one in about.items()},
    )
    return folder, settings


def test_three_methods_learn_from_the_same_scenes_in_the_same_order(
    compared: tuple[Path, RivalSettings],
) -> None:
    folder, settings = compared
    points = json.loads((folder / "rivals.json").read_text())["points"]
    found = [points[f"{method}-d02"] for method in METHODS]
    assert len({one["pictures"] for one in found}) == 1
    assert found[0]["parameters"] == found[1]["parameters"]
    assert set(found[2]["drawing"]) == {"2", "3"} and set(found[1]["drawing"]) == {"16"}
    few, more = (found[2]["drawing"][steps]["operations"] for steps in ("2", "3"))
    assert few < more and found[0]["drawing"]["3"]["operations"] > 0

    scenes, asked = open_scenes(settings.data, 32), []
    for method in METHODS:
        run = open_rival(Rival(method, Size(2)), settings, scenes)
        for _ in range(2):
            batch = run.next_batch(run.step_random())
        asked.append(batch.condition if isinstance(run, DiffusionRun) else batch.condition.asked)
    for other in asked[1:]:
        assert torch.equal(asked[0].labels, other.labels)
        assert torch.equal(asked[0].phrases, other.phrases)
        assert torch.equal(asked[0].is_given, other.is_given)


def test_methods_differ_in_tokenizer_alone() -> None:
    settings = RivalSettings(data="data", out="out")
    var, raster, diffusion = (
        rival_settings(Rival(method, Size(4)), settings) for method in METHODS
    )
    for other in (raster, diffusion):
        different = {name for name in vars(var) if getattr(var, name) != getattr(other, name)} - {
            "out"
        }
        assert different <= {"tokenizer", "pool_folder"}
    assert diffusion.tokenizer == var.tokenizer != raster.tokenizer


def test_a_method_with_more_parameters_is_refused() -> None:
    rivals.check_parameters(round(1.029 * Size(4).num_parameters), Size(4))
    with pytest.raises(ValueError, match="differ by at most 3 %"):
        rivals.check_parameters(round(1.04 * Size(4).num_parameters), Size(4))
