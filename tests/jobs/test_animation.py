"""A clip as a job: what it goes on from, and the recipe that draws it again."""

import io

import numpy as np
import pytest
from PIL import ExifTags, Image

from tests.clip_models import FRAMES, SIDE, make_clip_tokenizer, make_clip_transformer
from var_core import ClipOptions, SamplingOptions, VARClipPipeline, VARPipeline
from var_core.animations import MAX_FRAMES
from var_core.jobs.animation import AnimateRequest, read_beginning
from var_core.jobs.clip_files import clip_bytes
from var_core.jobs.parsing import read_tokens


@pytest.fixture(scope="module")
def clips() -> VARClipPipeline:
    return VARClipPipeline(make_clip_tokenizer(), make_clip_transformer())


def picture(seed: int = 0, size: tuple[int, int] = (SIDE, SIDE)) -> Image.Image:
    dice = np.random.default_rng(seed)
    return Image.fromarray(dice.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


def content(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind)
    return buffer.getvalue()


def request_of(clips: VARClipPipeline, **more: object) -> AnimateRequest:
    (wish,) = clips.info.reader.read_all([3], None, None)
    clip_options = ClipOptions().fitted(clips.info.clip_lengths)
    return AnimateRequest(wish, 5, SamplingOptions(top_k=32), clip_options, **more)


def test_a_clip_from_a_picture_is_drawn_again_by_its_recipe(clips: VARClipPipeline) -> None:
    request = request_of(clips, read=lambda: [picture()])
    *_, last = request.start(clips)
    assert last.is_drawn and len(last.frames[-1]) == FRAMES
    (recipe,) = last.recipes(clips.info)
    assert recipe["frames"] == FRAMES and recipe["seed"] == 5
    shapes = clips.info.schedule.shapes
    kept = read_tokens(clips.info, [np.ravel(one).tolist() for one in recipe["kept"]])
    assert [tuple(one.shape[1:]) for one in kept] == list(shapes[: len(kept)])
    *_, again = request_of(clips, keep=kept).start(clips)
    assert all(
        np.array_equal(*map(np.asarray, pair))
        for pair in zip(last.frames[-1], again.frames[-1], strict=True)
    )


def test_a_clip_that_goes_on_from_frames_has_no_recipe(clips: VARClipPipeline) -> None:
    request = request_of(clips, read=lambda: [picture(seed) for seed in range(5)])
    *_, last = request.start(clips)
    assert last.recipes(clips.info) == [None]


def test_a_model_of_pictures_draws_no_clips(
    clips: VARClipPipeline, class_pipeline: VARPipeline
) -> None:
    with pytest.raises(ValueError, match="this is a model of pictures, not of clips"):
        request_of(clips).start(class_pipeline)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_pictures_of_all_kinds_are_a_first_frame(kind: str) -> None:
    (frame,) = read_beginning(content(picture(size=(20, 12)), kind))
    assert frame.size == (20, 12)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_that_lies_on_its_side_is_turned(kind: str) -> None:
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[ExifTags.Base.Orientation] = 6
    picture(size=(20, 12)).save(buffer, format=kind, exif=exif)
    (frame,) = read_beginning(buffer.getvalue())
    assert frame.size == (12, 20)


def test_animations_are_frames_to_go_on_from() -> None:
    frames = [picture(seed) for seed in range(6)]
    assert len(read_beginning(clip_bytes(frames, None))) == 6


@pytest.mark.parametrize(
    ("damaged", "said"),
    [
        (b"GIF89a", "is not a readable"),
        (b"RIFF\xff\xff\xff\x7fWEBPVP8X", "is not a readable"),
        (b"RIFF\0\0\0\0WEBP" + bytes(40), "is not a readable"),
        (clip_bytes([picture(seed) for seed in range(4)], None)[:-30], "is not a readable"),
        (b"", "is not a readable|no picture|empty"),
    ],
)
def test_broken_animations_are_one_sentence(damaged: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_beginning(damaged)


def test_gigantic_animations_are_one_sentence() -> None:
    tiny = [Image.new("L", (1, 1), number % 2 * 255) for number in range(MAX_FRAMES + 1)]
    buffer = io.BytesIO()
    tiny[0].save(buffer, format="GIF", save_all=True, append_images=tiny[1:], duration=20)
    with pytest.raises(ValueError, match=f"more than {MAX_FRAMES} frames"):
        read_beginning(buffer.getvalue())
    wide = content(Image.new("1", (5_000, 5_000)), "GIF")
    with pytest.raises(ValueError, match="pixels"):
        read_beginning(wide)
