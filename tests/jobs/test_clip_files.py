"""Clips on disk: all frames, and a recipe that draws them again."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.clip_models import FRAMES, make_clip_tokenizer, make_clip_transformer
from var_core import ClipOptions, SamplingOptions, VARClipPipeline, generators_from_seeds
from var_core.animations import read_animation
from var_core.jobs.clip_files import (
    clip_bytes,
    clip_format,
    make_clip_recipe,
    read_clip_recipe,
    write_clip,
)
from var_core.jobs.parsing import read_tokens
from var_core.model_info import FRAMES_PER_SECOND

RECIPE = {"labels": {"class": "1"}, "prompt": ["a <fox> & é", "]]></v:recipe>"], "seed": 3}


def frames(count: int = 5) -> list[Image.Image]:
    dice = np.random.default_rng(0)
    return [Image.fromarray(dice.integers(0, 256, (8, 9, 3), dtype=np.uint8)) for _ in range(count)]


def test_a_webp_has_every_pixel_and_plays_on_at_the_right_pace() -> None:
    content = clip_bytes(frames(), RECIPE)
    read = read_animation(content, FRAMES_PER_SECOND)
    assert all(np.array_equal(*map(np.asarray, pair)) for pair in zip(read, frames(), strict=True))
    with Image.open(io.BytesIO(content)) as image:
        assert image.info["loop"] == 0
        image.seek(1)
        image.load()
        assert image.info["duration"] == 125


def test_a_frame_that_stays_is_shown_as_long() -> None:
    still = frames(1) * 3 + frames(2)[1:]
    read = read_animation(clip_bytes(still, None), FRAMES_PER_SECOND)
    assert all(np.array_equal(*map(np.asarray, pair)) for pair in zip(read, still, strict=True))


def test_a_recipe_survives_in_the_metadata_whatever_it_says() -> None:
    assert read_clip_recipe(clip_bytes(frames(), RECIPE)) == RECIPE
    assert read_clip_recipe(clip_bytes(frames(), None)) is None


def test_metadata_of_frames_is_left_out() -> None:
    marked = frames()
    for frame in marked:
        frame.info["xmp"] = b"secret"
    assert b"secret" not in clip_bytes(marked, None)


def test_a_gif_has_all_frames(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.gif", frames(21), RECIPE)
    assert len(read_animation(tmp_path / "a.gif", FRAMES_PER_SECOND)) == 21


@pytest.mark.parametrize("name", ["a.png", "a.avi", "a", ".webp"])
def test_other_files_are_refused_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"clips are written as \.webp, \.gif, \.mp4, not as"):
        write_clip(tmp_path / name, frames(), None)


def test_a_video_has_all_frames_at_the_right_pace(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    ramp = np.linspace(0, 255, 33).astype(np.uint8)
    shown = [Image.fromarray(np.roll(np.tile(ramp, (32, 1)), 2 * n, 1)) for n in range(9)]
    write_clip(tmp_path / "a.mp4", shown, RECIPE)
    with av.open(str(tmp_path / "a.mp4")) as container:
        (stream,) = container.streams
        assert stream.average_rate == FRAMES_PER_SECOND
        read = [frame.to_ndarray(format="gray") for frame in container.decode(stream)]
    assert len(read) == 9 and read[0].shape == (32, 32)  # an odd side loses a line
    for ours, theirs in zip(shown, read, strict=True):
        difference = np.asarray(ours)[:, :32].astype(float) - theirs
        assert np.abs(difference).mean() < 8
    assert b"labels" not in (tmp_path / "a.mp4").read_bytes()


def test_a_video_without_its_package_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("var_core.jobs.clip_files.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install '\.\[mp4\]'"):
        clip_format(Path("clip.mp4"))


def test_a_damaged_recipe_is_refused() -> None:
    content = clip_bytes(frames(), RECIPE)
    for damaged in (content.replace(b'"labels"', b'"lobels"'), content.replace(b'{"l', b'["l')):
        with pytest.raises(ValueError, match="the recipe of the picture is damaged"):
            read_clip_recipe(damaged)
    with pytest.raises(ValueError, match="not a readable WebP file"):
        read_clip_recipe(b"RIFF")


def test_a_recipe_is_enough_to_draw_the_clip_again() -> None:
    pipeline = VARClipPipeline(make_clip_tokenizer(), make_clip_transformer())
    tokens, _ = pipeline.tokenize(frames(1)[0])
    how, length = SamplingOptions(guidance_scale=1.0), ClipOptions(FRAMES, loop=True)
    clips = pipeline.animate([4], how, length, generator=generators_from_seeds([9]), keep=tokens)
    own = [one[0] for one in tokens]
    recipe = make_clip_recipe(pipeline.info, clips.wishes[0], 9, how, length, "float32", own)
    recipe = read_clip_recipe(clip_bytes(clips.clips[0], recipe))
    again = pipeline.animate(
        [recipe["labels"]],
        SamplingOptions(**{one: recipe[one] for one in ("guidance_scale", "top_k", "top_p")}),
        ClipOptions(recipe["frames"], recipe["loop"]),
        generator=generators_from_seeds([recipe["seed"]]),
        keep=read_tokens(pipeline.info, recipe["kept"]),
    )
    assert clip_bytes(again.clips[0], None) == clip_bytes(clips.clips[0], None)


def test_scales_of_motion_can_be_kept_from_a_recipe_too() -> None:
    pipeline = VARClipPipeline(make_clip_tokenizer(), make_clip_transformer())
    first = pipeline.animate([4], generator=generators_from_seeds([9]))
    flat = [tokens[0].flatten().tolist() for tokens in first.token_maps[:-1]]
    keep = read_tokens(pipeline.info, flat)
    again = pipeline.animate([4], generator=generators_from_seeds([8]), keep=keep)
    for ours, theirs in zip(first.token_maps[:-1], again.token_maps, strict=False):
        assert np.array_equal(ours.numpy(), theirs.numpy())
    with pytest.raises(ValueError, match="a scale of 2x1x1 needs a list of 2 tokens"):
        read_tokens(pipeline.info, [*flat[:4], [1]])
