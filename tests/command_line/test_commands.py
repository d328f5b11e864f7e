import io
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from tests.conftest import EMBEDDED_MODEL, make_tokenizer, make_transformer
from tests.patience import LIMIT_SECONDS
from tests.prompted_models import make_prompted
from var_core import (
    EditOptions,
    LabelSpace,
    Margins,
    SamplingOptions,
    VARPipeline,
    generators_from_seeds,
)
from var_core.command_line.main import _parser, main
from var_core.jobs.png_recipe import read_png_recipe
from var_core.labels import RESERVED_NAMES, Attribute


@pytest.fixture
def model(pipeline: VARPipeline, tmp_path: Path) -> Path:
    pipeline.save_pretrained(tmp_path / "tiny")
    return tmp_path / "tiny"


def test_generate_writes_a_picture_with_its_recipe(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "cat.png"
    command = ["generate", "--model", str(model), "--emoji", "cat", "--seed", "7"]
    assert main([*command, "--out", str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    recipe = read_png_recipe(out)
    assert recipe["seed"] == 7
    assert recipe["labels"] == {"category": "animal", "emoji": "cat", "style": None}
    first = out.read_bytes()
    main([*command, "--out", str(out)])
    assert out.read_bytes() == first


def test_count_numbers_files_and_seeds(model: Path, tmp_path: Path) -> None:
    command = ["generate", "--model", str(model), "--seed", "5", "--precision", "fp32"]
    assert main([*command, "--count", "2", "--out", str(tmp_path / "many.png")]) == 0
    assert read_png_recipe(tmp_path / "many-1.png")["seed"] == 6
    main([*command[:-3], "6", "--precision", "fp32", "--out", str(tmp_path / "one.png")])
    pictures = [np.asarray(Image.open(tmp_path / n)) for n in ("many-1.png", "one.png")]
    assert np.array_equal(*pictures)


def test_scales_dir_gets_every_preview(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "scales"
    out = tmp_path / "x.png"
    command = ["generate", "--model", str(model), "--seed", "1", "--out", str(out)]
    assert main([*command, "--scales-dir", str(folder)]) == 0
    names = sorted(path.name for path in folder.iterdir())
    assert names == [f"x-scale0{number}.png" for number in (1, 2, 3, 4)]
    last = np.asarray(Image.open(folder / names[-1]))
    assert np.array_equal(last, np.asarray(Image.open(out)))


def test_reconstruct_and_info(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    Image.new("RGB", (20, 30), "red").save(tmp_path / "in.png")
    out = tmp_path / "out.png"
    assert (
        main(["reconstruct", "--model", str(model), str(tmp_path / "in.png"), "--out", str(out)])
        == 0
    )
    with Image.open(out) as drawn:
        assert drawn.size == (8, 8)
    assert main(["info", "--model", str(model)]) == 0
    described = capsys.readouterr().out
    assert "1, 2, 3, 4 (30 tokens)" in described
    assert "..." not in described  # the labels are so few that all are listed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["generate", "--emoji", "ct"], "nearest is 'cat'"),
        (["generate", "--category", "fruit", "--emoji", "cat"], "belongs to category 'animal'"),
        (["generate", "--seed", "-1"], "seed must be a whole number from 0 to"),
        (["generate", "--count", "65"], "count must be a whole number from 1 to 64, got 65"),
        (
            ["generate", "--guidance", "nan"],
            "guidance_scale must be a number from 0 to 20",
        ),
        (["generate", "--top-k", "33"], "top_k must be a whole number from 0 to 32, got 33"),
        (["generate", "--top-p", "1.5"], "top_p"),
        (["generate", "--temperature", "inf"], "temperature"),
        (["reconstruct", "nowhere.png"], "there is no file nowhere.png"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_two(
    model: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture
) -> None:
    assert main([*arguments, "--model", str(model)]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert error[0].startswith("error: ") and message in error[0]


def test_a_missing_model_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["info", "--model", str(tmp_path / "none")]) == 2
    assert "there is no model folder" in capsys.readouterr().err


def test_weights_that_draw_no_numbers_are_one_sentence(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    path = model / "transformer" / "diffusion_pytorch_model.safetensors"
    weights = load_file(path)
    large = {name: one * 1e38 for name, one in weights.items() if one.is_floating_point()}
    save_file(weights | large, path)
    out = tmp_path / "picture.png"
    assert main(["generate", "--model", str(model), "--seed", "1", "--out", str(out)]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: logits are not finite")
    assert not out.exists()


def test_no_space_for_the_output_is_one_sentence(
    model: Path, capsys: pytest.CaptureFixture
) -> None:
    command = ["generate", "--model", str(model), "--seed", "1", "--out", "/dev/full/x.png"]
    assert main(command) == 3
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: cannot write")


def picture(tmp_path: Path) -> tuple[Path, Path]:
    """A picture and a mask of its middle."""
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    image, mask = tmp_path / "in.png", tmp_path / "mask.png"
    Image.fromarray(pixels).save(image)
    white = Image.new("L", (30, 20))
    white.paste(255, (10, 5, 20, 15))
    white.save(mask)
    return image, mask


def test_edit_outpaint_and_vary_write_what_the_pipeline_draws(model: Path, tmp_path: Path) -> None:
    image, mask = picture(tmp_path)
    pipeline, out = VARPipeline.from_pretrained(model), tmp_path / "out.png"
    shared = ["--model", str(model), "--image", str(image), "--emoji", "cat", "--seed", "3"]
    shared += ["--precision", "fp32", "--out", str(out)]
    label = [{"emoji": "cat"}]

    def seeded() -> dict:
        return {"class_labels": label, "generator": generators_from_seeds([3])}

    assert main(["edit", *shared, "--mask", str(mask), "--rule", "replay"]) == 0
    expected = pipeline.edit(
        Image.open(image), Image.open(mask), **seeded(), edit_options=EditOptions("replay")
    )
    assert np.array_equal(np.asarray(Image.open(out)), np.asarray(expected.images[0]))
    assert read_png_recipe(out) is None

    assert main(["outpaint", *shared, "--right", "8", "--top", "2"]) == 0
    expected = pipeline.outpaint(Image.open(image), Margins(right=8, top=2), **seeded())
    assert np.array_equal(np.asarray(Image.open(out)), np.asarray(expected.images[0]))

    assert main(["vary", *shared, "--keep-scales", "2", "--count", "2"]) == 0
    expected = pipeline.vary(Image.open(image), 2, **seeded())
    first = np.asarray(Image.open(tmp_path / "out-0.png"))
    assert np.array_equal(first, np.asarray(expected.images[0]))
    assert len(read_png_recipe(tmp_path / "out-1.png")["kept"]) == 2


def test_edits_that_cannot_be_are_one_sentence(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    image, _ = picture(tmp_path)
    Image.new("L", (30, 20)).save(tmp_path / "black.png")
    shared = ["--model", str(model), "--image", str(image)]
    for words, message in (
        (["edit", *shared, "--mask", str(tmp_path / "black.png")], "the mask is empty"),
        (["edit", *shared, "--mask", str(image.with_name("none.png"))], "there is no file"),
        (["outpaint", *shared], "nothing to add"),
        (["vary", *shared, "--keep-scales", "9"], "keep_scales must be"),
    ):
        assert main([*words, "--out", str(tmp_path / "never.png")]) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "never.png").exists()


def test_words_and_menus_are_flags(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    model = tmp_path / "prompted"
    make_prompted().save_pretrained(model)
    out = tmp_path / "x.png"
    command = ["generate", "--model", str(model), "--seed", "7", "--out", str(out)]
    assert main([*command, "--prompt", "in the snow, a fox", "--style", "flat"]) == 0
    typed, recipe = out.read_bytes(), read_png_recipe(out)
    assert recipe["prompt"] == ["in the snow", "a fox"] and recipe["labels"] == {"style": "flat"}
    assert main([*command, "--thing", "fox", "--place", "snow", "--style", "flat"]) == 0
    assert np.array_equal(Image.open(out), Image.open(io.BytesIO(typed)))
    words = ["--prompt", "a fox", "--negative-prompt", "a pizza"]
    assert main([*command, *words]) == 0 and read_png_recipe(out)["negative_prompt"] == ["a pizza"]
    capsys.readouterr()
    for flags, message in (
        (["--prompt", ""], "the prompt is empty"),
        (["--thing", "wolf"], "there is no thing 'wolf'"),
        (["--prompt", "1, 2, 3, 4, 5"], "at most 4 phrases"),
    ):
        assert main([*command, *flags]) == 2
        assert message in capsys.readouterr().err


def test_a_model_without_text_tells_how_it_understood_words(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "x.png"
    command = ["generate", "--model", str(model), "--out", str(out)]
    assert main([*command, "--prompt", "an apple"]) == 0
    assert "'an apple' was understood as emoji 'apple'" in capsys.readouterr().err
    assert read_png_recipe(out)["labels"]["emoji"] == "apple"


def numbered_model(tmp_path: Path) -> Path:
    """A model whose classes are called 0, 1, 10, 11, 2, ...: sorted as folders are."""
    names = tuple(sorted(str(number) for number in range(12)))
    labels = LabelSpace((Attribute("class", names),))
    VARPipeline(make_tokenizer(), make_transformer((12,)), labels).save_pretrained(tmp_path / "m")
    return tmp_path / "m"


@pytest.mark.parametrize("flags", [["--class", "2"], ["--attribute", "class=2"]])
def test_a_number_on_the_command_line_is_a_name(tmp_path: Path, flags: list[str]) -> None:
    out = tmp_path / "x.png"
    model = numbered_model(tmp_path)
    assert main(["generate", "--model", str(model), "--out", str(out), *flags]) == 0
    assert read_png_recipe(out)["labels"] == {"class": "2"}


@pytest.mark.parametrize(
    "name", ["seed", "a%d", "top-k", "out", "-x", "two words", "n" * 50, "loop", "no-smooth"]
)
def test_an_attribute_of_any_name_breaks_no_command(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture
) -> None:
    labels, model = LabelSpace((Attribute(name, ("cat", "dog")),)), tmp_path / "odd"
    networks = make_tokenizer(), make_transformer((2,))
    defaults = SamplingOptions(smooth=True)
    VARPipeline(*networks, labels, defaults=defaults).save_pretrained(model)
    command = ["generate", "--model", str(model), "--out", str(tmp_path / "x.png")]
    with pytest.raises(SystemExit, match="0"):
        main([*command, "--help"])
    assert main([*command, "--seed", "3", f"--attribute={name}=dog"]) == 0
    assert read_png_recipe(tmp_path / "x.png")["labels"] == {name: "dog"}
    assert main([*command, "--attribute", "nonsense"]) == 2
    assert "a label is like attribute=name" in capsys.readouterr().err


def test_all_options_of_drawing_commands_are_reserved() -> None:
    commands = _parser(EMBEDDED_MODEL)._subparsers
    assert commands is not None
    (choices,) = [action.choices for action in commands._group_actions]
    own = {"thing", "place", "time", "weather", "style"}
    for command in ("generate", "edit", "outpaint", "vary", "animate"):
        flags = [flag for flag in choices[command]._option_string_actions if flag[:2] == "--"]
        assert {flag[2:].replace("-", "_") for flag in flags} - own <= RESERVED_NAMES


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_a_picture_has_the_format_that_its_name_says(
    model: Path, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / f"x.{kind.lower()}"
    assert main(["generate", "--model", str(model), "--out", str(out)]) == 0
    with Image.open(out) as image:
        assert image.format == kind and image.size == (8, 8)
    capsys.readouterr()
    for command in (["generate"], ["reconstruct", str(out)]):
        wrong = tmp_path / "x.tiff"
        assert main([*command, "--model", str(model), "--out", str(wrong)]) == 2
        assert "written as .png, .jpg, .jpeg, .webp, not as .tiff" in capsys.readouterr().err
        assert not wrong.exists()


def run_command(
    *words: str, cwd: Path | None = None, **changes: str
) -> subprocess.CompletedProcess:
    environment = {"PYTHONPATH": str(EMBEDDED_MODEL.parents[2]), "PATH": "/usr/bin:/bin", **changes}
    command = [sys.executable, "-m", "var_core", *words]
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, timeout=LIMIT_SECONDS
    )


def test_a_picture_can_be_sent_to_the_output(model: Path, tmp_path: Path) -> None:
    done = run_command("generate", "--model", str(model), "--out", "/dev/stdout")
    assert done.returncode == 0, done.stderr
    with Image.open(io.BytesIO(done.stdout)) as image:
        assert image.size == (8, 8)
    assert done.stdout.endswith(b"IEND\xaeB`\x82")


def test_the_embedded_model_draws_from_any_folder_where_letters_are_ascii(tmp_path: Path) -> None:
    out = tmp_path / "größe.png"
    command = f"generate --thing bird --place grass --style noto --seed 7 --out {out}"
    ascii_only = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "1"}
    done = run_command(*command.split(), cwd=tmp_path, **ascii_only)
    assert done.returncode == 0, done.stderr
    with Image.open(out) as bird:
        assert bird.size == (256, 256)
    assert rb"gr\xf6\xdfe.png" in done.stdout
    assert b"xformers" not in done.stderr.lower() and not re.search(b"warn", done.stderr, re.I)


def test_ctrl_c_is_quiet(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("var_core.command_line.picture_commands.load_pipeline", interrupt)
    assert main(["generate", "--model", str(model)]) == 130
    assert capsys.readouterr() == ("", "")


def test_a_pipe_in_a_model_folder_is_refused(model: Path, capsys: pytest.CaptureFixture) -> None:
    for name in ("labels.json", "model_index.json", "tokenizer/config.json"):
        path = model / name
        content = path.read_bytes()
        path.unlink()
        os.mkfifo(path)
        assert main(["generate", "--model", str(model), "--out", "never.png"]) == 2
        assert f"{name} is no file" in capsys.readouterr().err
        path.unlink()
        path.write_bytes(content)


def test_a_transparent_mask_means_what_is_painted_white(model: Path, tmp_path: Path) -> None:
    image, mask = picture(tmp_path)
    strokes = np.zeros((20, 30, 4), np.uint8)
    strokes[5:15, 10:20] = 255
    clear = tmp_path / "clear.png"
    Image.fromarray(strokes).save(clear)
    drawn = []
    for one in (mask, clear):
        command = ["edit", "--model", str(model), "--image", str(image), "--mask", str(one)]
        assert main([*command, "--seed", "3", "--out", str(tmp_path / "x.png")]) == 0
        drawn.append((tmp_path / "x.png").read_bytes())
    assert drawn[0] == drawn[1]


def test_an_empty_name_and_a_folder_as_file_are_refused(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    for more, message in (
        (["--emoji", ""], "there is no emoji ''"),
        (["--out", ""], ". is a folder: a picture file needs a name"),
        (["--out", str(tmp_path)], f"{tmp_path} is a folder: --out is the name of"),
    ):
        assert main(["generate", "--model", str(model), *more]) == 2
        assert capsys.readouterr().err.startswith(f"error: {message}")
