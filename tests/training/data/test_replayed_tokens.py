"""Scenes that processes paint while a network learns from them."""

import os
import signal
from collections.abc import Iterator
from multiprocessing import active_children

import pytest
import torch

from tests.training.tiny import random_of
from training.data.scenes import Captioner, Phrases, SceneRenderer, SpriteTable, StreamOptions
from training.data.scenes.painting import ScenePainters
from training.data.scenes.pictures import SEED, ScenePictures
from training.data.scenes.replay import ReplayOptions
from training.data.scenes.replayed_tokens import ReplayedTokens
from training.data.scenes.stream import SceneStream
from training.data.token_source import encode_pictures
from training.loop.checkpoint import step_generator
from var_core.tokenizer import MultiScaleVQVAE
from var_core.tokenizer.initial_weights import init_tokenizer

SIDE, CHUNK = 32, 3


@pytest.fixture(scope="module")
def pictures(table: SpriteTable) -> ScenePictures:
    phrases = Phrases(table)
    vectors = torch.randn(len(phrases.texts), 6, generator=step_generator(0, 0))
    return ScenePictures(table, phrases, vectors, side=SIDE)


@pytest.fixture(scope="module")
def tokenizer() -> MultiScaleVQVAE:
    tokenizer = MultiScaleVQVAE((1, 2, 4), 16, 8, (32,), num_blocks=1, stem_patch=8)
    init_tokenizer(tokenizer, step_generator(0, 0))
    return tokenizer.requires_grad_(False)


@pytest.fixture(scope="module")
def replayed(pictures: ScenePictures, tokenizer: MultiScaleVQVAE) -> Iterator[ReplayedTokens]:
    options = ReplayOptions(workers=1, capacity=8, chunk=CHUNK)
    tokens = ReplayedTokens(pictures, tokenizer, True, options)
    yield tokens
    folder = tokens.replay.painters.folder
    assert folder.exists()
    tokens.close()
    assert not folder.exists()


def test_processes_paint_what_a_stream_paints(
    pictures: ScenePictures, renderer: SceneRenderer
) -> None:
    options = StreamOptions(SEED, CHUNK, SIDE, ahead=2, workers=1)
    captioner = Captioner(pictures.table, pictures.phrases)
    stream = SceneStream(renderer, captioner, StreamOptions(SEED, CHUNK, SIDE, ahead=0))
    painters = ScenePainters(pictures.table, options)
    try:
        for expected, _ in zip(stream, range(3), strict=False):
            chunk = painters.wait()
            for process in active_children():  # Ctrl-C reaches them too; the run ends them
                assert process.pid is not None
                os.kill(process.pid, signal.SIGINT)
            images = chunk.images.float() / 127.5 - 1
            torch.testing.assert_close(images, expected.images, atol=1 / 127, rtol=0)
            assert torch.equal(chunk.styles[:, 0], expected.styles)
            assert torch.equal(chunk.phrases, expected.phrases)
    finally:
        painters.close()


def test_a_batch_holds_painted_scenes_with_their_own_words(
    replayed: ReplayedTokens, tokenizer: MultiScaleVQVAE, renderer: SceneRenderer
) -> None:
    batch = replayed.train_batch(torch.arange(2), random_of(2))
    captioner = replayed.encoded.pictures.captioner
    stream = SceneStream(renderer, captioner, StreamOptions(SEED, CHUNK, SIDE, ahead=0))
    scenes = [stream.batch(number) for number in range(-(-replayed.replay.num_seen // CHUNK))]
    captions = torch.cat([part.phrases for part in scenes])
    tokens = torch.cat([encode_pictures(tokenizer, part.images)[0] for part in scenes])
    assert batch.features.shape == (2, 8, 4, 4)
    for row in range(2):
        (number,) = (captions == batch.captions[row]).all(dim=1).nonzero()[0].tolist()
        agree = (tokens[number] == batch.tokens[row]).float().mean()
        assert agree > 0.8  # pictures are rounded to 8 bits on their way


def test_the_newest_scenes_are_kept(replayed: ReplayedTokens) -> None:
    while replayed.replay.num_seen < 12:
        replayed.replay.take_chunk()
    assert replayed.replay.num_kept == 8
    assert replayed.train_batch(torch.arange(5), random_of(5, 1)).tokens.shape == (5, 21)


def test_no_process_cannot_paint(pictures: ScenePictures) -> None:
    with pytest.raises(ValueError, match="at least 1 process, got 0"):
        ScenePainters(pictures.table, StreamOptions(SEED, CHUNK, SIDE))
