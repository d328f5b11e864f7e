"""The handlers of the page, called as plain functions on a tiny model."""

from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from PIL import Image

import app
from var_core import generators_from_seeds
from var_core.pipeline import VARPipeline
from var_core.serving.recipe import read_recipe, write_png
from var_core.serving.runs import style_sheet


@pytest.fixture
def studio(pipeline: VARPipeline, tmp_path: Path) -> app.Studio:
    return app.Studio(pipeline, "tiny", tmp_path)


def draw(studio: app.Studio, *values: object, **changes: object) -> list[tuple]:
    """What the page shows for label values, seed, guidance and pause; further controls by name."""
    controls = [*values, *studio.defaults()[len(values) :]]
    for name, value in changes.items():
        controls[len(studio.names) + app.CONTROLS.index(name)] = value
    return list(studio.draw(*controls, None, 1))


def test_drawing_streams_every_scale_and_ends_with_a_file(studio: app.Studio) -> None:
    yielded = draw(studio, "", "cat", "flat", 7, 2.0, 0.0)
    assert [status for _, _, status, *_ in yielded[:-1]] == [f"Scale {n} of 4" for n in (1, 2, 3)]
    path = Path(yielded[-1][0])
    assert read_recipe(path)["labels"] == {"category": "animal", "emoji": "cat", "style": "flat"}
    assert [strip.count("<img") for _, strip, *_ in yielded] == [1, 2, 3, 4]


def test_the_recipe_of_the_page_is_enough_to_draw_its_picture_again(studio: app.Studio) -> None:
    path = Path(draw(studio, "", "cat", "flat", 7, 2.0, 0.0)[-1][0])
    recipe = read_recipe(path)
    names = ("guidance_scale", "top_k", "top_p", "temperature", "smooth")
    again = studio.pipeline(
        [recipe["labels"]],
        **{name: recipe[name] for name in names},
        generator=generators_from_seeds([recipe["seed"]]),
    ).images[0]
    assert np.array_equal(np.asarray(Image.open(path)), np.asarray(again))


def test_the_same_seed_gives_the_same_file(studio: app.Studio) -> None:
    first, second = (Path(draw(studio, "", "", "", 3, 2.0, 0.0)[-1][0]) for _ in range(2))
    assert first != second
    assert first.read_bytes() == second.read_bytes()


def test_previews_are_decodes_of_token_map_prefixes(studio: app.Studio) -> None:
    pipeline = studio.pipeline
    result = pipeline([("fruit", None, None)], 2.0, generator=[generators_from_seeds([5])[0]])
    yielded = draw(studio, "fruit", "", "", 5, 2.0, 0.0)
    latents = pipeline.tokenizer.quantizer.sum_scales(result.token_maps)
    for (shown, *_), latent in zip(yielded, latents, strict=True):
        image = Image.open(shown) if isinstance(shown, str) else shown
        expected = pipeline._output(pipeline.decode_latent(latent), "pil")[0]
        assert np.array_equal(np.asarray(image), np.asarray(expected))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("", "ct", "", 1, 2.0, 0.0), "nearest is 'cat'"),
        (("fruit", "cat", "", 1, 2.0, 0.0), "belongs to category 'animal'"),
        (("", "", "", -1, 2.0, 0.0), "seed must be"),
        (("", "", "", 1.5, 2.0, 0.0), "seed must be"),
        (("", "", "", None, 2.0, 0.0), "seed must be"),
        (("", "", "", 1, float("nan"), 0.0), "guidance_scale must be"),
        (("", "", "", 1, True, 0.0), "guidance_scale must be"),
        (("", "", "", 1, 2.0, 60.0), "pause must be"),
        ((3, "", "", 1, 2.0, 0.0), "category must be"),
    ],
)
def test_bad_input_becomes_a_clear_error(studio: app.Studio, values: tuple, message: str) -> None:
    with pytest.raises(gr.Error, match=message):
        draw(studio, *values)


def test_an_emoji_sets_its_category_and_a_category_opens_a_foreign_emoji(
    studio: app.Studio,
) -> None:
    assert studio.follow_emoji("fruit", "cat", "flat") == ["animal", "cat", "flat"]
    assert studio.follow_category("fruit", "cat", "flat") == ["fruit", "", "flat"]
    assert studio.follow_category("animal", "cat", "") == ["animal", "cat", ""]


def test_several_pictures_are_those_of_their_seeds(studio: app.Studio) -> None:
    last = draw(studio, "", "cat", "flat", 5, 2.0, 0.0, count=3)[-1]
    files = last[4].value
    assert len(files) == 3
    for file, seed in zip(files, (5, 6, 7), strict=True):
        path = file["path"] if isinstance(file, dict) else file
        alone = draw(studio, "", "cat", "flat", seed, 2.0, 0.0)[-1][0]
        assert np.array_equal(np.asarray(Image.open(path)), np.asarray(Image.open(alone)))
    assert len(last[5].frames) == 4


