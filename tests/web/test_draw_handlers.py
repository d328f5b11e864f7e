"""What the buttons of the Draw tab do, called as plain functions on a tiny model."""

import base64
import io
import itertools
import json
import urllib.parse
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.conftest import make_labels, make_tokenizer, make_transformer
from var_core import VARPipeline, generators_from_seeds
from var_core.jobs.png_recipe import read_png_recipe, write_png
from var_core.serving.local_engine import LocalEngine
from var_core.web.draw_handlers import DrawHandlers, DrawInputs
from var_core.web.feed import ON_STAGE
from var_core.web.orders import Order, read_order
from var_core.web.progress import Moment


@pytest.fixture
def handlers(engine: LocalEngine, tmp_path: Path) -> DrawHandlers:
    return DrawHandlers(engine, tmp_path, str)


def ask(handlers: DrawHandlers, what: str = "pictures", **changes: object) -> list[Moment]:
    """Every moment of a drawing, without its announcement; defaults for what is not named."""
    values = handlers.controls.defaults()
    extra: dict[str, object] = {}
    for name, value in changes.items():
        (values if name in values else extra)[name] = value
    return list(handlers.stream(handlers.order(what, DrawInputs(values, **extra))))[1:]


def told(moment: Moment) -> dict:
    """All that the stage was told until a moment."""
    lines: dict = {}
    for line in moment.stage.splitlines():
        lines |= json.loads(line)
    return lines


def files(moment: Moment) -> list[str]:
    """The PNG files on the stage."""
    return [urllib.parse.unquote(url).split("file=")[1] for url, _ in told(moment)["files"]]


def file(moment: Moment) -> str:
    """The PNG file of the first picture."""
    return files(moment)[0]


def again(handlers: DrawHandlers, query: str) -> list[str]:
    """The files of what the query of a link draws."""
    order, refused = read_order(handlers.controls, dict(urllib.parse.parse_qsl(query)))
    assert refused == []
    return files(list(handlers.stream(order))[-1])


def pixels(picture: object) -> np.ndarray:
    return np.asarray(Image.open(picture) if isinstance(picture, str) else picture)


def test_drawing_streams_every_scale_and_ends_with_a_file(handlers: DrawHandlers) -> None:
    moments = ask(handlers, emoji="cat", style="flat")
    assert [moment.status for moment in moments[:-1]] == [f"Scale {n} of 4" for n in (1, 2, 3)]
    assert read_png_recipe(file(moments[-1]))["labels"] == {
        "category": "animal",
        "emoji": "cat",
        "style": "flat",
    }
    assert [told(moment)["scale"] for moment in moments] == [1, 2, 3, 4]
    assert len(told(moments[-1])["frames"]) == 4
    assert moments[-1].status.endswith("seed 7: animal, cat, flat")


def test_the_stage_gets_only_what_is_new(handlers: DrawHandlers) -> None:
    order = handlers.order("pictures", DrawInputs({**handlers.controls.defaults(), "count": 3}))
    texts = [moment.stage for moment in handlers.stream(order)]
    assert all(later.startswith(text) for text, later in itertools.pairwise(texts))
    first = json.loads(texts[0])
    assert (first["count"], first["shapes"]) == (3, [[side, side] for side in (1, 2, 3, 4)])
    assert "pictures" not in first


def test_the_recipe_of_a_file_is_enough_to_draw_it_again(handlers: DrawHandlers) -> None:
    path = file(ask(handlers, emoji="cat", guidance_scale=2.0)[-1])
    recipe = read_png_recipe(path)
    names = ("guidance_scale", "top_k", "top_p", "temperature", "smooth")
    again = handlers.engine.pipeline("auto")(
        [recipe["labels"]],
        **{name: recipe[name] for name in names},
        generator=generators_from_seeds([recipe["seed"]]),
    ).images[0]
    assert np.array_equal(pixels(path), np.asarray(again))


def test_a_kept_seed_gives_the_same_file_and_another_one_else(handlers: DrawHandlers) -> None:
    first, second = (Path(file(ask(handlers, seed=3)[-1])) for _ in range(2))
    assert first != second
    assert first.read_bytes() == second.read_bytes()
    fresh = [ask(handlers, seed=3, keep_seed=False)[-1] for _ in range(2)]
    assert len({3, *(moment.seed for moment in fresh)}) == 3
    assert read_png_recipe(file(fresh[0]))["seed"] == fresh[0].seed


