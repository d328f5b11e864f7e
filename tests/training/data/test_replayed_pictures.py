"""Pictures of scenes that are painted while a tokenizer learns from them."""

import pytest
import torch

from tests.training.tiny import random_of
from training.data.scenes import Captioner, Phrases, SceneRenderer, SpriteTable, StreamOptions
from training.data.scenes.painting import PaintedChunk
from training.data.scenes.pictures import SEED, ScenePictures
from training.data.scenes.replay import ReplayOptions
from training.data.scenes.replayed_pictures import ReplayedPictures
from training.data.scenes.stream import SceneStream

SIDE, CHUNK = 32, 3
CPU = torch.device("cpu")


class PaintedHere:
    """Paints in this process when a chunk is asked for, as `Painters` do in others."""

    def __init__(self, pictures: ScenePictures, options: StreamOptions) -> None:
        renderer, captioner = pictures.renderer(CPU), Captioner(pictures.table, pictures.phrases)
        options = StreamOptions(SEED, options.batch_size, options.side, ahead=0)
        self.stream = SceneStream(renderer, captioner, options)
        self.is_closed = False

    def is_ready(self) -> bool:
        return False

    def wait(self) -> PaintedChunk:
        batch = next(self.stream)
        pixels = batch.images.add(1).mul(127.5).round().to(torch.uint8)
        return PaintedChunk(pixels, batch.styles[:, None], batch.phrases)

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def replayed(table: SpriteTable, monkeypatch: pytest.MonkeyPatch) -> ReplayedPictures:
    monkeypatch.setattr(ScenePictures, "painters", lambda *given: PaintedHere(*given))
    pictures = ScenePictures(table, Phrases(table), torch.zeros(1, 1), side=SIDE)
    return ReplayedPictures(pictures, ReplayOptions(workers=1, capacity=8, chunk=CHUNK), CPU)


def test_a_batch_holds_painted_scenes_with_their_styles_and_words(
    replayed: ReplayedPictures, renderer: SceneRenderer
) -> None:
    batch = replayed.train_batch(torch.arange(5), random_of(5), CPU)
    captioner = Captioner(replayed.pictures.table, replayed.pictures.phrases)
    stream = SceneStream(renderer, captioner, StreamOptions(SEED, CHUNK, SIDE, ahead=0))
    scenes = [stream.batch(number) for number in range(3)]
    captions = torch.cat([part.phrases for part in scenes])
    images = torch.cat([part.images for part in scenes])
    styles = torch.cat([part.styles for part in scenes])
    for row in range(5):
        (number,) = (captions == batch.captions[row]).all(dim=1).nonzero()[0].tolist()
        torch.testing.assert_close(batch.images[row], images[number], atol=1 / 127, rtol=0)
        assert batch.labels[row].item() == styles[number]


def test_the_oldest_pictures_give_way(replayed: ReplayedPictures) -> None:
    replayed.train_batch(torch.arange(2), random_of(2), CPU)
    assert replayed.replay.num_seen == 9 and replayed.replay.num_kept == 8
    chunk = PaintedHere(replayed.pictures, StreamOptions(SEED, 9, SIDE, ahead=0)).wait()
    kept = torch.cat((chunk.images[8:], chunk.images[1:8]))  # the ninth in the place of the first
    assert torch.equal(replayed.images, kept)
    replayed.close()
    assert replayed.replay.painters.is_closed
