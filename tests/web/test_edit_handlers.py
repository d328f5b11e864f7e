"""What the buttons of the Edit tab do, called as plain functions on a tiny model."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.patience import until
from var_core import VARPipeline, generators_from_seeds
from var_core.jobs.mask_codec import read_runs, resize_mask, write_runs
from var_core.jobs.png_recipe import read_png_recipe
from var_core.serving.fair_queue import BusyError, FairQueue, QueueLimits
from var_core.serving.local_engine import LocalEngine
from var_core.web.canvas import SHOWN_SIDE, Canvas, shown_size
from var_core.web.edit_handlers import SIDES, EditHandlers, EditInputs
from var_core.web.edit_versions import Edit
from var_core.web.progress import Moment, stream

Ask = Callable[..., list[Moment]]


@pytest.fixture
def handlers(engine: LocalEngine, tmp_path: Path) -> EditHandlers:
    return EditHandlers(engine.info, tmp_path, engine.turn)


@pytest.fixture
def ask(engine: LocalEngine, handlers: EditHandlers) -> Ask:
    def ask(
        task: str,
        canvas: Canvas,
        mask: object = "",
        sides: tuple = (0, 0, 8, 0),
        **changes: object,
    ) -> list[Moment]:
        """Every moment of an edit; what is not named stays at its default."""
        values = handlers.controls.defaults()
        margins = dict(zip(SIDES, sides, strict=True))
        edit = Edit(task, mask, margins, changes.pop("keep_scales", 2))
        extra = {name: changes.pop(name) for name in ("best_of",) if name in changes}
        plan = handlers.plan(EditInputs(canvas, edit, {**values, **changes}, **extra))
        return list(stream(engine, plan, ""))

    return ask


def noise(tmp_path: Path, width: int = 40, height: int = 30) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    path = tmp_path / "noise.png"
    Image.fromarray(pixels).save(path)
    return path


def painted(width: int = 40, height: int = 30) -> str:
    mask = np.zeros((height, width), bool)
    mask[10:20, 10:20] = True
    return write_runs(mask)


def pixels(path: object) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_a_redrawn_area_streams_and_ends_with_files_to_compare(
    handlers: EditHandlers, ask: Ask, tmp_path: Path, pipeline: VARPipeline
) -> None:
    path = noise(tmp_path)
    version = handlers.open(str(path), "Opened")
    canvas = version.canvas
    assert canvas.size == canvas.shown == (40, 30)
    assert canvas.view == canvas.path and pixels(canvas.thumbnail).shape == (30, 40, 3)
    assert version.words == "Opened, 40x30 pixels"
    moments = ask("redraw", canvas, painted(), emoji="cat", seed=5)
    assert [one.status for one in moments[:-1]] == [f"Scale {n} of 4" for n in (1, 2, 3)]
    last = moments[-1]
    expected = pipeline.edit(
        Image.open(path),
        read_runs(painted()),
        [{"emoji": "cat"}],
        generator=generators_from_seeds([5]),
    )
    made = last.version
    assert np.array_equal(pixels(made.canvas.path), np.asarray(expected.images[0]))
    assert np.array_equal(pixels(made.before), pixels(path))
    assert read_png_recipe(made.canvas.path) is None
    assert made.canvas.size == (40, 30) and last.seed == 5 and "cat" in made.words
    assert made.edit.mask == painted() and made.parent == 0


def test_added_sides_show_the_picture_before_in_its_place(
    handlers: EditHandlers, ask: Ask, tmp_path: Path
) -> None:
    path = noise(tmp_path)
    canvas = handlers.open(str(path), "").canvas
    last = ask("outpaint", canvas, sides=(3, 0, 8, 5))[-1]
    assert last.version.canvas.size == (51, 35)
    before = pixels(last.version.before)
    assert np.array_equal(before[:30, 3:43], pixels(path)) and (before[:, :3] == 255).all()


def test_a_variation_carries_a_recipe_that_makes_it_again(
    handlers: EditHandlers, ask: Ask, tmp_path: Path, pipeline: VARPipeline
) -> None:
    canvas = handlers.open(str(noise(tmp_path)), "").canvas
    last = ask("vary", canvas, keep_scales=2, emoji="cat", style="flat")[-1]
    values, kept = handlers.controls.from_recipe(last.version.canvas.path)
    assert len(kept) == 2
    choice = handlers.controls.read(values)
    again = pipeline([choice.settings.wish], generator=generators_from_seeds([7]), keep=kept)
    assert np.array_equal(pixels(last.version.canvas.path), np.asarray(again.images[0]))


def test_a_result_is_edited_further(handlers: EditHandlers, ask: Ask, tmp_path: Path) -> None:
    canvas = handlers.open(str(noise(tmp_path)), "").canvas
    wide = ask("outpaint", canvas)[-1].version.canvas
    assert ask("redraw", wide, painted(48))[-1].version.canvas.size == (48, 30)


def test_a_mask_is_loaded_from_a_file(handlers: EditHandlers, tmp_path: Path) -> None:
    canvas = handlers.open(str(noise(tmp_path)), "").canvas
    mask = tmp_path / "mask.png"
    Image.fromarray((read_runs(painted()) * 255).astype(np.uint8)).resize((80, 60), 0).save(mask)
    assert handlers.mask_from_file(canvas, str(mask)) == painted()
    Image.new("L", (30, 30), 255).save(mask)
    with pytest.raises(ValueError, match="must have the same shape"):
        handlers.mask_from_file(canvas, str(mask))


def test_large_pictures_are_painted_on_at_a_smaller_size(
    handlers: EditHandlers, ask: Ask, tmp_path: Path
) -> None:
    path = tmp_path / "large.png"
    Image.new("RGB", (3000, 1500), "teal").save(path)
    canvas = handlers.open(str(path), "").canvas
    assert canvas.size == (3000, 1500) and canvas.shown == (SHOWN_SIDE, SHOWN_SIDE // 2)
    assert pixels(canvas.view).shape[1::-1] == canvas.shown
    mask = np.zeros((512, 1024), bool)
    mask[256:266, 512:522] = True
    last = ask("redraw", canvas, write_runs(mask))[-1]
    found = pixels(last.version.canvas.path)
    assert found.shape == (1500, 3000, 3)
    changed = (found != pixels(path)).any(axis=2)
    assert changed.any() and not changed[:600].any() and not changed[:, :1350].any()


@pytest.mark.parametrize(
    ("task", "changes", "message"),
    [
        ("redraw", {}, "the mask is empty: paint the area to change"),
        ("redraw", {"mask": "x"}, "no JSON"),
        ("redraw", {"mask": painted(30, 30)}, "the mask is 30x30, the picture 40x30"),
        ("outpaint", {"sides": (0, 0, 0, 0)}, "nothing to add"),
        ("outpaint", {"sides": (0, 0, None, 0)}, "right must be a whole number"),
        ("vary", {"keep_scales": 4}, "keep_scales must be a whole number from 1 to 3"),
        ("redraw", {"mask": painted(), "best_of": 0}, "best_of must be"),
        ("redraw", {"mask": painted(), "emoji": "ct"}, "nearest is 'cat'"),
        ("erase", {}, "no task named 'erase'"),
    ],
)
def test_bad_input_is_refused_before_drawing(
    handlers: EditHandlers, ask: Ask, tmp_path: Path, task: str, changes: dict, message: str
) -> None:
    canvas = handlers.open(str(noise(tmp_path)), "").canvas
    with pytest.raises(ValueError, match=message):
        ask(task, canvas, **changes)


def test_a_picture_that_was_deleted_is_asked_for_again(
    handlers: EditHandlers, ask: Ask, tmp_path: Path
) -> None:
    canvas = handlers.open(str(noise(tmp_path)), "").canvas
    canvas.path.unlink()
    with pytest.raises(ValueError, match="open it again"):
        ask("outpaint", canvas)


def test_all_heavy_work_takes_turns(
    engine: LocalEngine, handlers: EditHandlers, tmp_path: Path, ask: Ask
) -> None:
    path = noise(tmp_path)
    canvas = handlers.open(str(path), "").canvas
    works: list[Callable[[], object]] = [
        lambda: handlers.open(str(path), ""),
        lambda: handlers.mask_from_file(canvas, str(path)),
    ]
    for work in works:
        with engine.turn("another"):
            waiting = threading.Thread(target=work)
            waiting.start()
            assert until(lambda: engine.queue.counts() == (1, 1))
        waiting.join()
        assert engine.queue.counts() == (0, 0)


def test_a_result_can_be_saved_though_the_queue_is_full(pipeline: VARPipeline) -> None:
    queue = FairQueue(QueueLimits(per_client=1))
    engine = LocalEngine(pipeline.info, lambda dtype: pipeline, queue=queue)
    running = queue.join("")
    with pytest.raises(BusyError), engine.turn():
        pass
    queue.close()
    owed = queue.join("", is_owed=True)
    queue.leave(running)
    assert queue.wait(owed, 60) == 0


@pytest.mark.parametrize("size", [(3000, 2000), (1200, 200), (2000, 300), (3000, 4), (1025, 3)])
@pytest.mark.parametrize("is_upright", [False, True])
def test_a_mask_fits_its_picture_at_either_of_its_sizes(size: tuple, is_upright: bool) -> None:
    width, height = size[::-1] if is_upright else size
    shown = shown_size((width, height))
    mask = np.zeros((height, width), bool)
    mask[: height // 2 + 1] = True
    painted = resize_mask(mask, shown)  # as a file that is loaded
    assert painted.shape == shown[::-1] and painted.any()
    assert resize_mask(painted, (width, height)).shape == (height, width)  # as it is drawn
    with pytest.raises(ValueError, match="they must have the same shape"):
        resize_mask(mask.repeat(2, axis=1), (width, height))