def test_a_file_without_recipe_has_no_text_chunk(handlers: DrawHandlers) -> None:
    path = file(ask(handlers, with_recipe=False)[-1])
    assert read_png_recipe(path) is None
    with Image.open(path) as picture:
        assert picture.info == {}


def test_the_scales_are_decodes_of_token_map_prefixes(handlers: DrawHandlers) -> None:
    pipeline = handlers.engine.pipeline("auto")
    last = ask(handlers, category="fruit", seed=5, guidance_scale=2.0)[-1]
    result = pipeline([("fruit", None, None)], 2.0, generator=generators_from_seeds([5]))
    latents = pipeline.tokenizer.quantizer.sum_scales(result.token_maps)
    for scale, latent in enumerate(latents, start=1):
        expected = pipeline._output(pipeline.decode_latent(latent), "pil")[0]
        shown = io.BytesIO(base64.b64decode(told(last)["frames"][scale - 1].split(",")[1]))
        assert np.array_equal(np.asarray(Image.open(shown)), np.asarray(expected))
        path = handlers.frame_file(last.progress, scale)
        assert np.array_equal(pixels(path), np.asarray(expected))
    for scale in (0, 5, True):
        with pytest.raises(ValueError, match="scale must be a whole number from 1 to 4"):
            handlers.frame_file(last.progress, scale)


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
    assert len(files(last)) == 3 and told(last)["sheet"][1] == "sheet.png"
    assert [name for _, name in told(last)["files"]] == [Path(one).name for one in files(last)]
    assert told(ask(handlers, emoji="cat")[-1])["sheet"] is None
    for path, seed in zip(files(last), (5, 6, 7), strict=True):
        alone = file(ask(handlers, emoji="cat", seed=seed)[-1])
        assert Path(path).read_bytes() == Path(alone).read_bytes()
    assert len(last.progress.frames) == 4


def test_what_a_sheet_leaves_open_stays_open(handlers: DrawHandlers) -> None:
    sides = (("seed", "5, 6"), ("style", "flat, round, 3d"))
    labels = ask(handlers, "sheet", sides=sides)[-1].progress.labels
    assert [label[2] for label in labels] == [0, 1, 2] * 2
    assert {label[:2] for label in labels} == {(2, 4)}


def test_each_picture_of_a_sheet_is_the_one_of_its_row_and_column(handlers: DrawHandlers) -> None:
    sides = (("guidance_scale", "0, 2.5"), ("seed", "5, 6"))
    last = ask(handlers, "sheet", emoji="cat", style="flat", sides=sides)[-1]
    assert len(files(last)) == len(set(files(last))) == 4
    pairs = [(guidance, seed) for guidance in (0.0, 2.5) for seed in (5, 6)]
    for path, (guidance, seed) in zip(files(last), pairs, strict=True):
        changes = {"emoji": "cat", "style": "flat", "seed": seed, "guidance_scale": guidance}
        alone = file(ask(handlers, **changes)[-1])
        assert Path(path).read_bytes() == Path(alone).read_bytes()
    assert told(last)["axes"] == [["guidance 0", "guidance 2.5"], ["seed 5", "seed 6"]]
    assert told(last)["captions"][2] == "guidance 2.5, seed 5"


def test_a_sheet_keeps_scales_of_the_picture_on_the_stage(handlers: DrawHandlers) -> None:
    progress = ask(handlers, emoji="cat", style="flat", seed=5, count=2)[-1].progress
    sides = (("scales", "0, 1, 3"), ("style", "round, 3d"))
    changes = {"emoji": "dog", "seed": 6, "sides": sides}
    last = ask(handlers, "sheet", progress=progress, place=1, **changes)[-1]
    for place, kept in enumerate((0, 0, 1, 1, 3, 3)):
        maps = [
            torch.equal(before[1], after[place])
            for before, after in zip(progress.token_maps, last.progress.token_maps, strict=True)
        ]
        assert all(maps[:kept]) and not maps[3]
    recipe = read_png_recipe(files(last)[4])
    assert len(recipe["kept"]) == 3 and "kept" not in read_png_recipe(files(last)[0])
    with pytest.raises(ValueError, match="draw one first"):
        ask(handlers, "sheet", **changes)


