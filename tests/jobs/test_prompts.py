"""Words in requests, recipes and files."""

from pathlib import Path

import pytest

from tests.prompted_models import make_prompted
from var_core import VARPipeline
from var_core.jobs.comparison import parse_axis
from var_core.jobs.output_files import save_pictures
from var_core.jobs.parsing import compare, count_up, read_settings
from var_core.jobs.png_recipe import read_png_recipe
from var_core.jobs.progress import JobProgress
from var_core.jobs.requests import DrawRequest
from var_core.wishes import Wish

PIPELINE = make_prompted()
INFO = PIPELINE.info


def finished(request: DrawRequest) -> JobProgress:
    *_, last = request.start(PIPELINE)
    return last


def test_labels_menus_and_words_are_one_wish() -> None:
    settings = read_settings(
        INFO, {"thing": "fox", "style": "flat"}, 5, None, "in the snow", "rain"
    )
    assert settings.wish == Wish((1,), ("a fox", "in the snow"), ("rain",))
    assert read_settings(INFO, {}, 5, None).wish == Wish((3,))
    request = count_up(settings, 2)
    assert request.wishes == (settings.wish,) * 2 and request.seeds == (5, 6)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("",), "the prompt is empty"),
        (({"a": 1},), "a prompt must be text"),
        ((["a", 3],), "a phrase must be text, got 3"),
        ((None, ", "), "the prompt is empty"),
        ((["a", "b", "c", "d", "e"],), "at most 4 phrases"),
    ],
)
def test_malformed_words_are_one_sentence(words: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_settings(INFO, {}, 5, None, *words)


def test_the_recipe_of_a_file_is_enough_to_draw_it_again(tmp_path: Path) -> None:
    settings = read_settings(INFO, {"style": "flat"}, 5, None, "a fox, in the snow", "a pizza")
    progress = finished(count_up(settings, 1))
    (path,) = save_pictures(INFO, progress, tmp_path, with_recipe=True)
    assert path.name == "a-fox-in-the-snow-flat-seed5.png"
    recipe = read_png_recipe(path)
    assert recipe["prompt"] == ["a fox", "in the snow"] and recipe["negative_prompt"] == ["a pizza"]
    again = read_settings(
        INFO,
        recipe["labels"],
        recipe["seed"],
        {"top_p": recipe["top_p"]},
        recipe["prompt"],
        recipe["negative_prompt"],
    )
    assert again == settings
    frames = finished(count_up(again, 1)).frames[-1]
    assert frames[0].tobytes() == progress.frames[-1][0].tobytes()


def test_a_recipe_without_words_has_none(tmp_path: Path) -> None:
    progress = finished(count_up(read_settings(INFO, {}, 5, None), 1))
    (path,) = save_pictures(INFO, progress, tmp_path, with_recipe=True)
    assert path.name == "any-seed5.png" and "prompt" not in read_png_recipe(path)


def test_a_sheet_keeps_the_words() -> None:
    sides = parse_axis(INFO, "style", "noto, flat, 3d"), parse_axis(INFO, "seed", "5")
    request = compare(read_settings(INFO, {}, 5, None, "a fox"), INFO, *sides)
    assert finished(request).wishes == tuple(Wish((style,), ("a fox",)) for style in range(3))


def test_a_model_without_text_says_how_it_understood_words(pipeline: VARPipeline) -> None:
    wish = read_settings(pipeline.info, {}, 5, None, "apple").wish
    assert wish.label == (1, 2, 3)
    assert wish.notes == ("'apple' was understood as emoji 'apple'",)
