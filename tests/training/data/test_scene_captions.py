"""Captions: true, varied, partly silent, made of a finite list of phrases."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest

from training.data.scenes import (
    Captioner,
    Phrases,
    Scene,
    SpriteTable,
    build_scene,
    make_scene,
    read_phrase_vectors,
)
from training.data.scenes.captions import BIG, LEFT_END, RIGHT_BEGIN, SMALL, weather_word
from training.data.scenes.description import Placement, all_settings
from training.data.scenes.phrase_vectors import write_phrase_vectors
from training.data.scenes.phrases import setting_words, with_article
from training.data.scenes.thing_words import LANGUAGES, choose_names
from training.data.scenes.things import Thing, read_things


@pytest.fixture(scope="module")
def phrases(table: SpriteTable) -> Phrases:
    return Phrases(table)


@pytest.fixture(scope="module")
def captioner(table: SpriteTable, phrases: Phrases) -> Captioner:
    return Captioner(table, phrases)


def meanings(phrases: Phrases) -> dict[int, list[tuple]]:
    """List all that each phrase may say."""
    found: dict[int, list[tuple]] = {}
    for key, ids in phrases._ids.items():
        for phrase in ids:
            found.setdefault(phrase, []).append(key)
    return found


def is_true(table: SpriteTable, captioner: Captioner, scene: Scene, key: tuple) -> bool:
    shown = {placement.thing: placement for placement in scene.placements}
    count = Counter(placement.thing for placement in scene.placements)
    what, subject = key[:2]
    facts = {
        "place": (scene.place,),
        "time": (scene.time,),
        "weather": (weather_word(scene),),
        "style": (table.styles[scene.style],),
        "place and time": (scene.place, scene.time),
    }
    if what in facts:
        return key[1 : 1 + len(facts[what])] == facts[what]
    if subject not in shown:
        return False
    more = {
        "thing and place": (scene.place,),
        "thing and time": (scene.time,),
        "whole": (scene.place, scene.time),
        "kind": (),
    }
    if what in more:
        return key[2 : 2 + len(more[what])] == more[what]
    placement, form = shown[subject], key[2]
    checks = {
        "one": True,
        "two": count[subject] == 2,
        "left": placement.x < LEFT_END,
        "right": placement.x > RIGHT_BEGIN,
        "middle": LEFT_END <= placement.x <= RIGHT_BEGIN,
        "big": placement.size >= BIG,
        "small": placement.size <= SMALL,
        "flying": placement.home == "flies",
        "front": form in captioner.true_forms(scene, subject),
        "back": form in captioner.true_forms(scene, subject),
    }
    return checks[form] and (form in ("one", "two") or count[subject] == 1)


def test_every_phrase_of_a_caption_is_true(
    table: SpriteTable, phrases: Phrases, captioner: Captioner
) -> None:
    said = meanings(phrases)
    for index in range(1500):
        scene = make_scene(table, 4, index)
        for phrase in captioner.caption(scene, Random(index)):
            assert any(is_true(table, captioner, scene, key) for key in said[phrase]), (
                phrases.texts[phrase],
                scene,
            )


def test_the_nearer_of_two_things_is_in_front(table: SpriteTable, captioner: Captioner) -> None:
    scene = build_scene(table, 0, 0, 0, ("grass", "day", "clear"), [0, 6])
    near, far = Placement(0, 0.3, 0.75, 0.4, "ground"), Placement(6, 0.7, 0.6, 0.36, "ground")
    scene = replace(scene, placements=(far, near))
    assert "front" in captioner.true_forms(scene, 0)
    assert "back" in captioner.true_forms(scene, 6)
    assert "left" in captioner.true_forms(scene, 0)


def test_captions_hold_one_to_eight_phrases_and_leave_some_out(
    table: SpriteTable, captioner: Captioner
) -> None:
    lengths, silent = Counter(), 0
    for index in range(600):
        scene = make_scene(table, 4, index)
        caption = captioner.caption(scene, Random(index))
        assert len(set(caption)) == len(caption)
        lengths[len(caption)] += 1
        silent += len(caption) < len(captioner.full_caption(scene))
    assert set(lengths) <= set(range(1, 9))
    assert silent > 100


def test_captions_of_one_scene_vary_and_are_pure(table: SpriteTable, captioner: Captioner) -> None:
    scene = make_scene(table, 4, 3)
    captions = [tuple(captioner.caption(scene, Random(seed))) for seed in range(60)]
    assert len(set(captions)) > 40
    assert captions == [tuple(captioner.caption(scene, Random(seed))) for seed in range(60)]


def test_the_full_caption_names_everything(
    table: SpriteTable, phrases: Phrases, captioner: Captioner
) -> None:
    scene = build_scene(table, 0, 0, 0, ("snow", "night", "clear"), [0, 3])
    texts = {phrases.texts[phrase] for phrase in captioner.full_caption(scene)}
    assert texts == {"a fox", "bread", "in the snow", "at night", "under a starry sky"}


def test_phrases_are_listed_once_and_sorted(phrases: Phrases) -> None:
    assert list(phrases.texts) == sorted(set(phrases.texts))
    assert all(0 < len(text) <= 120 for text in phrases.texts)


def test_every_setting_has_words_in_every_language(phrases: Phrases) -> None:
    words = setting_words()
    for group in ("places", "times", "weathers", "colours"):
        for value, languages in words[group].items():
            assert set(languages) == set(LANGUAGES), value
    for place, time, weather in all_settings():
        assert phrases.find("place", place, "th")
        assert not time or phrases.find("time", time, "ar")
        assert not weather or phrases.find("weather", weather, "ko")


def test_words_of_settings_say_one_thing_each() -> None:
    words = setting_words()
    owners: dict[str, set] = {}
    for group in ("places", "times", "weathers"):
        for value, languages in words[group].items():
            for texts in languages.values():
                for text in texts:
                    owners.setdefault(text, set()).add((group, value))
    assert not {text: owner for text, owner in owners.items() if len(owner) > 1}


def test_english_names_of_things_say_one_thing_each() -> None:
    counts = Counter(
        name.lower() for thing in read_things() for name in (thing.name, *thing.synonyms)
    )
    assert not [name for name, count in counts.items() if count > 1]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("owl", "an owl"), ("unicorn", "a unicorn"), ("hourglass", "an hourglass"), ("UFO", "a UFO")],
)
def test_articles(name: str, expected: str) -> None:
    assert with_article(name) == expected


def test_a_phrase_that_nothing_says_is_refused(phrases: Phrases) -> None:
    with pytest.raises(ValueError, match="no phrase says"):
        phrases.main("place", "the moon of Jupiter", "en")


def fake_encode(texts) -> np.ndarray:
    """Give every letter an axis, so that alike words have alike vectors."""
    vectors = np.full((len(texts), 64), 1e-3)
    for row, text in zip(vectors, texts, strict=True):
        for letter in text.lower():
            row[ord(letter) % 64] += 1
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_vectors_are_stored_by_id_and_taken_over(phrases: Phrases, tmp_path: Path) -> None:
    num_encoded = []

    def encode(texts):
        num_encoded.append(len(texts))
        return fake_encode(texts)

    assert write_phrase_vectors(tmp_path, phrases, encode, "fake 1") == len(phrases.texts)
    vectors = read_phrase_vectors(tmp_path, phrases)
    expected = fake_encode(phrases.texts[5:6])[0]
    assert np.allclose(vectors[5].float().numpy(), expected, atol=1e-3)
    num_encoded.clear()
    write_phrase_vectors(tmp_path, phrases, encode, "fake 1")
    assert not num_encoded
    write_phrase_vectors(tmp_path, phrases, encode, "fake 2")
    assert sum(num_encoded) == len(phrases.texts)


def test_vectors_that_do_not_fit_are_refused(
    table: SpriteTable, phrases: Phrases, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="holds no vectors"):
        read_phrase_vectors(tmp_path, phrases)
    write_phrase_vectors(tmp_path, phrases, fake_encode, "fake 1")
    fewer = Phrases(replace(table, styles=("other",)))
    fewer.texts = fewer.texts[1:]
    with pytest.raises(ValueError, match="other phrases"):
        read_phrase_vectors(tmp_path, fewer)
    (tmp_path / "phrases.json").write_text("{")
    with pytest.raises(ValueError, match="damaged"):
        read_phrase_vectors(tmp_path, phrases)


def test_names_are_chosen_by_closeness() -> None:
    things = [Thing("fox", "🦊", "animals"), Thing("cat", "🐈", "animals")]
    words = [
        {language: ["face of a fox", "fox", "animal"] for language in LANGUAGES},
        {language: ["cat", "animal", "tac"] for language in LANGUAGES},
    ]
    fox, cat = choose_names(things, words, fake_encode)
    assert fox["de"] == ["fox"]
    assert cat["de"] == ["cat", "tac"]
    assert cat["en"] == ["cat"]