def test_a_sheet_as_a_file_draws_itself_again(handlers: DrawHandlers) -> None:
    progress = ask(handlers, emoji="cat", style="flat", seed=5)[-1].progress
    sides = (("scales", "0, 2"), ("temperature", "0.5, 1.5"))
    last = ask(handlers, "sheet", emoji="dog", style="3d", progress=progress, sides=sides)[-1]
    path = urllib.parse.unquote(told(last)["sheet"][0]).split("file=")[1]
    order, words = handlers.restore(path)
    assert order.sides == sides and "sheet" in words
    repeated = list(handlers.stream(order))[-1]
    assert [Path(one).read_bytes() for one in files(repeated)] == [
        Path(one).read_bytes() for one in files(last)
    ]
    query = json.loads(handlers.opening(order))["open"]
    assert again(handlers, query) and "rows=scales" in query
    recipe = read_png_recipe(path)
    for damaged in (7, {}, {"rows": {"seed": [1]}}, {"rows": {}, "columns": {}}):
        write_png(Path(path), Image.new("RGB", (8, 8)), {**recipe, "compare": damaged})
        with pytest.raises(ValueError, match=r"the recipe of sheet\.png is damaged"):
            handlers.restore(path)


@pytest.mark.parametrize(
    ("sides", "message"),
    [
        ((("guidance_scale", "much"), ("seed", "1")), "write numbers with commas .* not 'much'"),
        ((("guidance_scale", ""), ("seed", "1")), "Guidance takes a list of 1 to 8 values"),
        ((("guidance_scale", "1,1"), ("seed", "1")), "Guidance has the same value twice"),
        ((("guidance_scale", "21"), ("seed", "1")), "guidance_scale must be a number from 0 to 20"),
        ((("guidance_scale", "nan"), ("seed", "1")), "guidance_scale must be"),
        ((("seed", "1,2,3,4,5,6,7,8,9"), ("style", "3d")), "1 to 8 values"),
        ((("seed", "1,2,3,4,5,6"), ("style", "flat,round,3d")), "at most 16 pictures, not 18"),
        ((("seed", "1"), ("seed", "2")), "rows and columns must differ"),
        ((("seed", str(2**32)), ("style", "3d")), "seed must be"),
        ((("style", "3e"), ("seed", "1")), "no style '3e'; the nearest is '3d'"),
        ((("emoji", "cat"), ("category", "fruit")), "Emoji and Category decide each other"),
        ((("colour", "red"), ("seed", "1")), "a compared setting must be one of category,"),
    ],
)
def test_a_bad_sheet_is_refused(
    handlers: DrawHandlers, sides: tuple[tuple[str, str], ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ask(handlers, "sheet", sides=sides)


def test_redrawing_keeps_the_scales_up_to_the_scrubber(handlers: DrawHandlers) -> None:
    progress = ask(handlers, emoji="cat", style="flat", seed=5)[-1].progress
    last = ask(
        handlers, "prompt", emoji="dog", style="3d", seed=6, progress=progress, scale=2, top_k=3
    )[-1]
    assert last.progress.labels == ((0, 1, 2),)
    assert last.progress.request.seeds == (6,)
    assert last.progress.request.options[0].top_k == 3  # of the page as it is now
    assert all(map(torch.equal, progress.token_maps[:2], last.progress.token_maps[:2]))
    assert not torch.equal(progress.token_maps[3], last.progress.token_maps[3])
    kept = [tokens.flatten().tolist() for tokens in progress.token_maps[:2]]
    assert read_png_recipe(file(last))["kept"] == kept
    smooth = ask(handlers, smooth=True)[-1].progress
    for state, scale, message in (
        (None, 2, "draw one first"),
        (progress, 4, "scale must be a whole number from 1 to 3"),
        (progress, 0, "scale must be a whole number from 1 to 3"),
        (smooth, 2, "no tokens to keep"),
    ):
        for what in ("prompt", "rest"):
            with pytest.raises(ValueError, match=message):
                ask(handlers, what, progress=state, scale=scale)


def test_a_picture_is_drawn_on_by_its_own_wish(handlers: DrawHandlers) -> None:
    progress = ask(handlers, style="flat", seed=5, count=3, top_k=3)[-1].progress
    for what, count, kept in (("again", 1, 0), ("vary", 4, 2), ("rest", 1, 3)):
        last = ask(handlers, what, emoji="dog", progress=progress, place=1, scale=3)[-1].progress
        assert set(last.labels) == {progress.labels[1]}  # not the emoji of the controls
        assert len(last.labels) == count and last.request.options[0].top_k == 3
        assert not {5, 6, 7} & set(last.request.seeds)
        for before, after in zip(progress.token_maps[:kept], last.token_maps, strict=False):
            assert all(torch.equal(before[1], tokens) for tokens in after)
        assert len(last.request.keep) == kept


def test_a_stopped_picture_can_be_gone_on_from(handlers: DrawHandlers) -> None:
    half = ask(handlers, emoji="cat", seed=5)[1].progress
    assert len(half.frames) == 2
    last = ask(handlers, "prompt", emoji="cat", seed=6, progress=half, scale=2)[-1].progress
    assert all(map(torch.equal, half.token_maps, last.token_maps[:2]))
    with pytest.raises(ValueError, match="scale must be a whole number from 1 to 2, got 3"):
        ask(handlers, "prompt", progress=half, scale=3)


def test_several_pictures_go_on_from_one(handlers: DrawHandlers) -> None:
    progress = ask(handlers, count=3, seed=5)[-1].progress
    changes = {"style": "3d", "seed": 9, "count": 2, "place": 1}
    last = ask(handlers, "prompt", **changes, progress=progress, scale=2)[-1].progress
    for before, after in zip(progress.token_maps[:2], last.token_maps, strict=False):
        assert all(torch.equal(before[1], tokens) for tokens in after)
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
    changes = {"emoji": "dog", "style": "3d", "seed": 6, "progress": progress, "scale": 2}
    path = file(ask(handlers, "prompt", **changes)[-1])
    order, sentence = handlers.restore(path)
    assert "first 2 scales" in sentence
    repeated = file(list(handlers.stream(order))[-1])
    assert Path(repeated).read_bytes() == Path(path).read_bytes()
    whole, _ = handlers.restore(file(ask(handlers, emoji="cat")[-1]))
    assert whole.kept == () and whole.values["emoji"] == "cat"
    recipe = read_png_recipe(path)
    for kept in ([[99]], [[1], [1, 2]], "ab", [[1.5]], [[0]] * 9, [[2**70]], 7):
        write_png(tmp_path / "bad.png", Image.new("RGB", (8, 8)), {**recipe, "kept": kept})
        with pytest.raises(ValueError, match=r"the recipe of bad\.png is damaged"):
            handlers.restore(str(tmp_path / "bad.png"))


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("pictures", {"emoji": "cat", "count": 2, "guidance_scale": 0.30000000000000004}),
        ("pictures", {"smooth": True, "keep_seed": False}),
        ("sheet", {"category": "fruit", "sides": (("seed", "4, 5"), ("style", "flat\n3d"))}),
        ("sheet", {"sides": (("guidance_scale", "0, 1.5"), ("emoji", "cat, dog"))}),
        ("prompt", {"emoji": "dog", "count": 2, "scale": 3}),
        ("vary", {}),
    ],
)
def test_a_link_draws_the_very_pictures_again(
    handlers: DrawHandlers, what: str, changes: dict
) -> None:
    if what in ("prompt", "vary"):
        changes = {**changes, "progress": ask(handlers, emoji="cat", seed=5)[-1].progress}
    last = ask(handlers, what, **changes)[-1]
    found = [Path(one).read_bytes() for one in files(last)]
    assert [Path(one).read_bytes() for one in again(handlers, told(last)["query"])] == found
    for content, query in zip(found, told(last)["queries"], strict=True):
        (alone,) = again(handlers, query)
        assert Path(alone).read_bytes() == content


