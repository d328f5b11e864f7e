"""A run takes any source of pictures; pictures made on the fly resume as exactly as stored ones."""

import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from tests.conftest import make_tokenizer
from tests.training.tiny import (
    different,
    final_weights,
    random_of,
    tokenizer_arguments,
    transformer_arguments,
)
from training.data.picture_source import PictureBatch, label_words
from training.data.prepared_pictures import PreparedPictures
from training.data.token_cache import CachedTokens
from training.data.token_encoder import Encoder
from training.data.token_files import Views
from training.data.token_source import EncodedPictures
from training.loop.command_line import parse_settings
from training.loop.picture_random import PictureRandom
from training.loop.run import Run
from training.loop.stop_signals import StopFlag
from training.loop.train_loop import train
from training.tokenizer.run import TokenizerRun
from training.tokenizer.settings import TokenizerSettings
from training.transformer.run import TransformerRun
from training.transformer.settings import TransformerSettings

CPU = torch.device("cpu")
STEPS = 6


class Noise:
    """Pictures of one colour and some noise, made when they are asked for."""

    side = 64
    label_names: Mapping = {"attributes": [{"name": "colour", "values": ["dark", "light"]}]}

    num_train, num_frames, can_read_ahead = 0, 1, False

    def words(self, labels: torch.Tensor, captions: torch.Tensor | None) -> list[str]:
        return label_words(self.label_names, labels)

    def train_batch(
        self, rows: torch.Tensor, random: PictureRandom, device: torch.device
    ) -> PictureBatch:
        labels = random.integers(2, 1)
        images = random.uniform(3, self.side, self.side) * 0.1
        return PictureBatch((images + labels.view(-1, 1, 1, 1) - 0.5).to(device), labels)

    def fixed(self, split: str, limit: int) -> PictureBatch:
        size = 0 if split == "held_out" else min(limit, 5)
        return self.train_batch(torch.arange(size), random_of(size, len(split)), CPU)


def tokenizer_run(folder: Path) -> Run:
    arguments = tokenizer_arguments(Path("nowhere"), folder, STEPS)
    return TokenizerRun(parse_settings(TokenizerSettings, arguments, ""), Noise())


def transformer_run(tokenizer: Path, folder: Path) -> Run:
    arguments = transformer_arguments(Path("nowhere"), tokenizer, folder, STEPS)
    arguments += ["--self-correction", "0.2"]
    return TransformerRun(parse_settings(TransformerSettings, arguments, ""), Noise())


def go_on(run: Run, stop_at: int | None = None) -> None:
    """Resume a run and train it, to its end or through one more step."""
    run.resume()
    stop, original = StopFlag(), run.next_batch

    def next_batch(random: PictureRandom) -> object:
        stop.number = signal.SIGTERM if run.step == stop_at else 0
        return original(random)

    run.next_batch = next_batch
    train(run, stop)


@pytest.mark.parametrize("name", ["tokenizer", "transformer"])
def test_a_run_on_pictures_made_on_the_fly_goes_on_bit_for_bit(name: str, tmp_path: Path) -> None:
    make_run: Callable[[Path], Run] = tokenizer_run
    if name == "transformer":
        go_on(tokenizer_run(tmp_path / "tok"))
        made = tmp_path / "tok" / "tokenizer"
        make_run = partial(transformer_run, made)
    go_on(make_run(tmp_path / "whole"))
    go_on(make_run(tmp_path / "cut"), stop_at=2)
    assert (tmp_path / "cut" / "step-00000003").is_dir()
    go_on(make_run(tmp_path / "cut"))
    assert different(final_weights(tmp_path / "cut"), final_weights(tmp_path / "whole")) == []
    assert not (tmp_path / "whole" / "cache").exists()


def test_fixed_pictures_have_the_same_tokens_cached_or_encoded(data: Path, tmp_path: Path) -> None:
    pictures, tokenizer = PreparedPictures.open(data), make_tokenizer()
    step = pictures.side // tokenizer.image_shape[0]
    small = PreparedPictures(replace(pictures.data, images=pictures.data.images[:, ::step, ::step]))
    assert small.side == tokenizer.image_shape[0]
    files = Encoder(tmp_path, tokenizer, small.data, Views(1, has_features=True)).encode()
    cached = CachedTokens(small, tokenizer, files, 1.0, with_features=True)
    encoded = EncodedPictures(small, tokenizer, with_features=True)
    for split in ("train", "validation", "held_out"):
        ours, theirs = cached.fixed(split, 8), encoded.fixed(split, 8)
        assert torch.equal(ours.tokens, theirs.tokens) and torch.equal(ours.labels, theirs.labels)
    assert cached.train_batch(torch.arange(4), random_of(4)).features.shape == (4, 8, 4, 4)
