"""What the buttons of the Draw tab do, called as plain functions on a tiny model."""

import re
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.conftest import make_labels, make_tokenizer, make_transformer
from var_core import VARPipeline, generators_from_seeds
from var_core.jobs.parsing import read_settings, style_sheet
from var_core.jobs.png_recipe import read_png_recipe, write_png
from var_core.serving.local_engine import LocalEngine
from var_core.web.draw_handlers import DrawHandlers, DrawInputs
from var_core.web.history import MAX_ENTRIES, find_entry, forget, remember
from var_core.web.progress import Moment, Plan, stream


@pytest.fixture
def handlers(engine: LocalEngine, tmp_path: Path) -> DrawHandlers:
    return DrawHandlers(engine, tmp_path, str)


def ask(handlers: DrawHandlers, what: str = "pictures", **changes: object) -> list[Moment]:
    """Every moment of a drawing; what is not named stays at its default, without a pause."""
    values = {**handlers.controls.defaults(), "pause": 0.0}
    extra = {"guidances": "0, 2", "num_seeds": 2}
    for name, value in changes.items():
        (values if name in values else extra)[name] = value
    return shown(handlers, handlers.plan(what, DrawInputs(values, **extra)))


def shown(handlers: DrawHandlers, plan: Plan) -> list[Moment]:
    """Every moment of a planned drawing."""
    return list(stream(handlers.engine, plan, ""))


def pixels(picture: object) -> np.ndarray:
    return np.asarray(Image.open(picture) if isinstance(picture, str) else picture)


def test_drawing_streams_every_scale_and_ends_with_a_file(handlers: DrawHandlers) -> None:
    moments = ask(handlers, emoji="cat", style="flat")
    assert [moment.status for moment in moments[:-1]] == [f"Scale {n} of 4" for n in (1, 2, 3)]
    assert read_png_recipe(moments[-1].picture)["labels"] == {
        "category": "animal",
        "emoji": "cat",
        "style": "flat",
    }
    assert [moment.strip.count("<img") for moment in moments] == [1, 2, 3, 4]
    assert moments[-1].status.endswith("seed 7: animal, cat, flat")


def test_the_recipe_of_a_file_is_enough_to_draw_it_again(handlers: DrawHandlers) -> None:
    path = ask(handlers, emoji="cat", guidance_scale=2.0)[-1].picture
    recipe = read_png_recipe(path)
    names = ("guidance_scale", "top_k", "top_p", "temperature", "smooth")
    again = handlers.engine.pipeline("auto")(
        [recipe["labels"]],
        **{name: recipe[name] for name in names},
        generator=generators_from_seeds([recipe["seed"]]),
    ).images[0]
    assert np.array_equal(pixels(path), np.asarray(again))


def test_a_kept_seed_gives_the_same_file_and_another_one_else(handlers: DrawHandlers) -> None:
    first, second = (Path(ask(handlers, seed=3)[-1].picture) for _ in range(2))
    assert first != second
    assert first.read_bytes() == second.read_bytes()
    fresh = [ask(handlers, seed=3, keep_seed=False)[-1] for _ in range(2)]
    assert len({3, *(moment.seed for moment in fresh)}) == 3
    assert read_png_recipe(fresh[0].picture)["seed"] == fresh[0].seed


def test_a_file_without_recipe_has_no_text_chunk(handlers: DrawHandlers) -> None:
    path = ask(handlers, with_recipe=False)[-1].picture
    assert read_png_recipe(path) is None
    with Image.open(path) as picture:
        assert picture.info == {}