def test_a_link_is_the_same_whether_numbers_come_whole_or_not(handlers: DrawHandlers) -> None:
    values = {**handlers.controls.defaults(), "guidance_scale": 2.0}
    queries = {Order(one).query() for one in (values, {**values, "guidance_scale": 2})}
    assert len(queries) == 1
    order, _ = read_order(handlers.controls, dict(urllib.parse.parse_qsl(queries.pop())))
    assert order.query() == Order(values).query()


def test_what_is_wrong_in_a_link_is_left_out_with_a_sentence(handlers: DrawHandlers) -> None:
    progress = ask(handlers, seed=5)[-1].progress
    last = ask(handlers, "prompt", emoji="cat", progress=progress, scale=2)[-1]
    query = dict(urllib.parse.parse_qsl(told(last)["query"]))
    for changes in (
        {"rows": "everything"},
        {"rows": "seed", "rows_values": "1", "columns": "style"},
        {"rows": "seed", "rows_values": "\u00b2", "columns": "style", "columns_values": "3d"},
        *({"kept": text} for text in ("nAA", "x" + query["kept"], "n" + "_" * 9999, "n\u00e4")),
        {"kept": query["kept"] + "_" * 40},
        {"kept": query["kept"], "smooth": "true", "temperature": "much"},
        {"seed": "9" * 5000},
    ):
        order, refused = read_order(handlers.controls, {**query, **changes})
        assert refused and order.values["emoji"] == "cat", changes
        list(handlers.stream(order))


