"""The endpoints for programs: a real server, gradio's client and curl."""

import base64
import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from PIL import Image

from tests import clients
from tests.patience import LIMIT_SECONDS
from tests.server import ROOT
from var_core import VARPipeline, generators_from_seeds
from var_core.devices import pick_device, pick_dtype
from var_core.jobs.png_recipe import read_png_recipe

APPLE = {"thing": "apple", "style": "noto"}


@pytest.fixture(scope="module")
def client(url: str) -> Client:
    return Client(url, verbose=False)


@pytest.fixture(scope="module")
def drawn(client: Client) -> dict:
    return client.predict(labels=APPLE, seed=12, api_name="/generate")


def content(picture: str) -> bytes:
    head, _, text = picture.partition(",")
    assert head == "data:image/png;base64"
    return base64.b64decode(text)


def pixels(picture: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content(picture))).convert("RGB"))


def test_generate_gives_what_the_engine_draws(
    drawn: dict, small_scenes: Path, tmp_path: Path
) -> None:
    pipeline = VARPipeline.from_pretrained(small_scenes, pick_dtype(pick_device()))
    result = pipeline([APPLE], generator=generators_from_seeds([12]))
    assert np.array_equal(pixels(drawn["pictures"][0]), np.asarray(result.images[0]))
    assert drawn["token_maps"] == [tokens.tolist() for tokens in result.token_maps]
    assert drawn["labels"] == [{"style": "noto"}]
    (tmp_path / "apple.png").write_bytes(content(drawn["pictures"][0]))
    assert read_png_recipe(tmp_path / "apple.png")["seed"] == drawn["seeds"][0] == 12


def test_stream_yields_every_scale(client: Client, drawn: dict) -> None:
    steps = list(client.submit(labels=APPLE, seed=12, api_name="/stream"))
    assert [step["scale"] for step in steps] == list(range(1, steps[0]["total"] + 1))
    assert len({step["pictures"][0] for step in steps}) == len(steps)
    assert np.array_equal(pixels(steps[-1]["pictures"][0]), pixels(drawn["pictures"][0]))


def test_a_sheet_holds_what_generate_gives(client: Client, drawn: dict) -> None:
    sheet = client.predict(
        labels={"thing": "apple"},
        rows={"seed": [11, 12]},
        columns={"style": ["twemoji", "noto"]},
        api_name="/compare",
    )
    assert sheet["seeds"] == [11, 11, 12, 12]
    assert [label["style"] for label in sheet["labels"]] == ["twemoji", "noto"] * 2
    assert content(sheet["pictures"][3]) == content(drawn["pictures"][0])
    kept = client.predict(
        labels=APPLE,
        rows={"scales": [0, 3]},
        columns={"guidance_scale": [1.5, 4.0]},
        seed=12,
        token_maps=drawn["token_maps"],
        api_name="/compare",
    )
    assert content(kept["pictures"][0]) == content(drawn["pictures"][0])
    assert [maps[3] for maps in kept["token_maps"][:3]] == [
        maps[0] for maps in drawn["token_maps"][:3]
    ]


def test_redraw_keeps_the_first_scales(client: Client, drawn: dict) -> None:
    again = client.predict(
        token_maps=drawn["token_maps"],
        scale=3,
        labels={"thing": "apple", "style": "twemoji"},
        seed=5,
        api_name="/redraw",
    )
    assert again["token_maps"][:3] == drawn["token_maps"][:3]
    assert again["token_maps"][3:] != drawn["token_maps"][3:]


def test_tokenize_and_recipe_read_a_picture(client: Client, drawn: dict) -> None:
    tokens = client.predict(picture=drawn["pictures"][0], api_name="/tokenize")
    assert len(tokens["pictures"]) == len(tokens["token_maps"]) == len(tokens["bits"])
    assert len(tokens["psnr"]) == len(tokens["bits"]) and min(tokens["psnr"]) > 0
    recipe = client.predict(picture=drawn["pictures"][0], api_name="/recipe")
    assert recipe["labels"] == {"style": "noto"} and recipe["prompt"] == ["an apple"]
    about = client.predict(api_name="/about")
    assert "apple" in about["menus"]["thing"] and len(about["scales"]) == len(tokens["bits"])


