"""Requests start themselves, and know how their pictures can be drawn again."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from var_core import SamplingOptions, VARPipeline, generators_from_seeds
from var_core.editing import EditOptions, Margins
from var_core.jobs.progress import JobProgress, Request
from var_core.jobs.requests import DrawRequest, EditRequest, VaryRequest
from var_core.wishes import Wish

OPTIONS = SamplingOptions(top_k=32)
CAT = Wish((0, 0, 0))


def noise(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def finish(request: Request, pipeline: VARPipeline) -> JobProgress:
    *_, last = request.start(pipeline)
    return last


def same(first: Image.Image, second: Image.Image) -> bool:
    return np.array_equal(np.asarray(first), np.asarray(second))


def test_pictures_with_different_options_come_in_the_order_asked_for(
    pipeline: VARPipeline,
) -> None:
    wild = replace(OPTIONS, temperature=3.0, guidance_scale=0.0)
    request = DrawRequest((CAT,) * 4, (1, 2, 3, 4), (OPTIONS, wild, OPTIONS, wild))
    steps = list(request.start(pipeline))
    assert [step.number for step in steps] == [1, 2, 3, 4]
    assert [len(step.frames) for step in steps] == [1, 2, 3, 4] and steps[-1].is_drawn
    for index, (seed, options) in enumerate(zip(request.seeds, request.options, strict=True)):
        alone = pipeline.draw([CAT], options, generators_from_seeds([seed]))
        assert same(steps[-1].frames[-1][index], alone.images[0])
        maps = [tokens[index] for tokens in steps[-1].token_maps]
        assert all(map(torch.equal, maps, [tokens[0] for tokens in alone.token_maps]))


def test_a_recipe_holds_all_that_decides_a_picture(pipeline: VARPipeline) -> None:
    info = replace(pipeline.info, name="tiny")
    progress = finish(DrawRequest((CAT,), (7,), (OPTIONS,)), pipeline)
    (recipe,) = progress.recipes(info)
    assert recipe is not None and recipe["model"] == "tiny" and recipe["dtype"] == "float32"
    assert recipe["labels"] == {"category": "animal", "emoji": "cat", "style": "flat"}
    options = SamplingOptions(**{name: recipe[name] for name in vars(OPTIONS)})
    again = pipeline.draw([recipe["labels"]], options, generators_from_seeds([recipe["seed"]]))
    assert same(progress.frames[-1][0], again.images[0])


def test_a_variation_is_a_drawing_with_kept_scales(pipeline: VARPipeline) -> None:
    image = noise(20, 30)
    request = VaryRequest(image, 2, DrawRequest((CAT,), (3,), (OPTIONS,)))
    progress = finish(request, pipeline)
    expected = pipeline.vary(image, 2, [CAT], OPTIONS, generators_from_seeds([3]))
    assert same(progress.frames[-1][0], expected.images[0])
    (recipe,) = progress.recipes(pipeline.info)
    assert recipe is not None and len(recipe["kept"]) == 2
    assert request.recipes(pipeline.info, "float32") == [None]  # not before it is encoded


def test_an_edit_keeps_the_newest_frame_and_has_no_recipe(pipeline: VARPipeline) -> None:
    image, margins = noise(20, 30), Margins(right=6, top=2)
    request = EditRequest(image, None, margins, (CAT,), (3,), OPTIONS, EditOptions())
    steps = list(request.start(pipeline))
    assert {len(step.frames) for step in steps} == {1}
    generator = generators_from_seeds([3])
    expected = pipeline.outpaint(image, margins, [CAT], OPTIONS, generator=generator)
    assert same(steps[-1].frames[-1][0], expected.images[0])
    assert steps[-1].recipes(pipeline.info) == [None]


def test_the_picture_before_lies_where_it_lies_in_the_result() -> None:
    image = noise(20, 30)
    shared = ((CAT,), (3,), OPTIONS, EditOptions())
    mask = np.ones((30, 20), bool)
    assert EditRequest(image, mask, None, *shared).original((20, 30)) is image
    wide = EditRequest(image, None, Margins(left=3, bottom=2), *shared).original((23, 32))
    assert same(wide.crop((3, 0, 23, 30)), image)
    assert (np.asarray(wide)[:, :3] == 255).all() and (np.asarray(wide)[30:] == 255).all()
    square = VaryRequest(image, 1, DrawRequest((CAT,), (3,), (OPTIONS,))).original((8, 8))
    assert square.size == (8, 8)


def test_what_does_not_fit_the_model_is_refused_before_the_first_scale(
    pipeline: VARPipeline,
) -> None:
    with pytest.raises(ValueError, match="top_k must be a whole number from 0 to 32, got 33"):
        DrawRequest((CAT,), (1,), (replace(OPTIONS, top_k=33),)).start(pipeline)