def test_what_was_drawn_before_stop_is_said_and_shown(handlers: DrawHandlers) -> None:
    half = ask(handlers, count=3, seed=5)[1]
    assert len(told(half)["pictures"]) == 3
    shown = handlers.stopped(half.progress)
    assert shown.status == "Stopped after scale 2 of 4"
    assert told(shown)["scale"] == 2 and told(shown)["run"] == ON_STAGE
    assert np.array_equal(pixels(file(shown)), np.asarray(shown.progress.frames[1][0]))
    assert len(files(shown)) == 3 and "seed7" not in shown.stage
    whole = ask(handlers, seed=5)[-1].progress
    for before in (None, whole):  # nothing of the new run is there yet
        nothing = handlers.stopped(before)
        assert nothing.status == "Stopped: nothing new was drawn" and told(nothing)["nothing"]


def test_each_of_several_pictures_is_looked_at_and_used(handlers: DrawHandlers) -> None:
    progress = ask(handlers, count=3, seed=5)[-1].progress
    shown = json.loads(handlers.look_at(progress, 2, 77))
    assert (shown["run"], shown["place"], len(shown["frames"])) == (77, 2, 4)
    last = io.BytesIO(base64.b64decode(shown["frames"][-1].split(",")[1]))
    assert np.array_equal(np.asarray(Image.open(last)), np.asarray(progress.frames[-1][2]))
    path = handlers.frame_file(progress, 4, 1)
    assert np.array_equal(pixels(path), np.asarray(progress.frames[3][1]))
    assert "seed6" in handlers.animate(progress, 1)
    for place in (3, -1, "1", None, True):
        for use in (handlers.animate, lambda *given: handlers.frame_file(given[0], 3, given[1])):
            with pytest.raises(ValueError, match="place must be a whole number from 0 to 2"):
                use(progress, place)
        with pytest.raises(ValueError, match="place must be a whole number from 0 to 2"):
            handlers.look_at(progress, place, 77)
    with pytest.raises(ValueError, match="run must be a whole number"):
        handlers.look_at(progress, 1, "77")


def test_the_animation_has_a_frame_for_every_scale(handlers: DrawHandlers) -> None:
    progress = ask(handlers, emoji="cat")[-1].progress
    with Image.open(handlers.animate(progress)) as moving:
        assert moving.n_frames == 4 and moving.format == "WEBP"
        moving.seek(3)
        shown = np.asarray(moving.convert("RGB").resize(progress.frames[-1][0].size), np.float64)
    assert np.abs(shown - np.asarray(progress.frames[-1][0], np.float64)).mean() < 12
    with pytest.raises(ValueError, match="draw one first"):
        handlers.animate(None)


def test_a_picture_is_used_as_input_at_its_scale(handlers: DrawHandlers) -> None:
    progress = ask(handlers, emoji="cat", count=2)[-1].progress
    assert np.array_equal(
        pixels(handlers.frame_file(progress, 3)), np.asarray(progress.frames[2][0])
    )
    with pytest.raises(ValueError, match="draw one first"):
        handlers.frame_file(None, 1)


def test_another_precision_is_loaded_once(tmp_path: Path) -> None:
    asked = []

    def load(dtype: torch.dtype) -> VARPipeline:
        asked.append(dtype)
        return VARPipeline(make_tokenizer(), make_transformer(), make_labels()).to(dtype)

    info = VARPipeline(make_tokenizer(), make_transformer(), make_labels()).info
    handlers = DrawHandlers(LocalEngine(info, load), tmp_path, str)
    for precision in ("auto", "fp32", "bf16", "bf16"):
        path = file(ask(handlers, precision=precision)[-1])
    assert asked == [torch.float32, torch.bfloat16]
    assert read_png_recipe(path)["dtype"] == "bfloat16"
