"""Tokens are encoded once."""

import sys
from pathlib import Path

import pytest
import torch

from tests.conftest import make_tokenizer
from training.data.token_cache import Views, load_or_build_token_cache


def test_tokens_are_encoded_once_and_an_encoding_cut_off_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.data.token_cache.SHARD_PICTURES", 4)
    tokenizer = make_tokenizer()
    side = tokenizer.image_shape[0]
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (10, side, side, 3), dtype=torch.uint8, generator=generator)
    images, views = images.numpy(), Views(2, flip=True, all_latents=True)
    whole = load_or_build_token_cache(tmp_path, tokenizer, images, views)
    files = sorted(tmp_path.glob("*.safetensors"))
    assert len(files) == 6
    assert whole.tokens.shape == (2, 10, tokenizer.schedule.num_tokens)
    made = [path.stat().st_mtime_ns for path in files]
    files[4].unlink()
    again = load_or_build_token_cache(tmp_path, tokenizer, images, views)
    assert torch.equal(again.tokens, whole.tokens)
    assert torch.equal(again.latents, whole.latents)
    now = [path.stat().st_mtime_ns for path in files]
    assert [a == b for a, b in zip(made, now, strict=True)] == [True] * 4 + [False, True]
    images = images.copy()
    images[0] = 255 - images[0]
    other = load_or_build_token_cache(tmp_path, tokenizer, images, views)
    assert not torch.equal(other.tokens, whole.tokens)


def test_a_bar_counts_the_pictures_that_are_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr("training.data.token_cache.SHARD_PICTURES", 4)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    tokenizer = make_tokenizer()
    side = tokenizer.image_shape[0]
    images = torch.zeros((10, side, side, 3), dtype=torch.uint8).numpy()
    for left in (20, 4):
        load_or_build_token_cache(tmp_path, tokenizer, images, Views(2))
        assert f" {left}/{left} " in capsys.readouterr().err
        sorted(tmp_path.glob("*.safetensors"))[0].unlink()


def test_a_damaged_shard_is_encoded_again(tmp_path: Path) -> None:
    tokenizer = make_tokenizer()
    side = tokenizer.image_shape[0]
    images = torch.zeros((4, side, side, 3), dtype=torch.uint8).numpy()
    made = load_or_build_token_cache(tmp_path, tokenizer, images, Views(1))
    (shard,) = tmp_path.glob("*.safetensors")
    for content in (b"", b"half", b"[" * 9999):
        shard.write_bytes(content)
        again = load_or_build_token_cache(tmp_path, tokenizer, images, Views(1))
        assert torch.equal(again.tokens, made.tokens)
