"""Previews are sketches that cost little; what is kept are true decodes."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from tests.conftest import make_labels, make_tokenizer, make_transformer
from tests.web.test_draw_handlers import ask, file, told
from var_core import MultiScaleVQVAE, VARPipeline, generators_from_seeds
from var_core.add_sketch import add_sketch, training_pictures
from var_core.command_line.main import main
from var_core.images import tensor_to_images
from var_core.jobs.parsing import count_up, read_settings
from var_core.jobs.progress import JobProgress
from var_core.jobs.requests import DrawRequest
from var_core.serving.all_endpoints import Api
from var_core.serving.engine import sharpen_while_idle
from var_core.serving.executors import LentGpu
from var_core.serving.fair_queue import FairQueue, QueueLimits
from var_core.serving.local_engine import LocalEngine
from var_core.tokenizer import sketch_training
from var_core.tokenizer.sketch_training import with_sketch
from var_core.web.draw_handlers import DrawHandlers
from var_core.web.progress import Moment

NUM_SCALES = 4
WEIGHTS = "diffusion_pytorch_model.safetensors"


def taught(steps: int = 60) -> tuple[MultiScaleVQVAE, list[float]]:
    """A tiny tokenizer with a sketch decoder, and the errors while it learned."""
    errors: list[float] = []
    generator = torch.Generator().manual_seed(0)
    tokenizer = make_tokenizer()
    pictures = training_pictures(6, tokenizer.image_shape)
    result = with_sketch(
        tokenizer, pictures, generator, steps, lambda step, error: errors.append(error)
    )
    return result, errors


@pytest.fixture(scope="module")
def sketching() -> VARPipeline:
    return VARPipeline(taught()[0], make_transformer(), make_labels())


def patient(pipeline: VARPipeline, **limits: float) -> LocalEngine:
    """An engine that makes true decodes of every sketch, however slow the machine is."""
    limits = {"sharpen_seconds": math.inf, **limits}
    return LocalEngine(
        pipeline.info, lambda dtype: pipeline, queue=FairQueue(QueueLimits(**limits))
    )


@pytest.fixture
def request_(sketching: VARPipeline) -> DrawRequest:
    return count_up(read_settings(sketching.info, {"emoji": "cat"}, 1, None), 2)


def test_a_sketch_learns_what_the_decoder_draws() -> None:
    result, errors = taught()
    assert len(errors) == 60 and np.mean(errors[-5:]) < 0.7 * np.mean(errors[:5])
    before = make_tokenizer().state_dict()
    after = result.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())
    assert {key.split(".")[0] for key in after.keys() - before.keys()} == {"sketch"}


def test_training_pictures_are_the_same_everywhere_and_all_different() -> None:
    pictures = training_pictures(3, (32, 32))
    assert pictures.shape == (3, 3, 32, 32) and pictures.min() >= -1 and pictures.max() <= 1
    assert torch.equal(pictures, training_pictures(3, (32, 32)))
    assert not torch.equal(pictures[0], pictures[1])


def test_previews_are_sketches_and_the_last_one_is_the_true_decode(
    sketching: VARPipeline,
) -> None:
    generator = generators_from_seeds([1, 2])
    previews = list(sketching.stream([None, None], generator=generator, output_type="pt"))
    for preview in previews:
        true = (sketching.decode_latent(preview.latent) + 1) / 2
        rough = (sketching.tokenizer.sketch_latent(preview.latent) + 1) / 2
        is_last = preview.number == NUM_SCALES
        assert torch.allclose(preview.images, true if is_last else rough, atol=1e-6)
        assert not torch.allclose(true, rough, atol=1e-3)


@pytest.fixture
def decodes(sketching: VARPipeline, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The batch size of each decode."""
    sizes: list[int] = []
    decode = sketching.tokenizer.decode_latent

    def counted(latent: torch.Tensor) -> torch.Tensor:
        sizes.append(len(latent))
        return decode(latent)

    monkeypatch.setattr(sketching.tokenizer, "decode_latent", counted)
    return sizes


def test_one_decode_is_enough_for_a_picture(sketching: VARPipeline, decodes: list[int]) -> None:
    list(sketching.stream([None], generator=generators_from_seeds([1])))
    assert decodes == [1]


def true_frames(pipeline: VARPipeline, run: JobProgress) -> list[list[Image.Image]]:
    latents = pipeline.tokenizer.quantizer.sum_scales(run.token_maps)
    return [tensor_to_images(pipeline.decode_latent(latent)) for latent in latents]


def same(one: Image.Image, other: Image.Image) -> bool:
    return np.abs(np.asarray(one, np.int16) - np.asarray(other, np.int16)).max() <= 1


def test_frames_become_true_decodes_one_by_one_the_newest_first(
    sketching: VARPipeline, request_: DrawRequest
) -> None:
    engine = patient(sketching)
    *_, drawn = runs = list(engine.generate(request_))
    assert [run.number for run in runs] == [1, 2, 3, 4] and drawn.is_drawn
    expected = true_frames(sketching, drawn)

    def are_true(run: JobProgress) -> list[bool]:
        return [all(map(same, *pair)) for pair in zip(run.frames, expected, strict=True)]

    assert are_true(engine.sharpen(drawn, scale=2)) == [False, True, False, True]
    run = drawn
    for left in (2, 1, 0):
        run = engine.sharpen(run)
        assert run.num_sketches == left and run.frames[-1] == drawn.frames[-1]
        assert are_true(run) == [index >= left for index in range(NUM_SCALES)]
    assert not run.latents and engine.queue.counts() == (0, 0)


