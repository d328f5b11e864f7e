"""Captions of moving scenes: what is there, and what moves how."""

from random import Random

from training.data.motion.making import MovingScene
from training.data.motion.moves import PLAY, RESIZING, SIDEWAYS, STILL, Move
from training.data.motion.phrases import way_of
from training.data.scenes.captions import (
    AGAIN_PART,
    ENGLISH_PART,
    KEEP_THING,
    MAX_PHRASES,
    Captioner,
    count_things,
    weather_word,
)
from training.data.scenes.description import Scene
from training.data.scenes.phrases import MAIN_LANGUAGES

KEEP_MOTION = 0.9  # chance that the motion of a named thing is named with it
KEEP_WEATHER = 0.55  # chance that it is said that clouds drift, or that rain or snow falls
KEEP_STILL = 0.5  # chance that it is said that nothing moves


class MotionCaptioner(Captioner):
    """Writes captions for moving scenes, as ids of the phrases of `motion_phrases`."""

    def caption_clip(self, clip: MovingScene, rng: Random) -> list[int]:
        """Return between one and eight phrases in any order; all are true of the clip."""
        language = "en" if rng.random() < ENGLISH_PART else rng.choice(MAIN_LANGUAGES)
        ids: list[int] = []
        for thing, move in _moves(clip).items():
            if rng.random() < KEEP_THING or not ids:
                ids += self._say_motion(clip, thing, move, language, rng)
        said = {"style"} if clip.plays else set[str]()  # then it has none of the table's
        ids += self._say_setting(clip.scene, language, said, rng)
        ids += self._say_weather(clip, language, rng)
        ids = list(dict.fromkeys(ids))
        rng.shuffle(ids)
        return ids[:MAX_PHRASES]

    def full_clip_caption(self, clip: MovingScene) -> list[int]:
        """Return the usual English phrase for everything, motions included."""
        ids = []
        for thing, move in _moves(clip).items():
            motion = self.phrases.find("motion", thing, way_of(move), "en")
            count = count_things(clip.scene)[thing]
            form = "two" if count == 2 and not self.table.things[thing].is_mass else "one"
            ids.append(motion[0] if motion else self.phrases.main("thing", thing, form, "en"))
        scene = clip.scene
        facts = (("place", scene.place), ("time", scene.time), ("weather", weather_word(scene)))
        ids += [self.phrases.main(kind, value, "en") for kind, value in facts if value]
        return ids[:MAX_PHRASES]

    def true_forms(self, scene: Scene, thing: int) -> list[str]:
        """Return the ways to name a thing whatever it does: without a place or a size."""
        counted = count_things(scene)[thing] > 1 and not self.table.things[thing].is_mass
        return ["two"] if counted else ["one"]

    def _say_motion(
        self, clip: MovingScene, thing: int, move: Move, language: str, rng: Random
    ) -> list[int]:
        found = self.phrases.find("motion", thing, way_of(move), language)
        if not found or rng.random() >= KEEP_MOTION:
            forms = self.true_forms(clip.scene, thing)
            if move.motion not in (*SIDEWAYS, *RESIZING, PLAY) and forms == ["one"]:
                forms = super().true_forms(clip.scene, thing)
            return [self._say_form(thing, rng.choice(forms), language, rng)]
        ids = [found[0] if rng.random() < 0.5 else rng.choice(found)]
        if rng.random() < AGAIN_PART:
            ids.append(self._say_form(thing, "one", language, rng))
        return ids

    def _say_weather(self, clip: MovingScene, language: str, rng: Random) -> list[int]:
        said = []
        kinds = [clip.scene.weather] if clip.fallen else []
        kinds += ["clouds"] if clip.drift and clip.scene.weather == "clouds" else []
        for kind in kinds:
            if rng.random() < KEEP_WEATHER:
                said.append(rng.choice(self.phrases.find("moving weather", kind, language)))
        is_still = not kinds and all(move.motion == STILL for move in clip.moves)
        if is_still and rng.random() < KEEP_STILL:
            said.append(rng.choice(self.phrases.find("still", language)))
        return said


def _moves(clip: MovingScene) -> dict[int, Move]:
    """What each thing does; of two of a kind nothing is said but that they are two."""
    moves: dict[int, Move] = {}
    for placement, move in zip(clip.scene.placements, clip.moves, strict=True):
        thing = placement.thing
        moves[thing] = Move() if thing in moves else move
    return moves
