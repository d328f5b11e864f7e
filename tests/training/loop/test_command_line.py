"""Flags come from settings, with ranges, choices and groups; bad input ends with 2."""

from dataclasses import dataclass, field

import pytest

from training import train_tokenizer, train_transformer
from training.evaluation.class_check import CheckSettings
from training.export import ExportSettings
from training.loop.command_line import Settings, parse_settings, run_command
from training.prepare.folder import FolderSettings
from training.prepare.huggingface import DatasetSettings
from training.tokenizer.settings import TokenizerSettings
from training.transformer.settings import TransformerSettings
from var_core.option_fields import about, option, option_fields


@dataclass(frozen=True, kw_only=True)
class Inner(Settings):
    share: float = option(0.5, "share of something", "inner", low=0, high=1)


@dataclass(frozen=True, kw_only=True)
class Sample(Settings):
    out: str = field(metadata=about("folder to write", "files"))
    kind: str = option("a", "kind of thing", "things", choices=("a", "b"))
    sides: tuple[int, ...] = option((1, 2), "sides", "things", low=1)
    fast: bool = option(True, "100 % speed", "things")
    inner: Inner = field(default_factory=Inner)


def parse(*words: str) -> Sample:
    return parse_settings(Sample, ["--out", "x", *words], "Do it.")


def test_flags_become_settings_nested_ones_too() -> None:
    assert parse() == Sample(out="x")
    words = ["--kind", "b", "--sides", "3", "5", "--no-fast", "--share", "0.25"]
    expected = Sample(out="x", kind="b", sides=(3, 5), fast=False, inner=Inner(share=0.25))
    assert parse(*words) == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "c"}, "kind must be a or b, got 'c'"),
        ({"sides": (1, 0)}, "sides must be at least 1, got 0"),
        ({"sides": ("1",)}, "sides must be a number, got '1'"),
    ],
)
def test_values_out_of_range_are_refused_by_the_settings(values: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sample(out="x", **values)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_a_number_outside_its_range_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="share must be from 0 to 1"):
        Inner(share=value)


def test_help_shows_groups_ranges_choices_and_defaults(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        parse_settings(Sample, ["--help"], "Do it.")
    text = " ".join(capsys.readouterr().out.split())
    for part in (
        "Do it.",
        "files: --out TEXT folder to write (required)",
        "things: --kind {a,b} kind of thing (default: a)",
        "sides (at least 1; default: 1 2)",
        "100 % speed (default: yes)",
        "inner: --share X share of something (from 0 to 1; default: 0.5)",
    ):
        assert part in text


@pytest.mark.parametrize("settings_type", [TokenizerSettings, TransformerSettings])
def test_help_of_the_trainers_explains_every_flag_and_speaks_of_no_data_set(
    settings_type: type, capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(SystemExit):
        parse_settings(settings_type, ["--help"], "")
    text = capsys.readouterr().out
    assert "emoji" not in text.lower()
    assert "settings:" not in text  # every flag has a group of its own


@pytest.mark.parametrize("settings_type", [TokenizerSettings, TransformerSettings])
def test_every_number_of_the_trainers_has_limits_but_the_seed(settings_type: type) -> None:
    free = [
        option.name
        for option in option_fields(settings_type)
        if option.kind in (int, float, tuple) and not option.is_switch and not option.limits
    ]
    assert free == ["seed"]


@pytest.mark.parametrize("name", ["batch_size", "evaluate_every", "steps", "save_every"])
def test_a_trainer_refuses_to_do_nothing_at_a_time(
    name: str, capsys: pytest.CaptureFixture
) -> None:
    flag = "--" + name.replace("_", "-")
    for trainer, more in ((train_tokenizer, []), (train_transformer, ["--tokenizer", "c"])):
        assert trainer.main(["--data", "a", "--out", "b", *more, flag, "0"]) == 2
        assert capsys.readouterr().err == f"error: {name} must be at least 1, got 0\n"


@pytest.mark.parametrize(
    "settings_type", [FolderSettings, DatasetSettings, ExportSettings, CheckSettings]
)
def test_help_for_own_pictures_speaks_of_no_data_set(
    settings_type: type, capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(SystemExit):
        parse_settings(settings_type, ["--help"], "")
    assert "emoji" not in capsys.readouterr().out.lower()


def test_bad_input_ends_with_2_and_unwritten_output_with_3(
    capsys: pytest.CaptureFixture,
) -> None:
    def refuse(settings: Sample) -> None:
        raise ValueError(f"{settings.out} is no good")

    def fail_to_write(settings: Sample) -> None:
        raise PermissionError(13, "not allowed", settings.out)

    assert run_command(lambda settings: None, Sample, "", ["--out", "x"]) == 0
    for work, words, code, message in (
        (refuse, ["--out", "x"], 2, "error: x is no good\n"),
        (refuse, ["--out", "x", "--share", "2"], 2, "error: share must be from 0 to 1, got 2.0\n"),
        (fail_to_write, ["--out", "x"], 3, "error: x cannot be written: not allowed\n"),
    ):
        assert run_command(work, Sample, "", words) == code
        assert capsys.readouterr().err == message
    with pytest.raises(SystemExit, match="2"):
        run_command(refuse, Sample, "", [])


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        ("--learning-rate", "1e400", "learning_rate must be a finite number, got inf"),
        ("--learning-rate", "nan", "learning_rate must be at least 0, got nan"),
        ("--steps", "9" * 30, "steps must be at most 1000000000, got 999"),
        ("--workers", "1000000", "workers must be from -1 to 256"),
    ],
)
def test_numbers_without_sense_are_refused(flag: str, value: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_settings(TokenizerSettings, ["--data", "a", "--out", "b", flag, value], "")
