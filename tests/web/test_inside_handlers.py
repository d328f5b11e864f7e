"""What the tab Look inside does, called as plain functions on tiny models."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.prompted_models import make_prompted
from tests.web.conftest import tiny_engine
from tests.web.test_draw_handlers import ask, file
from var_core.jobs.parsing import count_up, read_settings
from var_core.jobs.png_recipe import write_png
from var_core.jobs.progress import JobProgress
from var_core.serving.local_engine import LocalEngine
from var_core.web.draw_handlers import DrawHandlers
from var_core.web.inside_handlers import InsideHandlers


@pytest.fixture
def handlers(engine: LocalEngine) -> InsideHandlers:
    return InsideHandlers(engine, str)


@pytest.fixture
def progress(engine: LocalEngine) -> JobProgress:
    """Two drawn cats."""
    settings = read_settings(engine.info, {"emoji": "cat", "style": "flat"}, 3, None)
    return list(engine.generate(count_up(settings, 2)))[-1]


def noise(path: Path) -> str:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return str(path)


def test_the_page_gets_all_numbers_of_all_scales(
    handlers: InsideHandlers, progress: JobProgress
) -> None:
    view = handlers.look(progress, 1)
    content = json.loads(view.content)
    shapes = [(one["rows"], one["columns"]) for one in content["scales"]]
    assert shapes == [(1, 1), (2, 2), (3, 3), (4, 4)]
    assert [one["bits"] for one in content["scales"]] == [5, 25, 70, 150]  # 32 codes: 5 bits each
    for index, one in enumerate(content["scales"]):
        assert one["codes"] == progress.token_maps[index][1].flatten().tolist()
        assert len(one["colours"]) == len(one["likely"]) == len(one["entropy"]) == len(one["codes"])
        for code, others, chances in zip(one["codes"], one["others"], one["chances"], strict=True):
            assert len(set(others)) == 5 and code not in others
            assert chances == sorted(chances, reverse=True)
        assert one["picture"].startswith("data:image/png;base64,")
    assert content["names"] == ["start", "scale 2", "scale 3", "scale 4"]
    for row in content["attention"]:
        assert sum(row) == pytest.approx(1, abs=1e-3)
    assert view.report == "30 tokens, 150 bits, judged as animal, cat, flat"


def test_any_picture_is_opened_and_one_drawn_here_is_judged_by_its_recipe(
    handlers: InsideHandlers, progress: JobProgress, tmp_path: Path
) -> None:
    view = handlers.open(noise(tmp_path / "mine.png"))
    assert not view.is_wished and handlers.values_of(view) == {}
    assert "PSNR" in view.report and "judged as a picture of anything" in view.report
    recipe = progress.recipes(handlers.engine.info)[0]
    write_png(tmp_path / "cat.png", progress.frames[-1][0], recipe)
    view = handlers.open(str(tmp_path / "cat.png"))
    assert view.is_wished and view.inside.wish == progress.wishes[0]
    values = handlers.values_of(view)
    assert values == {"category": "animal", "emoji": "cat", "style": "flat"}


def test_words_of_a_drawing_go_back_into_the_controls() -> None:
    engine = tiny_engine(make_prompted())
    handlers = InsideHandlers(engine, str)
    settings = read_settings(engine.info, {}, 3, None, "in the snow, a fox", "a pizza")
    progress = list(engine.generate(count_up(settings, 1)))[-1]
    view = handlers.look(progress, 0)
    values = handlers.values_of(view)
    assert (values["prompt"], values["negative_prompt"]) == ("in the snow, a fox", "a pizza")
    assert json.loads(view.content)["names"][:3] == ["a fox", "in the snow", "no phrase"]
    assert json.loads(view.content)["phrases"] == 4


def test_patches_begin_with_the_token_that_is_there(
    handlers: InsideHandlers, progress: JobProgress
) -> None:
    view = handlers.look(progress, 0)
    patches = json.loads(handlers.patches(view, 3, 1, 2))
    code = int(progress.token_maps[2][0, 1, 2])
    others = json.loads(view.content)["scales"][2]["others"][1 * 3 + 2]
    assert patches["codes"] == [code, *others]
    assert (patches["scale"], patches["row"], patches["column"]) == (3, 1, 2)
    assert len(set(patches["patches"])) == len(patches["pictures"]) == 6


def test_drawing_on_keeps_the_scales_and_the_chosen_token(
    handlers: InsideHandlers, progress: JobProgress, tmp_path: Path
) -> None:
    view = handlers.look(progress, 0)
    token = (int(progress.token_maps[2][0, 1, 2]) + 5) % 32
    changed, scale = handlers.exchanged(view, 3, 1, 2, token)
    assert scale == 3
    draw = DrawHandlers(handlers.engine, tmp_path, str)
    moment = ask(draw, "prompt", progress=changed, scale=scale, **handlers.values_of(view))[-1]
    drawn = moment.progress
    assert drawn.wishes == progress.wishes[:1]
    wanted = [one[:1].clone() for one in progress.token_maps[:3]]
    wanted[2][0, 1, 2] = token
    assert all(map(torch.equal, drawn.token_maps, wanted))
    values, kept = draw.controls.from_recipe(file(moment))  # which draws it again
    assert all(map(torch.equal, kept, wanted)) and values["emoji"] == "cat"
    plain, _ = handlers.exchanged(view, 3, 1, 2, int(progress.token_maps[2][0, 1, 2]))
    assert all(map(torch.equal, plain.token_maps, (one[:1] for one in progress.token_maps)))


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ((4, 0, 0, 1), "nothing finer is left"),
        ((0, 0, 0, 1), "scale must be"),
        ((2, 2, 0, 1), "row must be"),
        ((2, 0, 1.5, 1), "column must be"),
        ((2, 0, 0, 32), "a token must be"),
        ((2, 0, 0, None), "a token must be"),
        (("2", 0, 0, 1), "scale must be"),
    ],
)
def test_a_call_with_odd_places_is_refused(
    place: tuple, message: str, handlers: InsideHandlers, progress: JobProgress
) -> None:
    view = handlers.look(progress, 0)
    with pytest.raises(ValueError, match=message):
        handlers.exchanged(view, *place)
    with pytest.raises(ValueError, match="there is no picture yet"):
        handlers.exchanged(None, *place)
    if place[0] != 4 and "token" not in message:
        with pytest.raises(ValueError, match=message):
            handlers.patches(view, *place[:3])
    with pytest.raises(ValueError, match="there is no picture yet"):
        handlers.patches(None, *place[:3])
