"""Words in the endpoints for programs, called as plain functions on tiny models."""

from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from tests.prompted_models import make_prompted
from var_core import VARPipeline
from var_core.jobs.data_url import png_url
from var_core.serving.all_endpoints import Api
from var_core.serving.local_engine import LocalEngine


def api_of(pipeline: VARPipeline) -> Api:
    return Api(LocalEngine(pipeline.info, lambda dtype: pipeline))


API = api_of(make_prompted())
PICTURE = png_url(Image.new("RGB", (20, 20), "white"))
MASK = png_url(Image.fromarray(np.full((20, 20), 255, np.uint8)))


def last(steps: Iterator[dict]) -> dict:
    *_, result = steps
    return result


def test_choosing_draws_what_typing_draws() -> None:
    chosen = last(API.generate({"thing": ["fox"], "place": "snow", "style": "noto"}, 5))
    typed = last(API.generate({"style": "noto"}, 5, prompt="in the snow, a fox"))
    assert chosen["prompts"] == [["a fox", "in the snow"]]
    assert chosen["token_maps"] == typed["token_maps"]
    against = last(API.generate({"style": "noto"}, 5, prompt="a fox", negative_prompt="a pizza"))
    assert (
        against["token_maps"]
        != last(API.generate({"style": "noto"}, 5, prompt="a fox"))["token_maps"]
    )


def test_every_drawing_endpoint_takes_words() -> None:
    words = {"prompt": "a fox", "negative_prompt": "a pizza"}
    maps = last(API.generate({}, 5))["token_maps"]
    results = [
        last(API.compare({}, {"seed": [1, 2]}, {"style": ["noto"]}, **words)),
        last(API.redraw(maps, 1, {}, **words)),
        last(API.edit(PICTURE, MASK, {}, **words)),
        last(API.outpaint(PICTURE, {}, right=10, **words)),
        last(API.vary(PICTURE, 1, {}, **words)),
    ]
    for result in results:
        assert result["prompts"][0] == ["a fox"] and result["notes"][0] == []
    assert len(last(API.stream({}, **words))["pictures"]) == 1


def test_the_model_tells_its_menus() -> None:
    about = API.about()
    assert about["menus"] == {"thing": ["fox", "pizza"], "place": ["snow"]}
    assert about["phrases"] == 4


@pytest.mark.parametrize("prompt", ["", "x" * 10_000, "a\x00", "1,2,3,4,5"])
def test_bad_words_are_refused(prompt: str) -> None:
    with pytest.raises(ValueError, match="prompt"):
        last(API.generate({}, prompt=prompt))


def test_a_model_without_text_says_how_it_understood_words(pipeline: VARPipeline) -> None:
    result = last(api_of(pipeline).generate({}, prompt="an apple"))
    assert result["labels"][0]["emoji"] == "apple"
    assert result["notes"] == [["'an apple' was understood as emoji 'apple'"]]
