"""The endpoints that look inside, called as plain functions on tiny models."""

import json
from dataclasses import replace

import pytest

from tests.prompted_models import make_prompted
from tests.serving.test_all_endpoints import pixels
from var_core import VARPipeline
from var_core.serving.all_endpoints import Api
from var_core.serving.fair_queue import BusyError, FairQueue, QueueLimits
from var_core.serving.local_engine import LocalEngine


def make_api(pipeline: VARPipeline, queue: FairQueue | None = None) -> Api:
    info = replace(pipeline.info, name="tiny")
    return Api(LocalEngine(info, lambda dtype: pipeline, queue=queue))


def test_a_result_can_be_looked_into_and_its_tokens_exchanged(pipeline: VARPipeline) -> None:
    api = make_api(pipeline)
    *_, drawn = api.generate({"emoji": "cat"}, seed=3)
    (labels,) = drawn["labels"]
    inside = api.look_inside(labels, drawn["token_maps"])
    assert json.loads(json.dumps(inside)) == inside
    assert inside["token_maps"] == drawn["token_maps"]
    assert (pixels(inside["pictures"][-1]) == pixels(drawn["pictures"][0])).all()
    sizes = [len(one) for one in inside["entropy"]]
    assert sizes == [len(one) for one in inside["probability"]] == [1, 2, 3, 4]
    assert inside["attention_to"] == ["start", "scale 2", "scale 3", "scale 4"]
    for row in inside["attention"]:
        assert sum(row) == pytest.approx(1, abs=1e-5)
    tokens = inside["alternatives"][2][1][2]
    assert len(tokens) == 5 and drawn["token_maps"][2][0][1][2] not in tokens
    own = drawn["token_maps"][2][0][1][2]
    exchanged = api.exchange(drawn["token_maps"], 3, 1, 2, [own, *tokens])
    assert (pixels(exchanged["pictures"][0]) == pixels(drawn["pictures"][0])).all()
    left, top, right, bottom = exchanged["box"]
    for picture, patch in zip(exchanged["pictures"], exchanged["patches"], strict=True):
        assert (pixels(patch) == pixels(picture)[top:bottom, left:right]).all()
    assert len(set(exchanged["pictures"])) == 6


def test_a_picture_is_encoded_and_judged_by_labels_and_words() -> None:
    api = make_api(make_prompted())
    *_, drawn = api.generate({}, prompt="a fox")
    (picture,) = drawn["pictures"]
    fox = api.look_inside({}, picture=picture, prompt="a fox")
    pizza = api.look_inside({"style": "flat"}, picture=picture, prompt="a pizza")
    assert fox["token_maps"] == pizza["token_maps"] and fox["entropy"] != pizza["entropy"]
    assert fox["attention_to"][:2] == ["a fox", "no phrase"]


def test_looking_inside_takes_a_turn(pipeline: VARPipeline) -> None:
    queue = FairQueue(QueueLimits(waiting=1, per_client=1))
    api = make_api(pipeline, queue)
    tokens = [[[[0] * side] * side] for side in pipeline.info.schedule.sides]
    mine = queue.join("")
    for call in (
        lambda: api.look_inside({}, tokens),
        lambda: api.exchange(tokens, 1, 0, 0, [1]),
    ):
        with pytest.raises(BusyError):
            call()
    queue.leave(mine)
    assert api.look_inside({}, tokens)["bits"][-1] == 150 and queue.counts() == (0, 0)


def test_either_tokens_or_a_picture(pipeline: VARPipeline) -> None:
    api = make_api(pipeline)
    tokens = [[[[0] * side] * side] for side in pipeline.info.schedule.sides]
    for given in ({}, {"token_maps": tokens, "picture": "aGVsbG8="}):
        with pytest.raises(ValueError, match="either token_maps or a picture"):
            api.look_inside({}, **given)
