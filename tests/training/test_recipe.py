"""Recipes hold known settings, can be changed, and run part after part."""

import errno
import os
from pathlib import Path

import pytest

from tests.server import ROOT
from training import recipe
from training.loop.command_line import parse_settings
from training.recipes.recipe_file import commands, flags, read_recipe
from training.tokenizer.settings import TokenizerSettings
from training.transformer.settings import TransformerSettings

LISTS = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
BOMB = (
    f"{{data: x, out: y, transformer: {{}}, tokenizer: {{a0: &a0 [x, x, x], {', '.join(LISTS)}}}}}"
)
RECIPES = sorted((ROOT / "training" / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_holds_settings_that_the_trainers_know(path: Path) -> None:
    first, second, *_ = commands(read_recipe(path, []))
    tokenizer = parse_settings(TokenizerSettings, first[1:], "")
    transformer = parse_settings(TransformerSettings, second[1:], "")
    assert transformer.tokenizer == f"{tokenizer.out}/tokenizer"
    assert transformer.data == tokenizer.data


def test_changes_reach_the_commands(capsys: pytest.CaptureFixture) -> None:
    changes = ["transformer.steps=7", "out=runs/other", "tokenizer.sides=[1, 4]"]
    assert recipe.main([str(RECIPES[0]), *changes, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "--steps 7" in said and "runs/other/model" in said and "--sides 1 4 " in said
    assert flags({"compile": False, "a_b": 1}) == ["--no-compile", "--a-b", "1"]


@pytest.mark.parametrize(
    ("content", "changes", "message"),
    [
        ("{", [], "cannot be read"),
        ("[]", [], "has no sections tokenizer and transformer"),
        ("{tokenizer: {}, transformer: {}, out: x}", [], "has no entry data"),
        ("{tokenizer: {}, transformer: {}, out: x, data: y, more: 1}", [], "'more'"),
        ("{tokenizer: {}, transformer: {}, out: x, data: y}", ["steps"], "a change is like"),
        ("{tokenizer: {}, transformer: {}, out: x, data: y}", ["a.b=1"], "a change is like"),
        ("{tokenizer: {}, transformer: {}, out: x, data: y}", ["coarse.steps=1"], "no section coa"),
        ("{tokenizer: {}, transformer: {}, out: x, data: y}", ["out={"], "is no YAML"),
        ("[" * 5000, [], "cannot be read"),
        ("{tokenizer: {}, transformer: {}, out: x, data: y, 3: 1, x: 2}", [], "3, which is no ent"),
        ("{tokenizer: {3: 4}, transformer: {}, out: x, data: y}", [], "tokenizer has 3 with 4"),
        ("{tokenizer: {a: {}}, transformer: {}, out: x, data: y}", [], "'a' with dict, where set"),
        (BOMB, [], "'a1' with list, where settings have a number"),
        ("{tokenizer: {}, transformer: {}, out: x, data: y, export: 3}", [], "export must be sett"),
        ("{tokenizer: {}, transformer: {}, out: x, data: y}", ["export=3"], "export must be sett"),
        (
            "{tokenizer: {}, transformer: {}, out: x, data: y}",
            ["tokenizer.a=" + "[" * 3000],
            "no Y",
        ),
        (
            "{tokenizer: {}, transformer: {}, out: x, data: y}",
            ["transformer.stepz=3"],
            "there is no setting 'stepz'; the nearest is 'steps'",
        ),
        (
            "{tokenizer: {}, transformer: {}, out: x, data: y}",
            ["transformer.step=3"],
            "there is no setting 'step'",
        ),
        (
            "{tokenizer: {steps: many}, transformer: {}, out: x, data: y}",
            [],
            "argument --steps: invalid int value: 'many'",
        ),
        (
            "{tokenizer: {}, transformer: {}, out: x, data: y}",
            ["export.sketch_steps=-1"],
            "sketch_steps must be at least 0, got -1",
        ),
        (
            "{tokenizer: {}, transformer: {accumulate: 3}, out: x, data: y}",
            [],
            "accumulate must divide the batch size",
        ),
    ],
)
def test_malformed_recipes_are_one_sentence(
    tmp_path: Path, content: str, changes: list, message: str, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "r.yaml").write_text(content)
    assert recipe.main([str(tmp_path / "r.yaml"), *changes]) == 2
    assert message in capsys.readouterr().err


def test_a_part_that_fails_ends_the_recipe(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    content = f"{{tokenizer: {{}}, transformer: {{}}, out: {tmp_path / 'o'}, data: {tmp_path}}}"
    (tmp_path / "r.yaml").write_text(content)
    assert recipe.main([str(tmp_path / "r.yaml")]) == 2
    said = capfd.readouterr()
    assert "holds no usable picture set" in said.err and "train_transformer" not in said.out


def test_a_run_of_coarse_scales_hands_its_weights_on() -> None:
    path = ROOT / "training" / "recipes" / "scenes256.yaml"
    _, coarse, whole, export = commands(read_recipe(path, ["coarse.num_scales=3"]))
    first = parse_settings(TransformerSettings, coarse[1:], "")
    second = parse_settings(TransformerSettings, whole[1:], "")
    assert (first.num_scales, second.num_scales) == (3, 0)
    assert second.initial == f"{first.out}/transformer" and second.out != first.out
    assert export[0] == "training.export"


def test_every_part_can_be_changed_and_options_may_come_first(
    capsys: pytest.CaptureFixture,
) -> None:
    changes = ["export.sketch_steps=0", "class_check.per_class=5", "tokenizer.steps=500"]
    assert recipe.main(["--dry-run", str(RECIPES[0]), *changes]) == 0
    said = capsys.readouterr().out
    assert "--sketch-steps 0" in said and "--per-class 5" in said and "--steps 500" in said
    assert recipe.main([str(RECIPES[0]), "--dry-run", "class_check=false"]) == 0
    assert "class_check" not in capsys.readouterr().out


def test_a_recipe_is_a_file_of_modest_size(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b" " * 1_000_001)
    for path, message in (
        (tmp_path / "pipe", "it is no file"),
        (Path("/dev/zero"), "it is no file"),
        (tmp_path / "large", "larger than 1000000 bytes"),
        (tmp_path / "missing", "No such file"),
    ):
        with pytest.raises(ValueError, match=f"cannot be read: .*{message}"):
            read_recipe(path, [])


def test_an_output_that_is_full_is_said(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("sys.stdout.write", write)
    assert recipe.main([str(RECIPES[0]), "--dry-run"]) == 3
    monkeypatch.undo()
    assert "cannot be written: No space left on device" in capsys.readouterr().err