def test_nobody_waits_for_a_strip(sketching: VARPipeline, request_: DrawRequest) -> None:
    engine = patient(sketching)
    *_, drawn = engine.generate(request_, "one")
    other = engine.generate(request_, "other")
    next(other)
    assert sharpen_while_idle(engine, drawn, "one") is drawn
    assert [run.number for run in other] == [2, 3, 4]
    assert sharpen_while_idle(engine, drawn, "one").num_sketches == 0
    hurried = patient(sketching, sharpen_seconds=1e-9)  # too little for a second one
    assert sharpen_while_idle(hurried, drawn, "one").num_sketches == 2


def test_a_gpu_is_not_lent_once_more_for_a_strip(
    sketching: VARPipeline, request_: DrawRequest
) -> None:
    lent = LentGpu(lambda work: work)
    engine = LocalEngine(sketching.info, lambda dtype: sketching, executor=lent)
    *_, rough, drawn = engine.generate(request_)
    assert (rough.num_sketches, drawn.num_sketches) == (3, 0)
    for found, wanted in zip(drawn.frames, true_frames(sketching, drawn), strict=True):
        assert all(map(same, found, wanted))


def test_a_stopped_picture_becomes_a_true_decode(
    sketching: VARPipeline, request_: DrawRequest, tmp_path: Path
) -> None:
    engine = patient(sketching)
    running = engine.generate(request_)
    next(running)
    stopped = next(running)
    running.close()
    expected = true_frames(sketching, stopped)
    assert not same(stopped.frames[1][0], expected[1][0])
    moment = DrawHandlers(engine, tmp_path, str).stopped(stopped)
    assert moment.status == "Stopped after scale 2 of 4"
    assert told(moment)["scale"] == 2 and not moment.progress.latents
    for found, wanted in zip(moment.progress.frames, expected, strict=True):
        assert all(map(same, found, wanted))
    only = replace(stopped, frames=stopped.frames[:1], latents=(), number=1)
    assert (
        DrawHandlers(engine, tmp_path, str).stopped(only).progress is only
    )  # true from the beginning
    engine = patient(sketching, per_client=1)
    with engine.turn():  # there is no room for it
        rough = DrawHandlers(engine, tmp_path, str).stopped(stopped)
    assert rough.progress is stopped and Path(file(rough)).is_file()


def test_the_page_changes_only_strip_and_state_once_the_picture_is_there(
    sketching: VARPipeline, tmp_path: Path
) -> None:
    handlers = DrawHandlers(patient(sketching), tmp_path, str)
    *_, done, sharp = ask(handlers, emoji="cat", seed=3)
    assert [told(moment)["sketches"] for moment in (done, sharp)] == [3, 0]
    assert file(done) and done.status.startswith("Done in ")
    assert sharp == Moment(
        stage=sharp.stage, progress=sharp.progress
    )  # nobody's next step is undone
    assert set(json.loads(sharp.stage.splitlines()[-1])) == {"run", "place", "frames", "sketches"}


def test_what_is_looked_at_or_kept_is_a_true_decode_however_early(
    sketching: VARPipeline, tmp_path: Path
) -> None:
    handlers = DrawHandlers(patient(sketching), tmp_path, str)
    run = ask(handlers, emoji="cat", seed=3)[-2].progress
    assert run.num_sketches == 3
    rough, true = [frames[0] for frames in run.frames], true_frames(sketching, run)
    with Image.open(handlers.frame_file(run, 2)) as kept:
        assert same(kept, true[1][0]) and not same(kept, rough[1])
    assert json.loads(handlers.look_at(run, 0, 1))["sketches"] == 0
    with Image.open(handlers.animate(run)) as forming:
        first = forming.convert("RGB").resize(rough[0].size, Image.Resampling.BOX)
    errors = [np.abs(np.asarray(first, float) - np.asarray(one)) for one in (true[0][0], rough[0])]
    assert errors[0].mean() < 0.5 * errors[1].mean()
    with handlers.engine.turn("somebody else"):  # whose drawing is not waited for
        quick = json.loads(handlers.look_at(run, 0, 1))
    assert quick["sketches"] == 3


def test_a_client_without_a_strip_does_not_wait_for_it(
    sketching: VARPipeline, decodes: list[int]
) -> None:
    list(Api(patient(sketching)).generate({"emoji": "cat"}, 1))
    assert decodes == [1]


def test_a_model_folder_is_given_a_sketch_once(
    tmp_path: Path, pipeline: VARPipeline, monkeypatch: pytest.MonkeyPatch, capsys: object
) -> None:
    monkeypatch.setattr(sketch_training, "WIDTH", 8)
    pipeline.save_pretrained(tmp_path)
    before = load_file(tmp_path / "tokenizer" / WEIGHTS)
    (tmp_path / "tokenizer" / WEIGHTS).chmod(0o640)
    assert add_sketch(tmp_path, training_pictures(2, pipeline.image_shape), steps=2)
    after = load_file(tmp_path / "tokenizer" / WEIGHTS)
    assert (tmp_path / "tokenizer" / WEIGHTS).stat().st_mode & 0o777 == 0o640
    assert all(torch.equal(after[key], value) for key, value in before.items())
    loaded = VARPipeline.from_pretrained(tmp_path)
    assert loaded.tokenizer.sketch is not None
    again, drawn = (
        one([None], generator=generators_from_seeds([3]), output_type="pt").images
        for one in (loaded, pipeline)
    )
    assert torch.equal(again, drawn)
    assert not add_sketch(tmp_path)
    assert main(["sketch", str(tmp_path)]) == 2
    assert "has a sketch decoder already" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "labels.json",
        "model_index.json",
        "tokenizer",
        "transformer",
    ]
