"""Scenes as a source of pictures: numbered, described, streamed."""

import pytest
import torch

from tests.training.tiny import random_of
from training.data.scenes import NO_PHRASE, Phrases, SpriteTable
from training.data.scenes.pictures import ScenePictures
from training.loop.checkpoint import step_generator
from var_core.labels import LabelSpace

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pictures(table: SpriteTable) -> ScenePictures:
    phrases = Phrases(table)
    vectors = torch.randn(len(phrases.texts), 6, generator=step_generator(0, 0))
    return ScenePictures(table, phrases, vectors, side=32)


def test_a_batch_depends_on_its_random_numbers_alone(pictures: ScenePictures) -> None:
    ours, same, other = (
        pictures.train_batch(torch.arange(3), random_of(3, step), CPU) for step in (1, 1, 2)
    )
    assert torch.equal(ours.images, same.images) and torch.equal(ours.captions, same.captions)
    assert not torch.equal(ours.images, other.images)
    assert ours.images.shape == (3, 3, pictures.side, pictures.side)
    assert ours.labels.shape == (3, 1) and (ours.captions != NO_PHRASE).any(dim=1).all()


def test_a_numbered_scene_keeps_its_picture_and_changes_its_words(pictures: ScenePictures) -> None:
    numbers = torch.arange(40)
    labels, captions = pictures.described(numbers, random_of(40, 1))
    again, others = pictures.described(numbers, random_of(40, 2))
    assert torch.equal(labels, again) and not torch.equal(captions, others)
    first = pictures.numbered([7], CPU)
    torch.testing.assert_close(pictures.numbered([3, 7], CPU)[1:], first, atol=0.01, rtol=0)


def test_fixed_scenes_differ_between_splits(pictures: ScenePictures) -> None:
    batches = [pictures.fixed(split, 3) for split in ("train", "validation", "held_out")]
    assert [len(batch.labels) for batch in batches] == [3, 3, 3]
    assert not torch.equal(batches[0].images, batches[1].images)


def test_every_choice_of_a_menu_has_a_phrase_with_a_vector(pictures: ScenePictures) -> None:
    labels, table = LabelSpace.from_json(pictures.label_names), pictures.menu_phrases()
    assert [menu.name for menu in labels.menus] == ["thing", "place", "time", "weather"]
    asked = labels.phrases({"thing": "fox", "time": "night", "weather": "stars"})
    assert asked[0] == "a fox" and all(table.find(phrase) is not None for phrase in asked)
