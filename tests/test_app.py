"""The handlers of the page, called as plain functions on a tiny model."""

from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from PIL import Image

import app
from var_core.pipeline import VARPipeline
from var_core.serving.recipe import read_recipe


@pytest.fixture
def studio(pipeline: VARPipeline, tmp_path: Path) -> app.Studio:
    return app.Studio(pipeline, "tiny", tmp_path)


def test_drawing_streams_every_scale_and_ends_with_a_file(studio: app.Studio) -> None:
    yielded = list(studio.draw("", "cat", "flat", 7, 2.0, 0.0))
    assert [status for _, _, status in yielded[:-1]] == [f"Scale {n} of 4" for n in (1, 2, 3)]
    path = Path(yielded[-1][0])
    assert read_recipe(path)["labels"] == {"category": "animal", "emoji": "cat", "style": "flat"}
    assert [strip.count("<img") for _, strip, _ in yielded] == [1, 2, 3, 4]


def test_the_recipe_of_the_page_is_enough_to_draw_its_picture_again(studio: app.Studio) -> None:
    path = Path(list(studio.draw("", "cat", "flat", 7, 2.0, 0.0))[-1][0])
    recipe = read_recipe(path)
    names = ("guidance_scale", "top_k", "top_p", "temperature", "smooth")
    again = studio.pipeline(
        [recipe["labels"]],
        **{name: recipe[name] for name in names},
        generator=app.generators_from_seeds([recipe["seed"]]),
    ).images[0]
    assert np.array_equal(np.asarray(Image.open(path)), np.asarray(again))


def test_the_same_seed_gives_the_same_file(studio: app.Studio) -> None:
    first, second = (Path(list(studio.draw("", "", "", 3, 2.0, 0.0))[-1][0]) for _ in range(2))
    assert first != second
    assert first.read_bytes() == second.read_bytes()


def test_previews_are_decodes_of_token_map_prefixes(studio: app.Studio) -> None:
    pipeline = studio.pipeline
    result = pipeline([("fruit", None, None)], 2.0, generator=[app.generators_from_seeds([5])[0]])
    yielded = list(studio.draw("fruit", "", "", 5, 2.0, 0.0))
    latents = pipeline.tokenizer.quantizer.sum_scales(result.token_maps)
    for (shown, _, _), latent in zip(yielded, latents, strict=True):
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
        list(studio.draw(*values))


def test_an_emoji_sets_its_category_and_a_category_opens_a_foreign_emoji(
    studio: app.Studio,
) -> None:
    assert studio.follow_emoji("fruit", "cat", "flat") == ["animal", "cat", "flat"]
    assert studio.follow_category("fruit", "cat", "flat") == ["fruit", "", "flat"]
    assert studio.follow_category("animal", "cat", "") == ["animal", "cat", ""]


def test_old_pictures_are_swept(studio: app.Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(list(studio.draw("", "", "", 1, 2.0, 0.0))[-1][0])
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
    drawing = [fn for fn in demo.fns.values() if fn.fn is not None and fn.fn.__name__ == "draw"]
    assert [fn.concurrency_id for fn in drawing] == ["engine"]
    assert demo.api_open is False