@pytest.mark.parametrize("data", [(), (1,), (1, None), (1, None, None), (1, None, None, None)])
def test_a_raw_call_may_leave_out_values_at_its_end(url: str, drawn: dict, data: tuple) -> None:
    visitor = clients.Client(url)
    event = visitor.call("generate", APPLE, 12, *data)
    *_, (kind, said) = visitor.events("generate", event)
    assert kind == "complete" and said[0]["pictures"] == drawn["pictures"]


@pytest.mark.parametrize(
    ("data", "number"), [((), "1 to 6 values, not 0"), (({}, 1, 1, *[None] * 4), "6 values, not 7")]
)
def test_a_raw_call_with_too_few_or_too_many_values_is_told_how_many(
    url: str, data: tuple, number: str
) -> None:
    visitor = clients.Client(url)
    *_, (kind, said) = visitor.events("generate", visitor.call("generate", *data))
    assert kind == "error" and number in said["error"]


@pytest.mark.parametrize(
    ("endpoint", "values", "message"),
    [
        ("/generate", {"labels": {"thing": "aple"}}, "the nearest is 'apple'"),
        ("/generate", {"labels": {"colour": "red"}}, "a label has style, thing, place, time"),
        ("/generate", {"labels": ["red"]}, "labels must be an object"),
        ("/generate", {"labels": {}, "seed": 1.5}, "seed must be a whole number"),
        ("/generate", {"labels": {}, "count": 9}, "count must be a whole number from 1 to 8"),
        ("/generate", {"labels": {}, "options": {"top_q": 1}}, "options has guidance_scale,"),
        ("/generate", {"labels": {}, "options": {"top_p": "1"}}, "top_p must be a number"),
        ("/generate", {"labels": {}, "options": {"precision": "fp8"}}, "precision must be one of"),
        ("/compare", {"labels": {}, "rows": {"seed": []}, "columns": {}}, "1 to 8 values"),
        ("/redraw", {"token_maps": [], "scale": 1, "labels": {}}, "token_maps must be a list of"),
        ("/redraw", {"token_maps": [[[[1e9]]]] * 8, "scale": 1, "labels": {}}, "a token must be"),
        ("/tokenize", {"picture": "no picture"}, "picture is not base64"),
        ("/tokenize", {"picture": "aGVsbG8="}, "not a readable PNG, JPEG or WebP"),
        ("/recipe", {"picture": 7}, "picture must be base64"),
    ],
)
def test_bad_input_is_one_sentence(
    client: Client, endpoint: str, values: dict, message: str
) -> None:
    with pytest.raises(AppError, match=re.escape(message)) as caught:
        client.predict(**values, api_name=endpoint)
    assert str(ROOT) not in str(caught.value) and "Traceback" not in str(caught.value)


def readme_block(language: str, word: str) -> str:
    text = (ROOT / "var_core" / "serving" / "README.md").read_text("utf-8")
    blocks = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return next(block for block in blocks if word in block)


def test_the_client_example_of_the_readme_works(url: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = readme_block("python", "gradio_client").replace("http://127.0.0.1:7860", url)
    names: dict = {}
    exec(compile(code, "README.md", "exec"), names)
    inside = readme_block("python", "/look_inside")
    exec(compile(inside, "README.md", "exec"), names)
    assert len(names["inside"]["entropy"]) == len(names["drawing"]["token_maps"])
    with Image.open(tmp_path / "apple.png") as apple:
        assert apple.size == (256, 256)


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_the_curl_example_of_the_readme_works(url: str) -> None:
    code = readme_block("bash", "curl").replace("http://127.0.0.1:7860", url)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code],
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    last = [line for line in done.stdout.splitlines() if line.startswith("data: ")][-1]
    (drawing,) = json.loads(last.removeprefix("data: "))
    assert pixels(drawing["pictures"][0]).shape == (256, 256, 3)
