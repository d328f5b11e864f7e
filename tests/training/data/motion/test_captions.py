"""Captions of moving scenes say what moves, and nothing that is no longer so."""

from random import Random

import pytest

from training.data.motion import (
    MOTIONS,
    MotionCaptioner,
    Move,
    MovingScene,
    make_clip,
    motion_phrases,
)
from training.data.motion.moves import STILL
from training.data.motion.phrases import motion_words
from training.data.scenes import Placement, Scene, SpriteTable
from training.data.scenes.captions import MAX_PHRASES
from training.data.scenes.phrases import MAIN_LANGUAGES, Phrases

FOX, BREAD, ROCKET = 0, 3, 7


@pytest.fixture(scope="module")
def phrases(table: SpriteTable) -> Phrases:
    return motion_phrases(table)


@pytest.fixture(scope="module")
def captioner(table: SpriteTable, phrases: Phrases) -> MotionCaptioner:
    return MotionCaptioner(table, phrases)


def clip_of(thing: int, move: Move, weather: str = "clear", **motion: float) -> MovingScene:
    placement = Placement(thing, 0.2, 0.6, 0.3, "ground")
    return MovingScene(
        Scene(0, 0, 0, "grass", "day", weather, 0.6, 5, (placement,)), (move,), **motion
    )


def said(captioner: MotionCaptioner, clip: MovingScene, count: int = 300) -> set[str]:
    texts = captioner.phrases.texts
    return {
        texts[one] for seed in range(count) for one in captioner.caption_clip(clip, Random(seed))
    }


def test_every_motion_has_words_in_eight_languages(phrases: Phrases) -> None:
    ways = {*MOTIONS, "slide left", "slide right"} - {"slide"}
    assert set(motion_words()["things"]) - {"play"} == ways
    for way in ways:
        for language in ("en", *MAIN_LANGUAGES):
            assert phrases.find("motion", FOX, way, language), (way, language)
    for kind in ("clouds", "snow", "rain"):
        assert all(phrases.find("moving weather", kind, one) for one in ("en", *MAIN_LANGUAGES))


def test_the_usual_caption_names_the_motion(captioner: MotionCaptioner) -> None:
    def usual(thing: int, move: Move) -> str:
        return captioner.phrases.texts[captioner.full_clip_caption(clip_of(thing, move))[0]]

    assert usual(ROCKET, Move("fly up")) == "a rocket flying up"
    assert usual(FOX, Move("jump")) == "a fox jumping"
    assert usual(FOX, Move("slide", is_mirrored=True)) == "a fox sliding to the left"
    assert usual(BREAD, Move("spin")) == "bread spinning"
    assert usual(FOX, Move()) == "a fox"


def test_what_moves_sideways_is_on_no_side(captioner: MotionCaptioner) -> None:
    words = said(captioner, clip_of(FOX, Move("slide")))
    assert "a fox sliding to the right" in words and "fox-de gleitet nach rechts" in words
    assert not [text for text in words if "on the left" in text or "sliding to the left" in text]
    assert "a fox on the left" in said(captioner, clip_of(FOX, Move("spin")))
    grown = said(captioner, clip_of(FOX, Move("grow")))
    assert not [text for text in grown if "small" in text or "little" in text]


def test_only_weather_that_moves_is_said_to_move(captioner: MotionCaptioner) -> None:
    falling = {"falling snow", "snow is falling", "la neige tombe"}
    assert falling <= said(captioner, clip_of(FOX, Move(), "snow", fallen=0.5))
    drifting = said(captioner, clip_of(FOX, Move(), "clouds", drift=0.2))
    assert "drifting clouds" in drifting and not falling - {"snow is falling"} & drifting
    assert not {"drifting clouds", "falling rain"} & said(captioner, clip_of(FOX, Move("spin")))


def test_only_what_stays_is_said_to_stay(captioner: MotionCaptioner) -> None:
    assert "nothing moves" in said(captioner, clip_of(FOX, Move()))
    for other in (clip_of(FOX, Move("spin")), clip_of(FOX, Move(), "clouds", drift=0.2)):
        assert "nothing moves" not in said(captioner, other)


def test_two_of_a_kind_that_differ_are_not_said_to_do_the_same(captioner: MotionCaptioner) -> None:
    placements = tuple(Placement(FOX, x, 0.6, 0.3, "ground") for x in (0.2, 0.8))
    scene = Scene(0, 0, 0, "grass", "day", "clear", 0.6, 5, placements)
    words = said(captioner, MovingScene(scene, (Move("spin"), Move("jump"))))
    assert "two foxes" in words
    assert not [text for text in words if "spinning" in text or "jumping" in text]


def test_captions_are_pure_short_and_true(table: SpriteTable, captioner: MotionCaptioner) -> None:
    for index in range(300):
        clip = make_clip(table, 0, index)
        ids = captioner.caption_clip(clip, Random(index))
        assert ids == captioner.caption_clip(clip, Random(index))
        assert 1 <= len(ids) == len(set(ids)) <= MAX_PHRASES
        motions = {move.motion for move in clip.moves}
        texts = " ".join(captioner.phrases.texts[one] for one in ids)
        assert "spinning" not in texts or "spin" in motions
        assert "falling down" not in texts or "fall" in motions or clip.fallen
        assert STILL in motions or "nothing moves" not in texts
