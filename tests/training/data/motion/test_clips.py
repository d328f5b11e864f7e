"""Moving scenes as a source of clips: numbered, described, in splits."""

from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from tests.training.data.motion.test_animated_sprites import animation
from tests.training.data.tiny_sprites import THINGS, words_of
from tests.training.tiny import random_of
from training.data.motion import MovingScenes, motion_phrases
from training.data.motion.animated_sprites import write_animated
from training.data.motion.clips import write_about
from training.data.motion.making import NUM_FRAMES
from training.data.scenes import NO_PHRASE, SpriteTable, read_table
from training.data.scenes.phrase_vectors import write_phrase_vectors
from var_core.labels import LabelSpace

CPU = torch.device("cpu")
SIDE = 24


@pytest.fixture(scope="module")
def clips(table: SpriteTable, tmp_path_factory: pytest.TempPathFactory) -> MovingScenes:
    folder = tmp_path_factory.mktemp("motion")
    phrases = motion_phrases(table)

    def encode(texts: list[str]):
        return torch.ones(len(texts), 6).numpy()

    write_phrase_vectors(folder, phrases, encode, "ones")
    entries = [asdict(thing) | {"words": words_of(thing), "kinds": []} for thing in THINGS]
    write_animated(folder / "animated", entries, [(thing, animation()) for thing in THINGS[:3]])
    write_about(folder, table.folder, SIDE)
    return MovingScenes.open(folder)


def test_a_batch_has_frames_styles_and_captions(clips: MovingScenes) -> None:
    batch = clips.train_batch(torch.arange(3), random_of(3, 1), CPU)
    assert batch.images.shape == (3, 3, NUM_FRAMES, SIDE, SIDE)
    assert batch.images.min() >= -1 and batch.images.max() <= 1
    assert batch.labels.shape == (3, 1) and (batch.captions != NO_PHRASE).any(dim=1).all()
    same = clips.train_batch(torch.arange(3), random_of(3, 1), CPU)
    assert torch.equal(batch.images, same.images) and torch.equal(batch.captions, same.captions)


def test_a_numbered_clip_keeps_its_frames_and_changes_its_words(clips: MovingScenes) -> None:
    numbers = torch.arange(20)
    labels, captions = clips.described(numbers, random_of(20, 1))
    again, others = clips.described(numbers, random_of(20, 2))
    assert torch.equal(labels, again) and not torch.equal(captions, others)
    assert torch.equal(clips.numbered([3, 7], CPU)[1], clips.numbered([7], CPU)[0])


def test_first_frames_are_those_of_the_clips_with_their_words(clips: MovingScenes) -> None:
    still, numbers = clips.first_frames(), [0, 3, 5]
    found = still.numbered(numbers, CPU)
    torch.testing.assert_close(found, clips.numbered(numbers, CPU)[:, :, 0])
    torch.testing.assert_close(
        still.fixed("held_out", 3).images, clips.fixed("held_out", 3).images[:, :, 0]
    )
    said = (one.described(torch.tensor(numbers), random_of(3)) for one in (still, clips))
    assert all(torch.equal(*pair) for pair in zip(*said, strict=True))


def test_every_fifth_clip_plays_animated_things_of_no_style(clips: MovingScenes) -> None:
    labels, _ = clips.described(torch.arange(20), random_of(20))
    null = len(clips.table.styles)
    assert [index for index, (style,) in enumerate(labels.tolist()) if style == null] == [
        0, 5, 10, 15,
    ]  # fmt: skip
    played = clips.numbered([5], CPU)
    assert (played[:, :, 1:] - played[:, :, :-1]).abs().max() > 0.1


def test_splits_differ_and_say_everything(clips: MovingScenes) -> None:
    batches = [clips.fixed(split, 4) for split in ("train", "validation", "held_out")]
    assert not torch.equal(batches[0].images, batches[1].images)
    for batch in batches:
        assert len(batch.images) == len(batch.labels) == len(batch.captions) == 4
    said = clips.words(batches[2].labels, batches[2].captions)
    ways = ("ing", "in motion")
    assert all(any(way in text for way in ways) for text in said)


def test_without_animated_sprites_all_clips_are_of_things_that_move(
    clips: MovingScenes, table: SpriteTable, tmp_path: Path
) -> None:
    alone = MovingScenes(table, clips.phrases, clips.vectors, side=SIDE)
    labels, _ = alone.described(torch.arange(10), random_of(10))
    assert labels.max() < len(table.styles)
    assert alone.stamp != clips.stamp
    with pytest.raises(ValueError, match="holds no vectors of phrases"):
        write_about(tmp_path, table.folder, SIDE)
        MovingScenes.open(tmp_path)


def test_the_names_of_labels_are_those_of_scenes(clips: MovingScenes) -> None:
    labels = LabelSpace.from_json(clips.label_names)
    assert labels.counts == (len(clips.table.styles),)
    assert read_table(clips.table.folder).styles == clips.table.styles
