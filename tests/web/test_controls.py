"""Where the values of the page's controls come from."""

from pathlib import Path

import pytest
from PIL import Image

from var_core import SamplingOptions, VARPipeline
from var_core.jobs.output_files import save_pictures
from var_core.jobs.parsing import count_up
from var_core.jobs.png_recipe import write_png
from var_core.jobs.requests import Settings
from var_core.serving.local_engine import LocalEngine
from var_core.web.controls import OWN, PRESETS, Controls
from var_core.web.label_choices import ANY
from var_core.wishes import Wish

OPTIONS = SamplingOptions(guidance_scale=1.5, top_k=5, top_p=0.0, temperature=0.7, smooth=True)


@pytest.fixture
def controls(engine: LocalEngine) -> Controls:
    return Controls(engine.info)


def test_the_defaults_are_those_of_the_engine(controls: Controls) -> None:
    choice = controls.read(controls.defaults())
    assert choice.settings.options == controls.info.options
    assert choice.settings.wish == Wish(controls.labels.null)
    with pytest.raises(ValueError, match="the value of category is missing"):
        controls.read({"seed": 1})


def test_presets_are_valid_and_different(controls: Controls) -> None:
    found = {name: tuple(controls.preset(name).values()) for name in PRESETS}
    assert [controls.preset_of(controls.preset(name)) for name in PRESETS] == list(PRESETS)
    assert controls.preset_of({**controls.defaults(), "temperature": 0.5}) == OWN
    assert len(set(found.values())) == len(PRESETS)
    for guidance, temperature, top_k, top_p, smooth in found.values():
        SamplingOptions(
            guidance_scale=guidance,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            smooth=smooth,
        )
    with pytest.raises(ValueError, match="preset must be one of Balanced, "):
        controls.preset("Best")


def test_a_png_gives_its_settings_back(
    controls: Controls, pipeline: VARPipeline, tmp_path: Path
) -> None:
    settings = Settings(Wish((0, 0, 0)), 5, OPTIONS, (64, 64))
    *_, last = count_up(settings, 1).start(pipeline)
    (path,) = save_pictures(controls.info, last, tmp_path, with_recipe=True)
    found, kept = controls.from_recipe(path)
    assert kept == ()
    expected = {
        "category": "animal",
        "emoji": "cat",
        "style": "flat",
        "seed": 5,
        "count": 1,
        "guidance_scale": 1.5,
        "temperature": 0.7,
        "top_k": 5,
        "top_p": 0.0,
        "smooth": True,
        "precision": "fp32",
        "with_recipe": True,
    }
    assert found == expected


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (None, "holds no recipe"),
        (["labels"], r"recipe of it\.png is damaged"),
        ({"labels": {}, "model": "another"}, "drawn by model 'another'"),
        ({"labels": {}, "model": "tiny", "top_k": "many"}, "top_k must be"),
        ({"labels": {"emoji": "cow"}, "model": "tiny"}, "there is no emoji 'cow'"),
    ],
)
def test_a_png_of_elsewhere_is_refused(
    controls: Controls, tmp_path: Path, recipe: object, message: str
) -> None:
    path = tmp_path / "it.png"
    write_png(path, Image.new("RGB", (8, 8)), recipe)
    with pytest.raises(ValueError, match=message):
        controls.from_recipe(path)


def test_no_picture_at_all_is_refused(controls: Controls, tmp_path: Path) -> None:
    path = tmp_path / "text.png"
    path.write_text("no picture")
    with pytest.raises(ValueError, match="not a readable PNG"):
        controls.from_recipe(path)


def test_a_link_restores_what_it_can(controls: Controls) -> None:
    query = {"emoji": "cat", "style": "nothing", "seed": "9", "top_p": "0.25", "smooth": "true"}
    query |= {"count": "99", "temperature": "hot", "with_recipe": "no", "precision": "fp32"}
    values, refused = controls.from_query(query)
    assert values["emoji"] == "cat" and values["style"] == ANY
    assert values["category"] == "animal"
    assert (values["seed"], values["top_p"], values["smooth"]) == (9, 0.25, True)
    assert (values["count"], values["temperature"], values["with_recipe"]) == (1, 1.0, True)
    assert values["precision"] == "fp32"
    named = [sentence.split(" was")[0] for sentence in refused]
    assert named == [f"The link's {n}" for n in ("style", "count", "temperature", "with_recipe")]
