"""A picture set in motion from the page, called as plain functions on tiny models."""

import base64
import io
import json
import urllib.parse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import app
from tests.clip_models import FRAMES, make_prompted_clips
from tests.jobs.test_animation import content, picture
from tests.patience import until
from var_core.animations import read_animation
from var_core.jobs.clip_files import read_clip_recipe
from var_core.serving.local_engine import LocalEngine
from var_core.serving.metrics import JobMetrics
from var_core.web.clip_handlers import MOST_PIXELS, ClipHandlers, film
from var_core.web.page import Site

ASKED = {"words": "a fox, in the snow", "frames": FRAMES, "loop": False}


@pytest.fixture(scope="module")
def animator() -> LocalEngine:
    clips = make_prompted_clips()
    return LocalEngine(replace(clips.info, name="moving"), lambda dtype: clips)


@pytest.fixture
def handlers(animator: LocalEngine, tmp_path: Path) -> ClipHandlers:
    return ClipHandlers(animator, tmp_path, str)


def lines_of(handlers: ClipHandlers, first: bytes, **changes: object) -> list[dict]:
    """All that the page is told of a clip."""
    *_, last = handlers.stream(handlers.request(first, {**ASKED, **changes}))
    assert last.status.startswith("Done in ") and last.stage is not None
    return [json.loads(line) for line in last.stage.splitlines()]


def frames_of(line: dict) -> list[np.ndarray]:
    """Frames of a film, as the page cuts it."""
    sheet = Image.open(io.BytesIO(base64.b64decode(line["film"].split(",")[1]))).convert("RGB")
    columns, count = line["columns"], line["frames"]
    width, height = sheet.width // columns, sheet.height // -(-count // columns)
    places = [(number % columns * width, number // columns * height) for number in range(count)]
    boxes = [(left, top, left + width, top + height) for left, top in places]
    return [np.asarray(sheet.crop(box)) for box in boxes]


def test_a_clip_is_told_scale_by_scale_and_ends_with_its_files(handlers: ClipHandlers) -> None:
    begin, *films, end = lines_of(handlers, content(picture(), "PNG"))
    assert begin["begins"] and len({line["run"] for line in (begin, *films, end)}) == 1
    assert [line["frames"] for line in films] == [1] * 4 + [FRAMES] * 3
    urls = {kind: urllib.parse.unquote(url).split("file=")[1] for url, _, kind in end["files"]}
    assert {"WebP", "GIF"} <= set(urls)
    kept = read_animation(Path(urls["WebP"]), 8)
    assert all(np.array_equal(*pair) for pair in zip(frames_of(films[-1]), kept, strict=True))
    recipe = read_clip_recipe(urls["WebP"])
    assert recipe["prompt"] == ["a fox", "in the snow"] and recipe["frames"] == FRAMES
    assert f"clip-seed{recipe['seed']}.webp" in urls["WebP"]


def test_every_clip_of_a_picture_begins_with_it(handlers: ClipHandlers) -> None:
    first = content(picture(), "PNG")
    one, other = (frames_of(lines_of(handlers, first)[-2]) for _ in range(2))
    assert np.array_equal(one[0], other[0]) and not np.array_equal(one[-1], other[-1])
    loop = lines_of(handlers, first, words="", frames=0, loop=True)
    assert loop[-2]["frames"] == FRAMES - 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"words": None}, "words must be of type str"),
        ({"words": "one, two, three, four, five"}, "phrases"),
        ({"frames": FRAMES + 1}, "13, 21, 29, ... or 133 frames, got 14"),
        ({"frames": 10**9}, "frames must be a whole number from 0 to 37"),
        ({"frames": None}, "frames must be a whole number"),
        ({"frames": True}, "frames must be a whole number"),
        ({"loop": 1}, "loop must be of type bool"),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence(
    handlers: ClipHandlers, changes: dict, said: str
) -> None:
    with pytest.raises(ValueError) as caught:
        handlers.request(b"", {**ASKED, **changes})
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_what_cannot_be_read_draws_nothing(handlers: ClipHandlers, animator: LocalEngine) -> None:
    for first, words, said in (
        (b"no picture", "a fox", "picture"),
        (content(picture(), "PNG"), "colourless green ideas", "text encoder"),
    ):
        with pytest.raises(ValueError, match=said):
            list(handlers.stream(handlers.request(first, {**ASKED, "words": words})))
    until(animator.is_idle)


def test_a_film_of_many_large_frames_stays_small() -> None:
    frames = [Image.new("RGB", (300, 200), (number, 0, 0)) for number in range(40)]
    sheet, columns = film(frames)
    assert columns == 7 and sheet.width * sheet.height <= MOST_PIXELS
    width, height = sheet.width // 7, sheet.height // 6
    assert sheet.getpixel((4 * width + 1, 5 * height + 1)) == (39, 0, 0)
    small, columns = film(frames[:1])
    assert small.size == (300, 200) and columns == 1


def test_only_a_server_with_a_model_of_clips_offers_them(
    engine: LocalEngine, animator: LocalEngine, tmp_path: Path
) -> None:
    def names() -> set[str]:
        site = Site([engine], app.add_tabs, tmp_path, JobMetrics())
        return {one["props"].get("elem_id") for one in site.blocks.get_config_file()["components"]}

    assert not {"clip", "clip-status"} & names()
    engine.animator = animator
    assert {"clip", "clip-status"} <= names()
