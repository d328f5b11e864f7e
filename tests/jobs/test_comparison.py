"""What a sheet compares, for models with labels and for models with words."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.prompted_models import make_prompted
from var_core import VARPipeline
from var_core.jobs.comparison import MAX_TYPED, Cell, axis_titles, cells, parse_axis, read_axis
from var_core.jobs.parsing import compare, read_settings
from var_core.labels import Attribute, LabelSpace
from var_core.model_info import ModelInfo

PROMPTED = make_prompted().info


def wishes(info: ModelInfo, *sides: tuple[str, str], **asked: object) -> list[tuple]:
    """Names and phrases of every cell."""
    base = Cell(info.reader.read(*asked.values()), 1, info.options)
    found = cells(info, base, *(parse_axis(info, *side) for side in sides))
    return [(*info.labels.names(cell.wish.label).values(), *cell.wish.phrases) for cell in found]


def test_labels_with_commas_in_their_names_can_be_compared(pipeline: VARPipeline) -> None:
    names = Attribute("emoji", ("family: man, boy", "cat", "dog"))
    info = replace(pipeline.info, labels=LabelSpace((names,)))
    axis = parse_axis(info, "emoji", "family: man, boy\ncat, dog")
    assert axis.values == names.values and parse_axis(info, "emoji", axis.text) == axis


def test_numbers_stand_between_commas_or_on_lines(pipeline: VARPipeline) -> None:
    axis = parse_axis(pipeline.info, "guidance_scale", " 0, 1.5\n3 ,")
    assert axis.values == (0.0, 1.5, 3.0) and axis.text == "0.0, 1.5, 3.0"
    with pytest.raises(ValueError, match="not 'a'"):
        parse_axis(pipeline.info, "guidance_scale", "a, b")


def test_what_is_typed_is_bounded_and_read_only_as_far_as_a_side_goes(
    pipeline: VARPipeline,
) -> None:
    with pytest.raises(ValueError, match=f"at most {MAX_TYPED} characters"):
        parse_axis(pipeline.info, "emoji", "\n" * (MAX_TYPED + 1))
    with pytest.raises(ValueError, match="1 to 8 values"):
        parse_axis(pipeline.info, "seed", "1," * 9 + "what comes after is not looked at")


def test_a_label_opens_what_it_contradicts(pipeline: VARPipeline) -> None:
    found = wishes(
        pipeline.info, ("category", "animal, fruit"), ("seed", "1"), label={"emoji": "cat"}
    )
    assert found == [("animal", "cat", None), ("fruit", None, None)]
    moved = wishes(pipeline.info, ("emoji", "cat, pear"), ("seed", "1"), label={"emoji": "dog"})
    assert moved == [("animal", "cat", None), ("fruit", "pear", None)]


def test_a_choice_takes_the_place_of_what_was_chosen_from_its_menu() -> None:
    asked = {"label": {"thing": "fox", "place": "snow"}, "prompt": "a hat"}
    found = wishes(PROMPTED, ("thing", "pizza"), ("style", "noto, 3d"), **asked)
    assert found == [(style, "in the snow", "a hat", "a pizza") for style in ("noto", "3d")]


def test_a_prompt_takes_the_place_of_all_words_and_a_choice_joins_it() -> None:
    for sides in ((("prompt", "a cat, asleep\na dog"), ("place", "snow")),):
        expected = [(None, "a cat", "asleep", "in the snow"), (None, "a dog", "in the snow")]
        asked = {"label": {"thing": "fox"}}
        assert wishes(PROMPTED, *sides, **asked) == expected
        assert wishes(PROMPTED, *reversed(sides), **asked) == expected


def test_every_setting_of_a_model_can_be_compared(pipeline: VARPipeline) -> None:
    numbers = ["seed", "guidance_scale", "temperature", "top_k", "top_p", "scales"]
    assert list(axis_titles(pipeline.info)) == ["category", "emoji", "style", *numbers]
    assert list(axis_titles(PROMPTED)) == ["thing", "place", "style", "prompt", *numbers]


def test_words_of_a_side_tell_its_values(pipeline: VARPipeline) -> None:
    for name, values, words in (
        ("guidance_scale", [0, 2.5], ["guidance 0", "guidance 2.5"]),
        ("seed", [4_000_000_000], ["seed 4000000000"]),
        ("scales", [0, 1, 3], ["no scales kept", "1 scale kept", "3 scales kept"]),
        ("style", ["3d"], ["3d"]),
    ):
        assert read_axis(pipeline.info, name, values).captions == words


def test_a_sheet_is_labelled_outside_of_its_pictures(pipeline: VARPipeline) -> None:
    info = pipeline.info
    settings = read_settings(info, {"emoji": "cat"}, 5, None)
    sides = [read_axis(info, "seed", [5, 6]), read_axis(info, "style", ["flat", "round", "3d"])]
    *_, last = compare(settings, info, *sides).start(pipeline)
    sheet = np.asarray(last.sheet(4))
    picture = np.asarray(last.frames[-1][5].resize((128, 128), 1))
    spots = [
        (top, left)
        for top in range(sheet.shape[0] - 127)
        for left in range(sheet.shape[1] - 127)
        if np.array_equal(sheet[top, left], picture[0, 0])
        and np.array_equal(sheet[top : top + 128, left : left + 128], picture)
    ]
    assert len(spots) == 1
    top, left = spots[0]
    assert left > 2 * 128 and top > 128  # the last of the second row
    assert (sheet[:top, left : left + 128] != 255).any()  # words above it
    assert (sheet[top : top + 128, :100] != 255).any()  # words before its row


def test_a_picture_keeps_as_many_scales_as_its_row_says(pipeline: VARPipeline) -> None:
    info = pipeline.info
    settings = read_settings(info, {"emoji": "cat", "style": "3d"}, 5, None)
    kept = tuple(torch.zeros(1, side, side, dtype=torch.int64) for side in (1, 2, 3))
    rows, columns = read_axis(info, "scales", [3, 0]), read_axis(info, "seed", [5, 6])
    *_, last = compare(settings, info, rows, columns, kept).start(pipeline)
    assert all(tokens[:2].eq(0).all() for tokens in last.token_maps[:3])
    assert not all(tokens[2:].eq(0).all() for tokens in last.token_maps[:3])
    with pytest.raises(ValueError, match="draw one first"):
        compare(settings, info, rows, columns, kept[:2])