def test_the_scrubber_shows_decodes_of_token_map_prefixes(handlers: DrawHandlers) -> None:
    pipeline = handlers.engine.pipeline("auto")
    progress = ask(handlers, category="fruit", seed=5, guidance_scale=2.0)[-1].progress
    result = pipeline([("fruit", None, None)], 2.0, generator=generators_from_seeds([5]))
    latents = pipeline.tokenizer.quantizer.sum_scales(result.token_maps)
    for scale, latent in enumerate(latents, start=1):
        expected = pipeline._output(pipeline.decode_latent(latent), "pil")[0]
        assert np.array_equal(pixels(handlers.scrub(progress, scale)), np.asarray(expected))
    for scale in (0, 5, True):
        with pytest.raises(ValueError, match="scale must be a whole number from 1 to 4"):
            handlers.scrub(progress, scale)


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
def test_bad_input_is_refused_before_drawing(
    handlers: DrawHandlers, changes: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ask(handlers, **changes)
    assert list(handlers.files.folder.iterdir()) == []


def test_several_pictures_are_those_of_their_seeds(handlers: DrawHandlers) -> None:
    last = ask(handlers, emoji="cat", seed=5, count=3)[-1]
    assert len(last.files) == 3 and last.picture == last.files[0]
    links = re.findall(r'href="gradio_api/file=([^"]+)" download="([^"]+)"', last.tiles)
    assert [path for path, _ in links[:3]] == list(last.files)
    assert [name for _, name in links] == [*(Path(one).name for one in last.files), "sheet.png"]
    assert ask(handlers, emoji="cat")[-1].tiles == ""  # takes the tiles of the run before away
    for path, seed in zip(last.files, (5, 6, 7), strict=True):
        alone = ask(handlers, emoji="cat", seed=seed)[-1].picture
        assert Path(path).read_bytes() == Path(alone).read_bytes()
    assert len(last.progress.frames) == 4


def test_a_style_sheet_has_every_style_from_one_seed(handlers: DrawHandlers) -> None:
    progress = ask(handlers, "styles", emoji="cat", style="flat", seed=5)[-1].progress
    assert progress.labels == ((0, 0, 0), (0, 0, 1), (0, 0, 2))
    assert progress.request.seeds == (5, 5, 5)
    assert progress.request.captions == ("flat", "round", "3d")
    open_emoji = ask(handlers, "styles", seed=5)[-1].progress.labels
    assert len({label[:2] for label in open_emoji}) == 1 and open_emoji[0][1] < 4


def test_too_many_styles_are_refused(class_pipeline: VARPipeline) -> None:
    with pytest.raises(ValueError, match="at most 8 pictures, not 10"):
        style_sheet(
            class_pipeline.info, read_settings(class_pipeline.info, {"class": "0"}, 1, None)
        )


def test_each_picture_of_a_grid_is_the_one_of_its_guidance_and_seed(handlers: DrawHandlers) -> None:
    last = ask(handlers, "grid", emoji="cat", seed=5, guidances="0, 2.5", num_seeds=2)[-1]
    assert len(last.files) == len(set(last.files)) == 4
    pairs = [(guidance, seed) for guidance in (0.0, 2.5) for seed in (5, 6)]
    for path, (guidance, seed) in zip(last.files, pairs, strict=True):
        alone = ask(handlers, emoji="cat", seed=seed, guidance_scale=guidance)[-1].picture
        assert Path(path).read_bytes() == Path(alone).read_bytes()
    assert last.progress.request.columns == 2


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
def test_a_bad_grid_is_refused(handlers: DrawHandlers, changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ask(handlers, "grid", **changes)


def test_redrawing_keeps_the_scales_up_to_the_scrubber(handlers: DrawHandlers) -> None:
    progress = ask(handlers, emoji="cat", style="flat", seed=5)[-1].progress
    last = ask(
        handlers, "rest", emoji="dog", style="3d", seed=6, progress=progress, scale=2, top_k=3
    )[-1]
    assert last.progress.labels == ((0, 1, 2),)
    assert last.progress.request.seeds == (6,)
    assert last.progress.request.options[0].top_k == 3  # of the page as it is now
    assert all(map(torch.equal, progress.token_maps[:2], last.progress.token_maps[:2]))
    assert not torch.equal(progress.token_maps[3], last.progress.token_maps[3])
    kept = [tokens.flatten().tolist() for tokens in progress.token_maps[:2]]
    assert read_png_recipe(last.picture)["kept"] == kept
    smooth = ask(handlers, smooth=True)[-1].progress
    for state, scale, message in (
        (None, 2, "press Draw first"),
        (progress, 4, "nothing is left to draw after the last scale"),
        (progress, 0, "scale must be a whole number from 1 to 3"),
        (smooth, 2, "no tokens to keep"),
    ):
        with pytest.raises(ValueError, match=message):
            ask(handlers, "rest", progress=state, scale=scale)


def test_a_stopped_picture_can_be_gone_on_from(handlers: DrawHandlers) -> None:
    half = ask(handlers, emoji="cat", seed=5)[1].progress
    assert len(half.frames) == 2
    last = ask(handlers, "rest", emoji="cat", seed=6, progress=half, scale=2)[-1].progress
    assert all(map(torch.equal, half.token_maps, last.token_maps[:2]))
    with pytest.raises(ValueError, match="scale must be a whole number from 1 to 2, got 3"):
        ask(handlers, "rest", progress=half, scale=3)


def test_a_several_pictures_branch_keeps_each_its_own_scales(handlers: DrawHandlers) -> None:
    progress = ask(handlers, count=3, seed=5)[-1].progress
    last = ask(handlers, "rest", style="3d", seed=9, progress=progress, scale=2)[-1].progress
    assert all(map(torch.equal, progress.token_maps[:2], last.token_maps[:2]))
    alone = handlers.engine.pipeline("auto")(
        [(None, None, "3d")],
        generator=generators_from_seeds([10]),
        keep=[tokens[1:2] for tokens in progress.token_maps[:2]],
    )
    assert np.array_equal(np.asarray(alone.images[0]), np.asarray(last.frames[-1][1]))


def test_a_png_of_a_branch_brings_its_kept_scales_back(
    handlers: DrawHandlers, tmp_path: Path
) -> None:
    progress = ask(handlers, emoji="cat", style="flat", seed=5)[-1].progress
    path = ask(handlers, "rest", emoji="dog", style="3d", seed=6, progress=progress, scale=2)[
        -1
    ].picture
    values, moment = handlers.restore(path)
    assert moment.scale == 2 and "first 2 scales" in moment.status
    again = ask(handlers, "rest", **values, progress=moment.progress, scale=moment.scale)[-1]
    assert Path(again.picture).read_bytes() == Path(path).read_bytes()
    whole, moment = handlers.restore(ask(handlers, emoji="cat")[-1].picture)
    assert moment.progress is None and whole["emoji"] == "cat"
    recipe = read_png_recipe(path)
    for kept in ([[99]], [[1], [1, 2]], "ab", [[1.5]], [[0]] * 9, [[2**70]], 7):
        write_png(tmp_path / "bad.png", Image.new("RGB", (8, 8)), {**recipe, "kept": kept})
        with pytest.raises(ValueError, match=r"the recipe of bad\.png is damaged"):
            handlers.restore(str(tmp_path / "bad.png"))


def test_the_history_draws_an_entry_again_to_the_byte(handlers: DrawHandlers) -> None:
    first = ask(handlers, emoji="cat", keep_seed=False)[-1]
    second = ask(
        handlers, "rest", style="3d", progress=first.progress, scale=2, history=first.history
    )[-1]
    third = ask(handlers, smooth=True, history=second.history)[-1]
    assert len(third.history) == 3
    for place, moment in enumerate((first, second, third)):
        again = shown(handlers, handlers.plan_again(place, third.history))[-1]
        assert Path(again.picture).read_bytes() == Path(moment.picture).read_bytes()
        assert again.history is None  # nothing new to remember
        assert third.history[place].values["seed"] == moment.seed
    with pytest.raises(ValueError, match="the history holds no picture 3"):
        handlers.plan_again(3, third.history)
    with pytest.raises(ValueError, match="nothing has been drawn yet"):
        handlers.plan_again(0, ())


def test_an_entry_keeps_its_number_when_others_go(handlers: DrawHandlers) -> None:
    history = ask(handlers, seed=1)[-1].history
    for seed in range(2, MAX_ENTRIES + 2):  # one more than are kept
        history = remember(history, replace(history[0], words=f"picture {seed}"))
    assert [entry.number for entry in history] == list(range(1, MAX_ENTRIES + 1))
    shorter = forget(history, 5)
    assert find_entry(shorter, 6).words == find_entry(history, 6).words == "picture 7"
    for number in (0, 5, True, "6", None):
        with pytest.raises(ValueError, match="the history holds no picture"):
            find_entry(shorter, number)


def test_what_was_drawn_before_stop_is_said_and_shown(handlers: DrawHandlers) -> None:
    half = ask(handlers, count=3, seed=5)[1]
    assert half.tiles.count("<img") == 3 and half.selected == 0
    shown = handlers.stopped(half.progress)
    assert (shown.status, shown.scale) == ("Stopped after scale 2 of 4", 2)
    assert np.array_equal(pixels(shown.picture), np.asarray(shown.progress.frames[1][0]))
    assert shown.tiles.count("data-edit") == 3 and "seed7" not in shown.tiles
    whole = ask(handlers, seed=5)[-1].progress
    for before in (None, whole):  # nothing of the new run is there yet
        assert handlers.stopped(before) == Moment(status="Stopped: nothing new was drawn")


def test_each_of_several_pictures_is_looked_at_and_used(handlers: DrawHandlers) -> None:
    progress = ask(handlers, count=3, seed=5)[-1].progress
    shown = handlers.select(progress, 2, 3)
    assert np.array_equal(pixels(shown.picture), np.asarray(progress.frames[2][2]))
    assert shown.strip.count("<img") == 4 and shown.selected == 2
    path = handlers.frame_file(progress, 4, 1)
    assert np.array_equal(pixels(path), np.asarray(progress.frames[3][1]))
    assert "seed6" in handlers.animate(progress, 1)
    for place in (3, -1, "1", None, True):
        with pytest.raises(ValueError, match="place must be a whole number from 0 to 2"):
            handlers.select(progress, place, 3)
        with pytest.raises(ValueError, match="place must be a whole number from 0 to 2"):
            handlers.frame_file(progress, 3, place)


def test_the_history_forgets_the_oldest(handlers: DrawHandlers) -> None:
    history = ask(handlers, seed=1)[-1].history * MAX_ENTRIES
    longer = ask(handlers, seed=2, history=history)[-1].history
    assert len(longer) == MAX_ENTRIES and longer[-1].request.seeds == (2,)


def test_the_archive_holds_every_picture(handlers: DrawHandlers) -> None:
    history = ask(handlers, emoji="cat", seed=1)[-1].history
    last = ask(handlers, emoji="dog", count=2, seed=1, history=history)[-1]
    with zipfile.ZipFile(handlers.archive(last.history)) as archive:
        names = archive.namelist()
        found = [archive.read(name) for name in names]
    files = [file for entry in last.history for file in entry.files]
    assert found == [Path(file).read_bytes() for file in files]
    assert names[0].startswith("001-animal-cat-") and len(set(names)) == 3
    with pytest.raises(ValueError, match="press Draw first"):
        handlers.archive(())


def test_the_animation_has_a_frame_for_every_scale(handlers: DrawHandlers) -> None:
    progress = ask(handlers, emoji="cat")[-1].progress
    with Image.open(handlers.animate(progress)) as moving:
        assert moving.n_frames == 4 and moving.format == "WEBP"
        moving.seek(3)
        shown = np.asarray(moving.convert("RGB").resize(progress.frames[-1][0].size), np.float64)
    assert np.abs(shown - np.asarray(progress.frames[-1][0], np.float64)).mean() < 12
    with pytest.raises(ValueError, match="press Draw first"):
        handlers.animate(None)


def test_a_picture_is_used_as_input_at_its_scale(handlers: DrawHandlers) -> None:
    progress = ask(handlers, emoji="cat", count=2)[-1].progress
    assert np.array_equal(
        pixels(handlers.frame_file(progress, 3)), np.asarray(progress.frames[2][0])
    )
    with pytest.raises(ValueError, match="press Draw first"):
        handlers.frame_file(None, 1)


def test_another_precision_is_loaded_once(tmp_path: Path) -> None:
    asked = []

    def load(dtype: torch.dtype) -> VARPipeline:
        asked.append(dtype)
        return VARPipeline(make_tokenizer(), make_transformer(), make_labels()).to(dtype)

    info = VARPipeline(make_tokenizer(), make_transformer(), make_labels()).info
    handlers = DrawHandlers(LocalEngine(info, load), tmp_path, str)
    for precision in ("auto", "fp32", "bf16", "bf16"):
        path = ask(handlers, precision=precision)[-1].picture
    assert asked == [torch.float32, torch.bfloat16]
    assert read_png_recipe(path)["dtype"] == "bfloat16"
