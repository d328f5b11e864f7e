"""Clips through the pipeline: seeds, streams, first frames, parts, loops, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.clip_models import (
    CLIP,
    FRAMES,
    PICTURE,
    SIDE,
    make_clip_tokenizer,
    make_clip_transformer,
)
from tests.conftest import make_tokenizer, make_transformer
from tests.prompted_models import SPACE, TABLE, make_text_transformer
from var_core import (
    CheckpointError,
    ClipOptions,
    LabelSpace,
    SamplingOptions,
    VARClipPipeline,
    VARPipeline,
    generators_from_seeds,
    read_model_info,
)
from var_core.clip_parts import join_parts
from var_core.labels import Attribute
from var_core.model_info import CLIPS
from var_core.transformer.inflation import inflate_transformer

STEP = 8  # frames that each further part adds


@pytest.fixture(scope="module")
def pipeline() -> VARClipPipeline:
    return VARClipPipeline(make_clip_tokenizer(), make_clip_transformer())


def noise(seed: int = 0, width: int = 20, height: int = 12) -> Image.Image:
    dice = np.random.default_rng(seed)
    return Image.fromarray(dice.integers(0, 256, (height, width, 3), dtype=np.uint8))


def pixels(clip: list[Image.Image]) -> np.ndarray:
    return np.stack([np.asarray(frame) for frame in clip])


def seeds(*values: int) -> list[torch.Generator]:
    return generators_from_seeds(values)


def test_clips_have_the_frames_of_the_model(pipeline: VARClipPipeline) -> None:
    result = pipeline.animate([3, 5], generator=seeds(1, 2))
    assert [len(clip) for clip in result.clips] == [FRAMES, FRAMES]
    assert {frame.size for clip in result.clips for frame in clip} == {(SIDE, SIDE)}
    assert len(result.token_maps) == len(CLIP)
    assert (pixels(result.clips[0])[0] != pixels(result.clips[0])[-1]).any()
    assert pipeline.info.num_frames == FRAMES and pipeline.info.clip_lengths[:2] == range(
        FRAMES, FRAMES + 2 * STEP, STEP
    )


@pytest.mark.parametrize("is_smooth", [False, True])
@pytest.mark.parametrize("frames", [FRAMES, FRAMES + STEP])
def test_a_seed_gives_the_same_clip_alone_and_in_a_batch(
    pipeline: VARClipPipeline, frames: int, is_smooth: bool
) -> None:
    how = SamplingOptions(smooth=is_smooth), ClipOptions(frames)
    together = pipeline.animate([3, 5], *how, generator=seeds(1, 2))
    alone = pipeline.animate([5], *how, generator=seeds(2))
    assert np.array_equal(pixels(together.clips[1]), pixels(alone.clips[0]))


def test_a_stream_shows_the_whole_clip_so_far_after_every_scale(
    pipeline: VARClipPipeline,
) -> None:
    previews = list(
        pipeline.animate_stream([3], clip_options=ClipOptions(FRAMES + STEP), generator=seeds(1))
    )
    lengths = [len(preview.clips[0]) for preview in previews]
    before, own = len(PICTURE), len(CLIP) - len(PICTURE)
    assert lengths == [1] * before + [FRAMES] * (own + before) + [FRAMES + STEP] * own
    assert [preview.number for preview in previews] == list(range(1, 2 * len(CLIP) + 1))
    assert {preview.total for preview in previews} == {2 * len(CLIP)}
    result = pipeline.animate([3], clip_options=ClipOptions(FRAMES + STEP), generator=seeds(1))
    assert np.array_equal(pixels(previews[-1].clips[0]), pixels(result.clips[0]))


def test_a_given_picture_is_the_first_frame(pipeline: VARClipPipeline) -> None:
    picture = noise()
    clip = pipeline.animate([3], start=[picture], generator=seeds(1)).clips[0]
    kept = pipeline.reconstruct(picture)[-1]
    assert np.abs(pixels(clip)[0].astype(int) - np.asarray(kept).astype(int)).max() <= 1
    other = pipeline.animate([3], start=[picture], generator=seeds(2)).clips[0]
    assert np.array_equal(pixels(clip)[0], pixels(other)[0])
    assert not np.array_equal(pixels(clip)[-1], pixels(other)[-1])


def test_a_picture_and_its_tokens_begin_the_same_clip(pipeline: VARClipPipeline) -> None:
    tokens, _ = pipeline.tokenize(noise())
    by_tokens = pipeline.animate([3], keep=tokens, generator=seeds(1)).clips[0]
    by_picture = pipeline.animate([3], start=[noise()], generator=seeds(1)).clips[0]
    assert np.array_equal(pixels(by_tokens), pixels(by_picture))


def test_what_was_drawn_for_the_first_frame_can_be_drawn_again_in_another_motion(
    pipeline: VARClipPipeline,
) -> None:
    first = pipeline.animate([3], generator=seeds(1))
    again = pipeline.animate([5], keep=first.token_maps[: len(PICTURE)], generator=seeds(2))
    assert np.array_equal(pixels(first.clips[0])[0], pixels(again.clips[0])[0])


@pytest.mark.parametrize(("given", "used"), [(2, 1), (4, 1), (5, 5), (6, 5), (40, 5)])
def test_a_clip_goes_on_from_the_last_frames_of_another(
    pipeline: VARClipPipeline, given: int, used: int
) -> None:
    start = [noise(seed, SIDE, SIDE) for seed in range(given)]
    clip = pipeline.animate([3], start=start, generator=seeds(1)).clips[0]
    same = pipeline.animate([3], start=start[-used:], generator=seeds(1)).clips[0]
    assert np.array_equal(pixels(clip), pixels(same))
    first = pipeline.reconstruct(start[-used])[-1]
    assert np.abs(pixels(clip)[0].astype(int) - np.asarray(first).astype(int)).max() <= 1


def test_a_loop_leaves_out_the_frame_that_is_the_first_again(pipeline: VARClipPipeline) -> None:
    def jump(is_loop: bool) -> float:
        options = ClipOptions(FRAMES + STEP, is_loop)
        clips = pipeline.animate([3, 5], clip_options=options, generator=seeds(1, 2)).clips
        assert {len(clip) for clip in clips} == {FRAMES + STEP - is_loop}
        moved = [pixels(clip)[-1].astype(float) - pixels(clip)[0] for clip in clips]
        return float(np.square(moved).mean())

    assert jump(True) < 0.5 * jump(False)


def test_a_clip_is_reconstructed_as_the_tokenizer_sees_it(pipeline: VARClipPipeline) -> None:
    frames = [noise(seed, SIDE, SIDE) for seed in range(FRAMES)]
    made = pipeline.reconstruct_clip(frames)
    assert len(made) == FRAMES
    first = pipeline.reconstruct(frames[0])[-1]
    assert np.abs(np.asarray(made[0]).astype(int) - np.asarray(first).astype(int)).max() <= 1
    token_maps, prefixes = pipeline.tokenize(frames[0])
    assert pipeline.decode_prefixes(token_maps) == prefixes
    with pytest.raises(ValueError, match="a clip has 13 frames here, got 12"):
        pipeline.reconstruct_clip(frames[1:])
    with pytest.raises(ValueError, match="must be a list of pictures"):
        pipeline.reconstruct_clip([])


def test_parts_fade_into_each_other() -> None:
    before, part = torch.zeros(1, 3, 7, 2, 2), torch.ones(1, 3, 9, 2, 2)
    joined = join_parts(before, part, 3)[0, 0, :, 0, 0]
    assert joined.tolist() == [0, 0, 0, 0, 0, 0.5, 1, 1, 1, 1, 1, 1, 1]
    assert join_parts(before, part[:, :, :1], 3) is before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"clip_options": ClipOptions(14)}, "has 13, 21, 29, ... or 133 frames, got 14"),
        ({"clip_options": ClipOptions(134)}, "133 frames, got 134"),
        ({"clip_options": 13}, "clip_options must be of type ClipOptions"),
        ({"start": noise()}, "start must be a list of pictures"),
        ({"start": ["a.png"]}, "must be a PIL picture, got str"),
        ({"start": [noise()], "keep": [torch.zeros(1, 1, 1).long()]}, "give one of them"),
        ({"keep": [torch.zeros(2, 1, 1).long()]}, "tokens of 1 drawings, got 2"),
        ({"keep": [torch.zeros(1, 2, 1).long()]}, "tokens of scale 1 must be"),
        ({"keep": torch.zeros(1, 1, 1).long()}, "keep: token maps are given as a list"),
        ({"generator": seeds(1, 2)}, "generator"),
    ],
)
def test_bad_arguments_are_refused_before_a_network_runs(
    pipeline: VARClipPipeline, arguments: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        pipeline.animate_stream([3], **arguments)


def test_words_that_need_a_missing_encoder_are_refused_before_a_network_runs() -> None:
    transformer = inflate_transformer(make_text_transformer(), CLIP, torch.Generator())
    labels = LabelSpace((Attribute("style", ("noto", "flat", "3d")),))
    pipeline = VARClipPipeline(make_clip_tokenizer(), transformer, labels)
    assert len(pipeline.animate([None], generator=seeds(1)).clips[0]) == FRAMES
    with pytest.raises(ValueError, match="loaded without the vectors of its words"):
        pipeline.animate_stream(prompt="a rocket flying up")


def test_a_clip_is_drawn_from_words() -> None:
    transformer = inflate_transformer(make_text_transformer(), CLIP, torch.Generator())
    pipeline = VARClipPipeline(make_clip_tokenizer(), transformer, SPACE, TABLE)
    fox, pizza = pipeline.animate(prompt=["a fox", "a pizza"], generator=seeds(1, 1)).clips
    assert not np.array_equal(pixels(fox), pixels(pizza))
    against = pipeline.animate(prompt="a fox", negative_prompt="in the snow", generator=seeds(1))
    assert not np.array_equal(pixels(fox), pixels(against.clips[0]))


@pytest.mark.parametrize("frames", [-1, 10_001, 2.5, True, "13"])
def test_a_number_of_frames_is_a_whole_number_in_range(frames: object) -> None:
    with pytest.raises(ValueError, match="frames must be a whole number from 0 to 10000"):
        ClipOptions(frames)


def test_a_keyword_of_another_pipeline_is_answered(pipeline: VARClipPipeline) -> None:
    with pytest.raises(ValueError, match="num_inference_steps=25 has no meaning here"):
        pipeline.animate([3], num_inference_steps=25)
    with pytest.raises(ValueError, match=r"use clip_options=ClipOptions\(frames=20\)"):
        pipeline.animate([3], frames=20)


def test_models_of_clips_and_of_pictures_are_told_apart(
    pipeline: VARClipPipeline, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="these networks make clips: use VARClipPipeline"):
        VARPipeline(make_clip_tokenizer(), make_clip_transformer())
    still = VARPipeline(make_tokenizer(), make_transformer((10,)))
    with pytest.raises(ValueError, match="these networks make pictures: use VARPipeline"):
        VARClipPipeline(still.tokenizer, still.transformer)
    pipeline.save_pretrained(tmp_path / "clips")
    still.save_pretrained(tmp_path / "still")
    with pytest.raises(CheckpointError, match="is a model of pictures, and one of clips is needed"):
        VARClipPipeline.from_pretrained(tmp_path / "still")
    with pytest.raises(CheckpointError, match="is a model of clips, and one of pictures is needed"):
        VARPipeline.from_pretrained(tmp_path / "clips")
    with pytest.raises(CheckpointError, match="is a model of clips"):
        read_model_info(tmp_path / "clips")


def test_a_model_folder_draws_the_same_clips_and_is_loaded_strictly(
    pipeline: VARClipPipeline, tmp_path: Path
) -> None:
    pipeline.save_pretrained(tmp_path)
    loaded = VARClipPipeline.from_pretrained(tmp_path)
    ours, theirs = (one.animate([3], generator=seeds(1)).clips[0] for one in (pipeline, loaded))
    assert np.array_equal(pixels(ours), pixels(theirs))
    assert read_model_info(tmp_path, CLIPS).num_frames == FRAMES
    config = tmp_path / "tokenizer" / "config.json"
    settings = json.loads(config.read_text("utf-8"))
    for name, value, message in (
        ("frame_stride", 2, r"time_down\.mixes"),
        ("frame_stride", 16, "frame_stride must be one of 1, 2, 4, 8 here, got 16"),
        ("sides", [*PICTURE, [65, 4, 4]], r"up to 64 frames, .* got \[65, 4, 4\]"),
        ("sides", [1, 2, [3, 4, 4]], "the sides of a clip begin with its first frame"),
        ("sides", [*PICTURE, [2, 4, 4], [3, 4, 4]], "the scales are .* in the transformer"),
    ):
        config.write_text(json.dumps(settings | {name: value}), "utf-8")
        with pytest.raises(CheckpointError, match=message):
            VARClipPipeline.from_pretrained(tmp_path)