def test_a_style_sheet_has_every_style_from_one_seed(studio: app.Studio) -> None:
    controls = ["", "cat", "flat", 5, 2.0, 0.0, *studio.defaults()[6:]]
    run = list(studio.draw_styles(*controls, None, 1))[-1][5]
    assert run.labels == ((0, 0, 0), (0, 0, 1), (0, 0, 2))
    assert run.request.seeds == (5, 5, 5)
    with pytest.raises(ValueError, match="at most 8 pictures, not 1000"):
        style_sheet((0,), 1000, 1, run.request.options)


def test_redrawing_keeps_the_scales_up_to_the_scrubber(studio: app.Studio) -> None:
    run = draw(studio, "", "cat", "flat", 5, 2.0, 0.0)[-1][5]
    controls = ["", "dog", "3d", 5, 2.0, 0.0, *studio.defaults()[6:]]
    last = list(studio.redraw(*controls, run, 2))[-1]
    again = last[5]
    assert again.labels == ((0, 1, 2),)
    assert all(
        np.array_equal(old, new)
        for old, new in zip(run.token_maps[:2], again.token_maps, strict=False)
    )
    assert not np.array_equal(run.token_maps[3], again.token_maps[3])
    kept = [tokens.flatten().tolist() for tokens in run.token_maps[:2]]
    assert read_recipe(Path(last[0]))["kept"] == kept
    for state, scale, message in ((None, 2, "press Generate first"), (run, 4, "scale must be")):
        with pytest.raises(gr.Error, match=message):
            list(studio.redraw(*controls, state, scale))


def test_the_scrubber_shows_the_true_decodes(studio: app.Studio) -> None:
    run = draw(studio, "", "cat", "flat", 5, 2.0, 0.0)[-1][5]
    for scale in (1, 4):
        assert studio.scrub(run, scale) is run.frames[scale - 1][0]


def test_a_png_gives_its_settings_back(studio: app.Studio, tmp_path: Path) -> None:
    settings = {"temperature": 0.7, "top_k": 5, "top_p": 0.0, "smooth": True}
    path = draw(studio, "", "cat", "flat", 5, 1.5, 0.0, **settings)[-1][0]
    values = studio.restore(path)
    assert values[:5] == ["animal", "cat", "flat", 5, 1.5]
    assert values[7:] == [0.7, 5, 0.0, True]
    bare, broken, text = (tmp_path / name for name in ("bare.png", "broken.png", "text.png"))
    Image.new("RGB", (8, 8)).save(bare)
    write_png(broken, Image.new("RGB", (8, 8)), ["labels"])
    text.write_text("no picture")
    other = tmp_path / "other.png"
    write_png(other, Image.new("RGB", (8, 8)), {"labels": {}, "model": "another"})
    wrong = tmp_path / "wrong.png"
    write_png(wrong, Image.new("RGB", (8, 8)), {"labels": {}, "model": "tiny", "top_k": "many"})
    for file, message in (
        (bare, "holds no recipe"),
        (broken, "recipe of broken.png is damaged"),
        (text, "not a readable PNG"),
        (other, "drawn by model 'another'"),
        (wrong, "top_k must be"),
    ):
        with pytest.raises(ValueError, match=message):
            studio.restore(str(file))


def test_a_link_restores_what_it_can(studio: app.Studio) -> None:
    query = {"emoji": "cat", "style": "nothing", "seed": "9", "top_p": "0.25", "smooth": "true"}
    request = SimpleNamespace(query_params=query | {"count": "99", "temperature": "hot"})
    values = dict(zip([*studio.names, *app.CONTROLS], studio.from_link(request), strict=True))
    assert values["emoji"] == "cat" and values["style"] == ""
    assert values["category"] == "animal"
    assert (values["seed"], values["top_p"], values["smooth"]) == (9, 0.25, True)
    assert (values["count"], values["temperature"]) == (1, 1.0)


def test_old_pictures_are_swept(studio: app.Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(draw(studio, "", "", "", 1, 2.0, 0.0)[-1][0])
    studio.sweep()
    assert path.exists()
    monkeypatch.setattr(app, "KEEP_FILES_SECONDS", -1)
    studio.sweep()
    assert not path.exists()


def test_a_missing_model_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert app.main(["--model", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.startswith("error: there is no model folder")


def test_all_events_that_draw_share_one_place_and_bypass_is_closed(studio: app.Studio) -> None:
    demo = app.build_demo(studio)
    drawing = [fn for fn in demo.fns.values() if fn.fn is not None and fn.fn.__name__ == "handler"]
    assert [fn.concurrency_id for fn in drawing] == ["engine"] * 3
    assert demo.api_open is False
