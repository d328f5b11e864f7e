"""Sets of prompts: fixed, never trained on, each with a real scene that shows what is asked."""

import pytest

from training.data.scenes import Scene, SpriteTable, held_out_of
from training.data.scenes.pictures import ScenePictures
from training.data.scenes.thing_words import LANGUAGES
from training.data.scenes.things import read_things
from training.evaluation.scenes.edit_cases import edit_cases, fit_in_place, masked_area
from training.evaluation.scenes.free_prompts import read_free_prompts
from training.evaluation.scenes.judge_training import SCENE_SEED
from training.evaluation.scenes.prompts import (
    SETS,
    VARIATIONS,
    prompt_cases,
    scene_with_facts,
    validation_scenes,
)
from training.evaluation.scenes.questions import right_answers, things_of
from var_core.text import split_prompt


def facts(scene: Scene) -> tuple:
    return tuple(sorted(things_of(scene))), tuple(right_answers(scene).values())


@pytest.mark.parametrize("name", SETS)
def test_prompts_have_a_real_scene_of_what_they_ask(pictures: ScenePictures, name: str) -> None:
    cases = prompt_cases(pictures, name, 12)
    assert cases == prompt_cases(pictures, name, 12)
    assert len({case.scene for case in cases}) == len(cases) > 1
    names = pictures.table.names
    for case in cases:
        assert case.scene.seed != SCENE_SEED
        assert 1 <= len(case.phrases) <= 8
        for thing in things_of(case.scene):
            if name != "free_words":
                assert any(names[thing] in phrase for phrase in case.phrases)


@pytest.mark.parametrize(
    ("name", "number"), [("one_thing", 1), ("two_things", 2), ("new_pairs", 2), ("new_styles", 1)]
)
def test_sets_show_as_many_things_as_they_say(
    pictures: ScenePictures, name: str, number: int
) -> None:
    for case in prompt_cases(pictures, name, 12):
        assert len(case.scene.placements) == len(things_of(case.scene)) == number


def test_held_out_sets_ask_for_what_is_held_out(pictures: ScenePictures) -> None:
    held_out = held_out_of(pictures.table)
    for case in prompt_cases(pictures, "new_styles", 8):
        assert held_out.has_style(things_of(case.scene), case.scene.style)
    for case in prompt_cases(pictures, "new_pairs", 8):
        assert held_out.has_pair(sorted(things_of(case.scene)))
    for name in ("new_settings_one_thing", "new_settings_two_things"):
        for case in prompt_cases(pictures, name, 8):
            scene = case.scene
            assert held_out.has_setting((scene.place, scene.time, scene.weather))


def test_languages_take_turns(pictures: ScenePictures) -> None:
    cases = prompt_cases(pictures, "languages", 7)
    languages = [case.phrases[0].rpartition("-")[2] for case in cases]
    assert len(set(languages)) == 7 and set(languages) <= set(LANGUAGES) - {"en"}


def test_scenes_of_the_same_facts_differ_in_all_else(table: SpriteTable) -> None:
    scene = next(validation_scenes(table, 2))
    others = [scene_with_facts(table, scene, number) for number in range(8)]
    assert {facts(other) for other in others} == {facts(scene)}
    assert len({other.placements for other in others}) == 8
    with pytest.raises(ValueError, match=f"0..{VARIATIONS - 1}, got {VARIATIONS}"):
        scene_with_facts(table, scene, VARIATIONS)


def test_free_prompts_are_not_on_the_list_of_names() -> None:
    prompts, things = read_free_prompts(), read_things()
    listed = {
        word.casefold() for thing in things for word in (thing.name, thing.plural, *thing.synonyms)
    }
    assert len(prompts) == len({prompt.text for prompt in prompts}) == SETS["free_words"].size
    assert {prompt.thing for prompt in prompts} <= {thing.name for thing in things}
    for prompt in prompts:
        text = prompt.text.casefold()
        for article in ("", "a ", "an ", "the "):
            assert text.removeprefix(article) not in listed
        assert split_prompt(prompt.text, 8) == (prompt.text,)


def test_damaged_free_prompts_are_refused(tmp_path) -> None:
    path = tmp_path / "prompts.yaml"
    path.write_text("- {prompt: a pony}\n")
    with pytest.raises(ValueError, match="a prompt and a thing"):
        read_free_prompts(path)


def test_an_edit_masks_one_thing_and_leaves_the_rest(pictures: ScenePictures) -> None:
    table, cases = pictures.table, edit_cases(pictures)
    for case in (next(cases) for _ in range(30)):
        before, after = things_of(case.scene), things_of(case.wanted)
        assert case.old in before and case.new in after
        assert before - {case.old} == after - {case.new}
        assert case.new not in before and case.old not in after
        assert 0 < case.mask.mean() <= 0.6
        assert table.names[case.new] in case.phrase
        (old,) = [one for one in case.scene.placements if one.thing == case.old]
        (new,) = [one for one in case.wanted.placements if one.thing == case.new]
        assert table.things[case.old].homes == table.things[case.new].homes
        area, wanted = (
            masked_area(table, scene, one) for scene, one in ((case.scene, old), (case.wanted, new))
        )
        assert area.left <= wanted.left + 0.02 and wanted.right <= area.right + 0.02
        assert area.top <= wanted.top + 0.02 and wanted.bottom <= area.bottom + 0.02
        assert new == fit_in_place(table, case.scene.style, old, case.new)
