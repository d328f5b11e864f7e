"""What the buttons of the page do, called as plain functions on a tiny model."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.conftest import make_labels, make_tokenizer, make_transformer
from var_core import VARPipeline, generators_from_seeds
from var_core.jobs.parsing import read_settings, style_sheet
from var_core.jobs.png_recipe import read_recipe, write_png
from var_core.serving.engine import LocalEngine
from var_core.web.draw_handlers import Moment, Studio
from var_core.web.history import MAX_ENTRIES


@pytest.fixture
def studio(pipeline: VARPipeline, tmp_path: Path) -> Studio:
    return Studio(LocalEngine(pipeline.info, lambda dtype: pipeline), "tiny", tmp_path)


def ask(studio: Studio, what: str = "pictures", **changes: object) -> list[Moment]:
    """Every moment of a drawing; what is not named stays at its default, without a pause."""
    values = dict(zip(studio.controls.names, studio.controls.defaults(), strict=True))
    extra = {
        "keep_seed": True,
        "run": None,
        "scale": 1,
        "guidances": "0, 2",
        "num_seeds": 2,
        "history": (),
    }
    for name, value in {"pause": 0.0, **changes}.items():
        (values if name in values else extra)[name] = value
    return list(studio.draw(what, *values.values(), *extra.values()))


def pixels(picture: object) -> np.ndarray:
    return np.asarray(Image.open(picture) if isinstance(picture, str) else picture)


def test_drawing_streams_every_scale_and_ends_with_a_file(studio: Studio) -> None:
    moments = ask(studio, emoji="cat", style="flat")
    assert [moment.status for moment in moments[:-1]] == [f"Scale {n} of 4" for n in (1, 2, 3)]
    assert read_recipe(moments[-1].picture)["labels"] == {
        "category": "animal",
        "emoji": "cat",
        "style": "flat",
    }
    assert [moment.strip.count("<img") for moment in moments] == [1, 2, 3, 4]
    assert moments[-1].status.endswith("seed 7: animal, cat, flat")


def test_the_recipe_of_a_file_is_enough_to_draw_it_again(studio: Studio) -> None:
    path = ask(studio, emoji="cat", guidance_scale=2.0)[-1].picture
    recipe = read_recipe(path)
    names = ("guidance_scale", "top_k", "top_p", "temperature", "smooth")
    again = studio.engine.pipeline("auto")(
        [recipe["labels"]],
        **{name: recipe[name] for name in names},
        generator=generators_from_seeds([recipe["seed"]]),
    ).images[0]
    assert np.array_equal(pixels(path), np.asarray(again))


def test_a_kept_seed_gives_the_same_file_and_another_one_else(studio: Studio) -> None:
    first, second = (Path(ask(studio, seed=3)[-1].picture) for _ in range(2))
    assert first != second
    assert first.read_bytes() == second.read_bytes()
    fresh = [ask(studio, seed=3, keep_seed=False)[-1] for _ in range(2)]
    assert len({3, *(moment.seed for moment in fresh)}) == 3
    assert read_recipe(fresh[0].picture)["seed"] == fresh[0].seed


def test_a_file_without_recipe_has_no_text_chunk(studio: Studio) -> None:
    path = ask(studio, with_recipe=False)[-1].picture
    assert read_recipe(path) is None
    assert Image.open(path).info == {}


def test_the_scrubber_shows_decodes_of_token_map_prefixes(studio: Studio) -> None:
    pipeline = studio.engine.pipeline("auto")
    run = ask(studio, category="fruit", seed=5, guidance_scale=2.0)[-1].run
    result = pipeline([("fruit", None, None)], 2.0, generator=generators_from_seeds([5]))
    latents = pipeline.tokenizer.quantizer.sum_scales(result.token_maps)
    for scale, latent in enumerate(latents, start=1):
        expected = pipeline._output(pipeline.decode_latent(latent), "pil")[0]
        assert np.array_equal(pixels(studio.scrub(run, scale)), np.asarray(expected))
    for scale in (0, 5, True):
        with pytest.raises(ValueError, match="scale must be a whole number from 1 to 4"):
            studio.scrub(run, scale)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"emoji": "ct"}, "nearest is 'cat'"),
        ({"category": "fruit", "emoji": "cat"}, "belongs to category 'animal'"),
        ({"seed": -1}, "seed must be"),
        ({"seed": 1.5}, "seed must be"),
        ({"seed": None}, "type a seed from 0 to"),
        ({"guidance_scale": float("nan")}, "guidance_scale must be"),
        ({"guidance_scale": True}, "guidance_scale must be"),
        ({"pause": 60.0}, "pause must be"),
        ({"category": 3}, "category must be"),
        ({"precision": "fp8"}, "precision must be one of auto, fp32, bf16"),
        ({"with_recipe": 1}, "with_recipe must be true or false"),
        ({"count": 9}, "count must be a whole number from 1 to 8"),
    ],
)
def test_bad_input_is_refused_before_drawing(studio: Studio, changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ask(studio, **changes)
    assert list(studio.folder.iterdir()) == []


def test_several_pictures_are_those_of_their_seeds(studio: Studio) -> None:
    last = ask(studio, emoji="cat", seed=5, count=3)[-1]
    assert len(last.files) == 3 and Path(last.picture).name == "sheet.png"
    for path, seed in zip(last.files, (5, 6, 7), strict=True):
        alone = ask(studio, emoji="cat", seed=seed)[-1].picture
        assert Path(path).read_bytes() == Path(alone).read_bytes()
    assert len(last.run.frames) == 4


def test_a_style_sheet_has_every_style_from_one_seed(studio: Studio) -> None:
    run = ask(studio, "styles", emoji="cat", style="flat", seed=5)[-1].run
    assert run.labels == ((0, 0, 0), (0, 0, 1), (0, 0, 2))
    assert run.request.seeds == (5, 5, 5)
    assert run.request.captions == ("flat", "round", "3d")
    open_emoji = ask(studio, "styles", seed=5)[-1].run.labels
    assert len({label[:2] for label in open_emoji}) == 1 and open_emoji[0][1] < 4


def test_too_many_styles_are_refused(class_pipeline: VARPipeline) -> None:
    with pytest.raises(ValueError, match="at most 8 pictures, not 10"):
        style_sheet(class_pipeline.info, read_settings(class_pipeline.info, {"class": 0}, 1, None))


def test_each_picture_of_a_grid_is_the_one_of_its_guidance_and_seed(studio: Studio) -> None:
    last = ask(studio, "grid", emoji="cat", seed=5, guidances="0, 2.5", num_seeds=2)[-1]
    assert len(last.files) == len(set(last.files)) == 4
    pairs = [(guidance, seed) for guidance in (0.0, 2.5) for seed in (5, 6)]
    for path, (guidance, seed) in zip(last.files, pairs, strict=True):
        alone = ask(studio, emoji="cat", seed=seed, guidance_scale=guidance)[-1].picture
        assert Path(path).read_bytes() == Path(alone).read_bytes()
    assert last.run.request.columns == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"guidances": "much"}, "numbers with commas between them, not 'much'"),
        ({"guidances": ""}, "takes 1 to 4 different guidance values"),
        ({"guidances": "1,2,3,4,5"}, "takes 1 to 4 different guidance values"),
        ({"guidances": "1,1"}, "takes 1 to 4 different guidance values"),
        ({"guidances": "21"}, "guidance_scale must be a number from 0 to 20"),
        ({"guidances": "nan"}, "guidance_scale must be"),
        ({"num_seeds": 5}, "num_seeds must be a whole number from 1 to 4"),
        ({"seed": 2**32 - 1}, "seed must be"),
    ],
)
def test_a_bad_grid_is_refused(studio: Studio, changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ask(studio, "grid", **changes)


def test_redrawing_keeps_the_scales_up_to_the_scrubber(studio: Studio) -> None:
    run = ask(studio, emoji="cat", style="flat", seed=5)[-1].run
    last = ask(studio, "rest", emoji="dog", style="3d", seed=6, run=run, scale=2, top_k=3)[-1]
    assert last.run.labels == ((0, 1, 2),)
    assert last.run.request.seeds == (6,)
    assert last.run.request.options[0].top_k == 3  # of the page as it is now
    assert all(map(torch.equal, run.token_maps[:2], last.run.token_maps[:2]))
    assert not torch.equal(run.token_maps[3], last.run.token_maps[3])
    kept = [tokens.flatten().tolist() for tokens in run.token_maps[:2]]
    assert read_recipe(last.picture)["kept"] == kept
    smooth = ask(studio, smooth=True)[-1].run
    for state, scale, message in (
        (None, 2, "press Generate first"),
        (run, 4, "nothing is left to draw after the last scale"),
        (run, 0, "scale must be a whole number from 1 to 3"),
        (smooth, 2, "no tokens to keep"),
    ):
        with pytest.raises(ValueError, match=message):
            ask(studio, "rest", run=state, scale=scale)


def test_a_stopped_picture_can_be_gone_on_from(studio: Studio) -> None:
    half = ask(studio, emoji="cat", seed=5)[1].run
    assert len(half.frames) == 2
    last = ask(studio, "rest", emoji="cat", seed=6, run=half, scale=2)[-1].run
    assert all(map(torch.equal, half.token_maps, last.token_maps[:2]))
    with pytest.raises(ValueError, match="scale must be a whole number from 1 to 2, got 3"):
        ask(studio, "rest", run=half, scale=3)


def test_a_several_pictures_branch_keeps_each_its_own_scales(studio: Studio) -> None:
    run = ask(studio, count=3, seed=5)[-1].run
    last = ask(studio, "rest", style="3d", seed=9, run=run, scale=2)[-1].run
    assert all(map(torch.equal, run.token_maps[:2], last.token_maps[:2]))
    alone = studio.engine.pipeline("auto")(
        [(None, None, "3d")],
        generator=generators_from_seeds([10]),
        keep=[tokens[1:2] for tokens in run.token_maps[:2]],
    )
    assert np.array_equal(np.asarray(alone.images[0]), np.asarray(last.frames[-1][1]))


def test_a_png_of_a_branch_brings_its_kept_scales_back(studio: Studio, tmp_path: Path) -> None:
    run = ask(studio, emoji="cat", style="flat", seed=5)[-1].run
    path = ask(studio, "rest", emoji="dog", style="3d", seed=6, run=run, scale=2)[-1].picture
    values, moment = studio.restore(path)
    assert moment.scale == 2 and "first 2 scales" in moment.status
    named = dict(zip(studio.controls.names, values, strict=True))
    again = ask(studio, "rest", **named, run=moment.run, scale=moment.scale)[-1]
    assert Path(again.picture).read_bytes() == Path(path).read_bytes()
    whole, moment = studio.restore(ask(studio, emoji="cat")[-1].picture)
    assert moment.run is None and "cat" in whole
    recipe = read_recipe(path)
    for kept in ([[99]], [[1], [1, 2]], "ab", [[1.5]], [[0]] * 9, [[2**70]], 7):
        write_png(tmp_path / "bad.png", Image.new("RGB", (8, 8)), {**recipe, "kept": kept})
        with pytest.raises(ValueError, match=r"the recipe of bad\.png is damaged"):
            studio.restore(str(tmp_path / "bad.png"))


def test_the_history_draws_an_entry_again_to_the_byte(studio: Studio) -> None:
    first = ask(studio, emoji="cat", keep_seed=False)[-1]
    second = ask(studio, "rest", style="3d", run=first.run, scale=2, history=first.history)[-1]
    third = ask(studio, smooth=True, history=second.history)[-1]
    assert len(third.history) == 3
    for place, moment in enumerate((first, second, third)):
        again = list(studio.draw_again(place, third.history))[-1]
        assert Path(again.picture).read_bytes() == Path(moment.picture).read_bytes()
        assert again.history is None  # nothing new to remember
        values = dict(zip(studio.controls.names, third.history[place].values, strict=True))
        assert values["seed"] == moment.seed
    with pytest.raises(ValueError, match="place must be a whole number from 0 to 2"):
        list(studio.draw_again(3, third.history))
    with pytest.raises(ValueError, match="nothing has been drawn yet"):
        list(studio.draw_again(0, ()))


def test_the_history_forgets_the_oldest(studio: Studio) -> None:
    history = ask(studio, seed=1)[-1].history * MAX_ENTRIES
    longer = ask(studio, seed=2, history=history)[-1].history
    assert len(longer) == MAX_ENTRIES and longer[-1].request.seeds == (2,)


def test_the_archive_holds_every_picture(studio: Studio) -> None:
    history = ask(studio, emoji="cat", seed=1)[-1].history
    last = ask(studio, emoji="dog", count=2, seed=1, history=history)[-1]
    with zipfile.ZipFile(studio.archive(last.history)) as archive:
        names = archive.namelist()
        found = [archive.read(name) for name in names]
    files = [file for entry in last.history for file in entry.files]
    assert found == [Path(file).read_bytes() for file in files]
    assert names[0].startswith("001-animal-cat-") and len(set(names)) == 3
    with pytest.raises(ValueError, match="press Generate first"):
        studio.archive(())


def test_the_animation_has_a_frame_for_every_scale(studio: Studio) -> None:
    run = ask(studio, emoji="cat")[-1].run
    with Image.open(studio.animate(run)) as moving:
        assert moving.n_frames == 4 and moving.format == "WEBP"
        moving.seek(3)
        shown = np.asarray(moving.convert("RGB").resize(run.frames[-1][0].size), np.float64)
    assert np.abs(shown - np.asarray(run.frames[-1][0], np.float64)).mean() < 12
    with pytest.raises(ValueError, match="press Generate first"):
        studio.animate(None)


def test_the_tokenizer_tab_reconstructs_and_branches(studio: Studio, tmp_path: Path) -> None:
    path = tmp_path / "mine.png"
    noise = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    strip, tokens, sentence, result = studio.tokenize(str(path))
    assert strip.count("<img") == tokens.count("<img") == 4
    assert result.bits == (5, 25, 70, 150) and "150 bits" in sentence  # 32 codes: 5 bits each
    size = studio.engine.info.image_size
    frame, error = studio.look(result, 2)
    assert np.array_equal(pixels(frame), np.asarray(result.frames[1]))
    assert pixels(error).shape == (size, size, 3)
    moment = studio.branch_off(result, 4)
    assert moment.scale == 3  # the last scale has nothing to draw after it
    last = ask(studio, "rest", emoji="cat", run=moment.run, scale=3)[-1].run
    assert all(map(torch.equal, result.token_maps[:3], last.token_maps[:3]))
    with pytest.raises(ValueError, match="drop one first"):
        studio.branch_off(None, 1)


def test_a_picture_is_used_as_input_at_its_scale(studio: Studio) -> None:
    run = ask(studio, emoji="cat", count=2)[-1].run
    assert np.array_equal(pixels(studio.frame_file(run, 3)), np.asarray(run.frames[2][0]))
    with pytest.raises(ValueError, match="press Generate first"):
        studio.frame_file(None, 1)


def test_another_precision_is_loaded_once(tmp_path: Path) -> None:
    asked = []

    def load(dtype: torch.dtype) -> VARPipeline:
        asked.append(dtype)
        return VARPipeline(make_tokenizer(), make_transformer(), make_labels()).to(dtype)

    info = VARPipeline(make_tokenizer(), make_transformer(), make_labels()).info
    studio = Studio(LocalEngine(info, load), "tiny", tmp_path)
    for precision in ("auto", "fp32", "bf16", "bf16"):
        path = ask(studio, precision=precision)[-1].picture
    assert asked == [torch.float32, torch.bfloat16]
    assert read_recipe(path)["dtype"] == "bfloat16"
