"""The endpoint that draws clips, on the engines that a server builds."""

import base64
import io
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.clip_models import FRAMES, SIDE, make_clip_tokenizer, make_clip_transformer
from tests.conftest import make_labels, make_tokenizer, make_transformer
from tests.jobs.test_animation import content, picture
from tests.patience import until
from var_core import VARClipPipeline, VARPipeline
from var_core.animations import read_animation
from var_core.jobs.clip_files import clip_bytes, read_clip_recipe
from var_core.serving.all_endpoints import Api
from var_core.serving.executors import DrawingThreads
from var_core.serving.fair_queue import FairQueue, QueueLimits
from var_core.serving.installed_engines import make_engines
from var_core.serving.metrics import JobMetrics

SHORT = clip_bytes([picture(n) for n in range(4)], None)[:-30]


def many_frames() -> bytes:
    """An animation of more frames than are read."""
    first, *rest = [Image.new("L", (2, 2), number % 256) for number in range(601)]
    buffer = io.BytesIO()
    first.save(buffer, format="GIF", save_all=True, append_images=rest, duration=20)
    return buffer.getvalue()


def text(file: bytes) -> str:
    return base64.b64encode(file).decode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    VARPipeline(make_tokenizer(), make_transformer(), make_labels()).save_pretrained(
        folder / "still"
    )
    VARClipPipeline(make_clip_tokenizer(), make_clip_transformer()).save_pretrained(
        folder / "clips"
    )
    return folder


def api_of(folder: Path, clips: str | None) -> Api:
    limits = QueueLimits(seconds=math.inf)
    how = "fp32", DrawingThreads(), JobMetrics(), FairQueue(limits)
    engines = make_engines(folder / "still", *how, None if clips is None else folder / clips)
    return Api(engines[0])


@pytest.fixture(scope="module")
def api(folder: Path) -> Api:
    return api_of(folder, "clips")


def drawn(api: Api, **fields: object) -> dict:
    *earlier, last = api.animate(**{"labels": {"class": "3"}, "seed": 7, **fields})
    assert all(one["clip"] == "" for one in earlier)
    assert earlier[-1]["scale"] == earlier[-1]["total"] - 1
    return dict(last)


def file_of(told: dict) -> bytes:
    head, _, body = told["clip"].partition(",")
    assert head == "data:image/webp;base64"
    return base64.b64decode(body)


def frames_of(told: dict) -> np.ndarray:
    return np.stack([np.asarray(one) for one in read_animation(file_of(told), 8)])


def test_a_clip_is_drawn_with_its_recipe_and_again(api: Api) -> None:
    told = drawn(api)
    assert frames_of(told).shape == (FRAMES, SIDE, SIDE, 3) and told["frames"] == FRAMES
    assert told["labels"] == {"class": "3"} and told["seed"] == 7
    assert read_clip_recipe(file_of(told))["frames"] == FRAMES
    assert drawn(api)["clip"] == told["clip"]


def test_a_picture_becomes_the_first_frame_and_a_clip_goes_on(api: Api) -> None:
    first = text(content(picture(), "PNG"))
    one, other = (drawn(api, picture=first, seed=seed) for seed in (1, 2))
    assert np.array_equal(frames_of(one)[0], frames_of(other)[0])
    assert not np.array_equal(frames_of(one)[-1], frames_of(other)[-1])
    assert len(read_clip_recipe(file_of(one))["kept"]) == 4
    more = drawn(api, picture=text(file_of(one)), frames=21)
    assert more["frames"] == 21 and read_clip_recipe(file_of(more)) is None
    assert drawn(api, loop=True)["frames"] == FRAMES - 1


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"frames": 14}, "13, 21, 29, ... or 133 frames, got 14"),
        ({"frames": -1}, "frames must be a whole number from 0 to 129, got -1"),
        ({"frames": 10**9}, "frames must be a whole number from 0 to 129"),
        ({"frames": 13.0}, "frames must be a whole number"),
        ({"frames": True}, "frames must be a whole number"),
        ({"loop": "yes"}, "loop must be of type bool"),
        ({"seed": -1}, "seed"),
        ({"labels": {"class": "11"}}, "11"),
        ({"labels": []}, "labels must be an object"),
        ({"options": {"top_p": 2}}, "top_p"),
        ({"options": {"frames": 3}}, "options has"),
        ({"prompt": "a fox"}, "this model takes no text"),
        ({"picture": 5}, "picture must be base64"),
        ({"picture": "%%%"}, "picture is not base64"),
        ({"picture": text(b"GIF89a")}, "is not a readable"),
        ({"picture": text(b"RIFF\xff\xff\xff\x7fWEBPVP8X")}, "is not a readable"),
        (
            {"picture": text(clip_bytes([picture(n) for n in range(4)], None)[:-30])},
            "not a readable",
        ),
        ({"picture": text(content(Image.new("1", (5_000, 5_000)), "GIF"))}, "pixels"),
        ({"picture": text(many_frames())}, "has more than 600 frames"),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence(api: Api, fields: dict, said: str) -> None:
    with pytest.raises(ValueError) as caught:
        drawn(api, **fields)
    assert said in str(caught.value) and "\n" not in str(caught.value)
    until(api.engine.is_idle)


def test_a_server_without_a_model_of_clips_does_not_offer_them(folder: Path, api: Api) -> None:
    still = api_of(folder, None)
    assert "animate" in [one.__name__ for one in api.queued()]
    assert "animate" not in [one.__name__ for one in still.queued()]
    with pytest.raises(ValueError, match="there is no model of clips here"):
        next(still.animate({}))
    with pytest.raises(ValueError, match="is a model of pictures, and one of clips is needed"):
        api_of(folder, "still")


def test_a_client_who_leaves_stops_the_drawing(api: Api) -> None:
    steps = api.animate({}, frames=21)
    next(steps)
    steps.close()
    until(api.engine.is_idle)
