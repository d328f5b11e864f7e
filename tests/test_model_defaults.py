"""A model states its own default options once; whoever draws with it draws with them."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from tests.conftest import EMBEDDED_MODEL, make_labels, make_tokenizer, make_transformer
from var_core import CheckpointError, Margins, SamplingOptions, VARPipeline, generators_from_seeds
from var_core.command_line.main import main
from var_core.jobs.parsing import read_settings
from var_core.jobs.png_recipe import read_png_recipe
from var_core.model_info import OPTIONS_KEY, read_model_info
from var_core.web.controls import BALANCED, PRESETS, Controls

OWN = SamplingOptions(guidance_scale=6.0, top_k=7)
PHOTO = Image.linear_gradient("L").convert("RGB")
CAT = [{"emoji": "cat"}]


@pytest.fixture
def own() -> VARPipeline:
    """A tiny pipeline with options of its own."""
    return VARPipeline(make_tokenizer(), make_transformer(), make_labels(), defaults=OWN)


@pytest.fixture
def folder(own: VARPipeline, tmp_path: Path) -> Path:
    own.save_pretrained(tmp_path / "tiny")
    return tmp_path / "tiny"


def stated(folder: Path) -> object:
    return json.loads((folder / "model_index.json").read_text()).get(OPTIONS_KEY)


def state(folder: Path, options: object) -> None:
    path = folder / "model_index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {OPTIONS_KEY: options}))


def test_the_index_states_what_is_not_usual(
    own: VARPipeline, folder: Path, pipeline: VARPipeline, tmp_path: Path
) -> None:
    assert stated(folder) == {"guidance_scale": 6.0, "top_k": 7}
    pipeline.save_pretrained(tmp_path / "usual")
    assert stated(tmp_path / "usual") is None
    again = VARPipeline.from_pretrained(folder)
    assert again.info.options == read_model_info(folder).options == OWN
    assert VARPipeline.from_pretrained(tmp_path / "usual").info.options.guidance_scale == 1.5
    again.save_pretrained(tmp_path / "again")
    assert stated(tmp_path / "again") == stated(folder)


def test_the_embedded_model_states_its_guidance() -> None:
    assert stated(EMBEDDED_MODEL) == {"guidance_scale": 4.0}
    assert read_model_info(EMBEDDED_MODEL).defaults == SamplingOptions(guidance_scale=4.0)


def test_a_changed_pipeline_keeps_its_defaults_and_may_get_others(own: VARPipeline) -> None:
    assert VARPipeline.from_pipe(own).info.options == OWN
    wild = VARPipeline.from_pipe(own, defaults=SamplingOptions(temperature=2.0))
    assert wild.info.options == SamplingOptions(temperature=2.0, top_k=32)
    with pytest.raises(ValueError, match="defaults must be of type SamplingOptions, got 3"):
        VARPipeline.from_pipe(own, defaults=3)


METHODS: dict[str, Callable] = {
    "draw": lambda pipeline, **more: pipeline.draw(CAT, **more).token_maps[-1],
    "stream": lambda pipeline, **more: list(pipeline.stream(CAT, **more))[-1].token_maps[-1],
    "edit": lambda pipeline, **more: pipeline.edit(
        PHOTO, PHOTO.point(lambda level: 255), CAT, **more
    ).token_maps[-1],
    "outpaint": lambda pipeline, **more: pipeline.outpaint(
        PHOTO, Margins(left=128), CAT, **more
    ).token_maps[-1],
    "vary": lambda pipeline, **more: pipeline.vary(PHOTO, 1, CAT, **more).token_maps[-1],
}


@pytest.mark.parametrize("method", METHODS)
def test_every_method_draws_with_the_defaults_of_the_model(
    own: VARPipeline, pipeline: VARPipeline, method: str
) -> None:
    def drawn(pipeline: VARPipeline, **more: object) -> torch.Tensor:
        return METHODS[method](pipeline, generator=generators_from_seeds([4]), **more)

    assert torch.equal(drawn(own), drawn(pipeline, options=OWN))
    assert not torch.equal(drawn(own), drawn(pipeline))
    usual = SamplingOptions()
    assert torch.equal(drawn(own, options=usual), drawn(pipeline))


def test_a_call_that_names_one_option_leaves_the_others_to_the_model(
    own: VARPipeline, pipeline: VARPipeline
) -> None:
    def drawn(pipeline: VARPipeline, **more: Any) -> torch.Tensor:
        return pipeline(CAT, generator=generators_from_seeds([4]), **more).token_maps[-1]

    both = {"guidance_scale": 6.0, "top_k": 7}
    assert torch.equal(drawn(own, top_k=2), drawn(pipeline, guidance_scale=6.0, top_k=2))
    assert torch.equal(drawn(own), drawn(pipeline, **both))
    assert not torch.equal(drawn(own, guidance_scale=0), drawn(own))


def test_page_and_calls_begin_with_them(own: VARPipeline) -> None:
    shown = {one.name: one.default for one in own.info.option_fields}
    assert (shown["guidance_scale"], shown["top_k"], shown["top_p"]) == (6.0, 7, 0.5)
    controls = Controls(own.info)
    assert controls.defaults()["guidance_scale"] == 6.0
    assert controls.preset(BALANCED)["top_k"] == 7
    values, _ = controls.from_query({"emoji": "cat"})
    assert controls.read(values).settings.options == OWN
    assert read_settings(own.info, {}, 1, {"top_p": 0.1}).options == replace(OWN, top_p=0.1)


def test_presets_follow_the_guidance_of_the_model(own: VARPipeline, pipeline: VARPipeline) -> None:
    usual, ours = Controls(pipeline.info), Controls(own.info)
    guidance = [
        tuple(controls.preset(name)["guidance_scale"] for controls in (usual, ours))
        for name in PRESETS
    ]
    assert guidance == [(1.5, 6.0), (2.5, 10.0), (1.0, 4.0), (0.0, 0.0), (1.5, 6.0)]
    strong = VARPipeline.from_pipe(own, defaults=SamplingOptions(guidance_scale=19.0))
    assert Controls(strong.info).preset("Faithful")["guidance_scale"] == 20.0


def test_the_command_line_says_and_takes_them(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    model = ["--model", str(folder)]
    with pytest.raises(SystemExit, match="0"):
        main(["generate", *model, "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "from 0 to 20; default: 6)" in said and "0 is off (from 0 to 65536; default: 7)" in said
    assert main(["info", *model]) == 0
    assert "guidance_scale 6.0, temperature 1.0, top_k 7" in capsys.readouterr().out
    out = tmp_path / "cat.png"
    assert main(["generate", *model, "--seed", "1", "--top-p", "0.2", "--out", str(out)]) == 0
    recipe = read_png_recipe(out) or {}
    assert [recipe[name] for name in ("guidance_scale", "top_k", "top_p")] == [6.0, 7, 0.2]


def test_a_switch_that_is_on_by_default_can_be_turned_off(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    state(folder, {"smooth": True})
    for more, is_smooth in (([], True), (["--no-smooth"], False)):
        out = tmp_path / "cat.png"
        command = ["generate", "--model", str(folder), "--seed", "1", "--out", str(out), *more]
        assert main(command) == 0
        assert (read_png_recipe(out) or {})["smooth"] is is_smooth


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([3], r"sampling_options of .*model_index.json: it must be an object.*got \[3\]"),
        (None, "it must be an object of names to values, got None"),
        ({"guidance": 3}, "there are guidance_scale, .*, smooth, not 'guidance'"),
        ({"guidance_scale": 30}, "guidance_scale must be a number from 0 to 20, got 30"),
        ({"guidance_scale": "3"}, "guidance_scale must be a number from 0 to 20, got '3'"),
        ({"temperature": float("nan")}, "temperature must be a number from 0.01 to 10, got nan"),
        ({"top_k": 33}, "top_k must be a whole number from 0 to 32, got 33"),
        ({"smooth": 1}, "smooth must be true or false, got 1"),
    ],
)
def test_bad_values_are_one_sentence_when_a_model_is_loaded(
    folder: Path, options: object, message: str, capsys: pytest.CaptureFixture
) -> None:
    state(folder, options)
    for load in (VARPipeline.from_pretrained, read_model_info):
        with pytest.raises(CheckpointError, match=message):
            load(folder)
    assert main(["generate", "--model", str(folder), "--out", "never.png"]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1 and said[0].startswith("error: ")
