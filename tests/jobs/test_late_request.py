"""Pictures of strangers are decoded when their turn has come."""

import pickle
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from PIL import Image

from var_core import VARPipeline
from var_core.editing import Margins
from var_core.jobs.data_url import png_url
from var_core.jobs.late_request import LateRequest, edit_later, outpaint_later, vary_later
from var_core.jobs.parsing import edit, outpaint, read_settings, vary
from var_core.jobs.requests import Settings
from var_core.serving.all_endpoints import Api
from var_core.serving.fair_queue import BusyError, FairQueue, QueueLimits
from var_core.serving.local_engine import LocalEngine


def picture() -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def mask(image: Image.Image) -> np.ndarray:
    holes = np.zeros((image.height, image.width), bool)
    holes[8:20, 9:22] = True
    return holes


@pytest.fixture
def settings(pipeline: VARPipeline) -> Settings:
    return read_settings(pipeline.info, {"emoji": "cat"}, 5, None)


def test_it_draws_what_the_request_of_decoded_pictures_draws(
    pipeline: VARPipeline, settings: Settings
) -> None:
    image, margins = picture(), Margins(right=6)
    pairs = [
        (edit_later(settings, picture, mask, 2), edit(settings, image, mask(image), 2)),
        (outpaint_later(settings, picture, margins), outpaint(settings, image, margins)),
        (vary_later(settings, picture, 2, 2, 4), vary(settings, image, 2, 2, 4)),
    ]
    for late, request in pairs:
        assert (late.job, late.wishes, late.seeds) == (request.job, request.wishes, request.seeds)
        *_, expected = request.start(pipeline)
        *_, found = pickle.loads(pickle.dumps(late)).start(pipeline)  # as on a lent GPU
        assert [list(one) for one in found.frames] == [list(one) for one in expected.frames]
        size = found.frames[-1][0].size
        assert late.original(size) == request.original(size)


def test_options_are_refused_before_the_turn_and_pictures_in_it(
    pipeline: VARPipeline, settings: Settings
) -> None:
    def unread() -> Image.Image:
        raise ValueError("it was decoded")

    calls: list[Callable[[], LateRequest]] = [
        partial(edit_later, settings, unread, mask, 9),
        partial(edit_later, settings, unread, mask, 1, "magic"),
        partial(outpaint_later, settings, unread, Margins(right=6), 1, "replay", 0),
        partial(vary_later, settings, unread, 4, 1, 4),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="must"):
            call()
    with pytest.raises(ValueError, match="it was decoded"):
        next(edit_later(settings, unread, mask).start(pipeline))


def test_nobody_decodes_a_picture_before_his_turn(
    pipeline: VARPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = QueueLimits(waiting=2, per_client=1)
    engine = LocalEngine(
        replace(pipeline.info, name="tiny"), lambda dtype: pipeline, queue=FairQueue(limits)
    )
    endpoints, sent = Api(engine, lambda: "a"), png_url(picture())
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("a picture was opened"))
    mine = engine.queue.join("a")
    for call in (
        lambda: endpoints.tokenize(sent),
        lambda: endpoints.look_inside({}, picture=sent),
        lambda: next(endpoints.edit(sent, sent, {})),
        lambda: next(endpoints.outpaint(sent, {}, right=8)),
        lambda: next(endpoints.vary(sent, 2, {})),
    ):
        with pytest.raises(BusyError):
            call()
    engine.queue.leave(mine)
    other = engine.queue.join("b")
    waiting = endpoints.edit(sent, sent, {})
    assert next(waiting)["pictures"] == []  # it waits, with the picture as it came
    waiting.close()
    engine.queue.leave(other)
