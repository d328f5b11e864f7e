"""What the buttons of the Edit tab do, called as plain functions on a tiny model."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.patience import until
from var_core import VARPipeline, generators_from_seeds
from var_core.jobs.mask_codec import read_runs, write_runs
from var_core.jobs.png_recipe import read_png_recipe
from var_core.serving.fair_queue import BusyError, FairQueue, QueueLimits
from var_core.serving.local_engine import LocalEngine
from var_core.web.canvas import SHOWN_SIDE, Canvas
from var_core.web.edit_handlers import EditHandlers, EditInputs
from var_core.web.progress import Moment, stream

Ask = Callable[..., list[Moment]]


@pytest.fixture
def handlers(engine: LocalEngine, tmp_path: Path) -> EditHandlers:
    return EditHandlers(engine.info, tmp_path, engine.turn)


@pytest.fixture
def ask(engine: LocalEngine, handlers: EditHandlers) -> Ask:
    def ask(
        task: str,
        canvas: Canvas | None,
        mask: object = "",
        sides: tuple = (0, 0, 8, 0),
        **changes: object,
    ) -> list[Moment]:
        """Every moment of an edit; what is not named stays at its default."""
        values = handlers.controls.defaults()
        margins = dict(zip(("left", "top", "right", "bottom"), sides, strict=True))
        extra = {"margins": margins, "keep_scales": 2}
        for name, value in changes.items():
            (values if name in values else extra)[name] = value
        plan = handlers.plan(task, EditInputs(canvas, mask, values, **extra))
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
    canvas, words = handlers.open(str(path))
    assert canvas.size == canvas.shown == (40, 30)
    assert canvas.url().startswith("data:image/png")
    assert words.startswith("40x30 pixels")
    moments = ask("redraw", canvas, painted(), emoji="cat", seed=5)
    assert [one.status for one in moments[:-1]] == [f"Scale {n} of 4" for n in (1, 2, 3)]
    assert [one.strip.count("<img") for one in moments] == [1, 2, 3, 4]
    last = moments[-1]
    expected = pipeline.edit(
        Image.open(path),
        read_runs(painted()),
        [{"emoji": "cat"}],
        generator=generators_from_seeds([5]),
    )
    assert np.array_equal(pixels(last.picture), np.asarray(expected.images[0]))
    assert np.array_equal(pixels(last.comparison[0]), pixels(path))
    assert read_png_recipe(last.picture) is None
    assert last.result.size == (40, 30) and last.seed == 5


def test_added_sides_show_the_picture_before_in_its_place(
    handlers: EditHandlers, ask: Ask, tmp_path: Path
) -> None:
    path = noise(tmp_path)
    canvas, *_ = handlers.open(str(path))
    last = ask("outpaint", canvas, sides=(3, 0, 8, 5))[-1]
    assert last.result.size == (51, 35)
    before = pixels(last.comparison[0])
    assert np.array_equal(before[:30, 3:43], pixels(path)) and (before[:, :3] == 255).all()


def test_a_variation_carries_a_recipe_that_makes_it_again(
    handlers: EditHandlers, ask: Ask, tmp_path: Path, pipeline: VARPipeline
) -> None:
    canvas, *_ = handlers.open(str(noise(tmp_path)))
    last = ask("vary", canvas, keep_scales=2, emoji="cat", style="flat")[-1]
    values, kept = handlers.controls.from_recipe(last.picture)
    assert len(kept) == 2
    choice = handlers.controls.read(values)
    again = pipeline([choice.settings.wish], generator=generators_from_seeds([7]), keep=kept)
    assert np.array_equal(pixels(last.picture), np.asarray(again.images[0]))


def test_a_result_becomes_the_input(handlers: EditHandlers, ask: Ask, tmp_path: Path) -> None:
    canvas, *_ = handlers.open(str(noise(tmp_path)))
    last = ask("outpaint", canvas)[-1]
    taken = handlers.take_result(last.result)
    assert taken == last.result and taken.url().startswith("data:image/png")
    assert ask("redraw", taken, painted(48))[-1].result.size == (48, 30)


def test_masks_are_loaded_grown_and_shrunk(handlers: EditHandlers, tmp_path: Path) -> None:
    canvas, *_ = handlers.open(str(noise(tmp_path)))
    mask = tmp_path / "mask.png"
    Image.fromarray((read_runs(painted()) * 255).astype(np.uint8)).resize((80, 60), 0).save(mask)
    assert handlers.mask_from_file(canvas, str(mask)) == painted()
    assert read_runs(handlers.grow(painted(), 2)).sum() == 14 * 14
    assert read_runs(handlers.grow(painted(), -2)).sum() == 6 * 6
    with pytest.raises(ValueError, match="paint the area"):
        handlers.grow("", 1)


def test_large_pictures_are_painted_on_at_a_smaller_size(
    handlers: EditHandlers, ask: Ask, tmp_path: Path
) -> None:
    path = tmp_path / "large.png"
    Image.new("RGB", (3000, 1500), "teal").save(path)
    canvas, *_ = handlers.open(str(path))
    assert canvas.size == (3000, 1500) and canvas.shown == (SHOWN_SIDE, SHOWN_SIDE // 2)
    mask = np.zeros((512, 1024), bool)
    mask[256:266, 512:522] = True
    last = ask("redraw", canvas, write_runs(mask))[-1]
    found = pixels(last.picture)
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
    canvas, *_ = handlers.open(str(noise(tmp_path)))
    with pytest.raises(ValueError, match=message):
        ask(task, canvas, **changes)


def test_without_a_picture_the_buttons_say_so(
    handlers: EditHandlers, ask: Ask, tmp_path: Path
) -> None:
    for task in ("redraw", "outpaint", "vary"):
        with pytest.raises(ValueError, match="there is no picture yet"):
            ask(task, None)
    with pytest.raises(ValueError, match="there is no picture yet"):
        handlers.mask_from_file(None, str(noise(tmp_path)))
    with pytest.raises(ValueError, match="there is no result yet"):
        handlers.take_result(None)
    canvas, *_ = handlers.open(str(noise(tmp_path)))
    Path(canvas.path).unlink()
    with pytest.raises(ValueError, match="open it again"):
        ask("outpaint", canvas)


def test_all_heavy_work_takes_turns(
    engine: LocalEngine, handlers: EditHandlers, tmp_path: Path, ask: Ask
) -> None:
    path = noise(tmp_path)
    canvas, _ = handlers.open(str(path))
    works: list[Callable[[], object]] = [
        lambda: handlers.open(str(path)),
        lambda: handlers.mask_from_file(canvas, str(path)),
        lambda: handlers.grow(painted(), 2),
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
