"""A trained tokenizer gets a decoder of another size, and makes the same tokens."""

import json
from pathlib import Path

import pytest
import torch

from tests.training.tiny import different, run_tokenizer, tokenizer_arguments, write_pictures
from training.loop.command_line import parse_settings
from training.tokenizer.new_tokenizer import new_tokenizer, outline_tokenizer
from training.tokenizer.settings import TokenizerSettings
from var_core.checkpoints import load_tokenizer

LARGER = "--decoder-only --decoder-channels 64 --decoder-blocks 3 --head-channels 32"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    assert run_tokenizer(write_pictures(folder / "data"), folder / "run", 4) == 0
    return folder / "run" / "tokenizer"


def settings_of(data: Path, trained: Path, more: str) -> TokenizerSettings:
    arguments = tokenizer_arguments(data, trained.parent / "again", 4)
    return parse_settings(
        TokenizerSettings, [*arguments, "--initial", str(trained), *more.split()], ""
    )


def test_a_larger_decoder_learns_without_a_token_changing(
    data: Path, trained: Path, tmp_path: Path
) -> None:
    more = ["--initial", str(trained), *LARGER.split()]
    assert run_tokenizer(data, tmp_path, 12, *more) == 0
    before, after = load_tokenizer(trained), load_tokenizer(tmp_path / "tokenizer")
    assert after.config["decoder_channels"] == [64] and after.config["head_channels"] == [32]
    changed = different(before.state_dict(), after.state_dict())
    assert changed and all(name.startswith(("decoder.", "post_quant.")) for name in changed)
    pictures = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    maps = zip(before.encode(pictures).token_maps, after.encode(pictures).token_maps, strict=True)
    assert all(torch.equal(ours, theirs) for ours, theirs in maps)
    first, *_, last = (
        json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()
    )
    assert last["l1"] < first["l1"]


def test_the_same_wish_goes_on_with_a_decoder_that_has_learned(data: Path, trained: Path) -> None:
    settings = settings_of(data, trained, LARGER)
    new_tokenizer(settings).save_pretrained(trained.parent / "larger")
    again = settings_of(data, trained.parent / "larger", LARGER)
    larger = load_tokenizer(trained.parent / "larger").state_dict()
    assert not different(new_tokenizer(again).state_dict(), larger)


def test_the_plan_of_a_run_has_the_new_decoder(data: Path, trained: Path) -> None:
    settings = settings_of(data, trained, "--decoder-only --decoder-blocks 5")
    outline, made = outline_tokenizer(settings), new_tokenizer(settings)
    sizes = [{n: v.shape for n, v in one.state_dict().items()} for one in (outline, made)]
    assert sizes[0] == sizes[1]
    assert len(made.decoder.levels[0].blocks) == 5


def test_a_new_decoder_has_to_learn_alone(
    data: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    more = f"--initial {trained} --decoder-blocks 3"
    assert run_tokenizer(data, tmp_path, 4, *more.split()) == 2
    assert "has to learn alone: add decoder_only" in capsys.readouterr().err


def test_a_time_limit_ends_a_tokenizer_run(data: Path, tmp_path: Path) -> None:
    assert run_tokenizer(data, tmp_path, 10**6, "--minutes", "0.01") == 0
    last = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert 0 < last["step"] < 10**6 and "validation_psnr" in last
