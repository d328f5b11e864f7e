"""What a caller may hand to the pipeline: wrong kinds are named, and copies are pipelines too."""

import copy
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.prompted_models import make_prompted
from var_core import Margins, VARPipeline, generators_from_seeds

PHOTO = Image.new("RGB", (24, 20), "teal")
MASK = np.ones((20, 24))


def draw(pipeline: VARPipeline, **more: object) -> torch.Tensor:
    seeds = generators_from_seeds([3])
    return pipeline([None], generator=seeds, output_type="pt", **more).images


def edit(pipeline: VARPipeline) -> np.ndarray:
    hole = np.zeros((90, 120), bool)
    hole[20:60, 30:100] = True
    photo = Image.linear_gradient("L").resize((120, 90))
    return np.asarray(pipeline.edit(photo, hole, generator=generators_from_seeds([3])).images[0])


@pytest.mark.parametrize(
    "make", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))], ids=["copy", "pickle"]
)
@pytest.mark.parametrize("has_words", [False, True])
def test_a_copy_draws_the_same_before_and_after_the_first_drawing(
    pipeline: VARPipeline, make: Callable, has_words: bool
) -> None:
    pipeline = make_prompted() if has_words else VARPipeline.from_pipe(pipeline)
    fresh = make(pipeline)
    expected = draw(pipeline)
    for again in (fresh, make(pipeline)):
        assert again.transformer is not pipeline.transformer
        assert torch.equal(draw(again), expected)


def test_wrong_kinds_are_refused_by_name(pipeline: VARPipeline) -> None:
    one = torch.zeros(1, 1, 1, dtype=torch.long)
    for refused, message in (
        (lambda: pipeline.draw([None], options={}), r"options must be .* SamplingOptions, got {}"),
        (lambda: pipeline.edit(PHOTO, MASK, options="x"), r"options must be .*, got 'x'"),
        (lambda: pipeline.edit(PHOTO, MASK, edit_options="replay"), "edit_options must .*'replay'"),
        (lambda: pipeline.outpaint(PHOTO, 5), "margins must be of type Margins, got 5"),
        (
            lambda: pipeline.outpaint(PHOTO, Margins(top=1), edit_options=None),
            "edit_options must .* got None",
        ),
        (lambda: draw(pipeline, keep=[one.numpy()]), "given for scale 1 must be of type Tensor"),
        (lambda: draw(pipeline, keep=[one.tolist()]), "given for scale 1 must be of type Tensor"),
        (lambda: draw(pipeline, negative_prompt=3), "negative_prompt must be a text.*got 3"),
        (lambda: generators_from_seeds(7), "seeds must be a list.*got 7"),
        (lambda: VARPipeline(pipeline.transformer, pipeline.tokenizer), "tokenizer must be of"),
        (lambda: VARPipeline(pipeline.tokenizer, None), "VARTransformer, got None"),
    ):
        with pytest.raises(ValueError, match=message):
            refused()


@pytest.mark.parametrize("wrong", ["bfloat16", "auto", None, torch.int8, torch.float8_e4m3fn])
def test_a_dtype_that_networks_cannot_have_is_refused(
    pipeline: VARPipeline, wrong: object, tmp_path: Path
) -> None:
    pipeline.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"torch_dtype must be one of torch\.float32, .*, got"):
        VARPipeline.from_pretrained(tmp_path, torch_dtype=wrong)


@pytest.fixture
def half_by_default() -> Iterator[None]:
    torch.set_default_dtype(torch.bfloat16)
    yield
    torch.set_default_dtype(torch.float32)


def test_the_default_dtype_of_the_caller_changes_no_picture(
    pipeline: VARPipeline, request: pytest.FixtureRequest
) -> None:
    drawn, edited = draw(pipeline), edit(pipeline)
    request.getfixturevalue("half_by_default")
    assert torch.equal(draw(pipeline), drawn)
    assert np.array_equal(edit(pipeline), edited)


@pytest.fixture
def nowhere_by_default() -> Iterator[None]:
    torch.set_default_device("meta")
    yield
    torch.set_default_device(None)


def test_the_default_device_of_the_caller_changes_no_picture(
    pipeline: VARPipeline, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    def everything() -> list[np.ndarray]:
        seeds = generators_from_seeds([3])
        pipeline = VARPipeline.from_pretrained(tmp_path)
        *_, last = pipeline.stream([None], generator=seeds)
        varied = pipeline.vary(PHOTO, 1, generator=seeds).images
        wide = pipeline.outpaint(PHOTO, Margins(left=9), generator=seeds).images
        seen = pipeline.inspect(pipeline.tokenize(PHOTO)[0])
        changed = pipeline.exchange(last.token_maps, 1, 0, 0, [3])
        pictures = [*last.images, *varied, *wide, *changed, *pipeline.reconstruct(PHOTO)]
        arrays = [np.asarray(one) for one in (*pictures, edit(pipeline), seen.attention)]
        return [*arrays, draw(pipeline).numpy(), draw(prompted, prompt="a fox").numpy()]

    prompted = make_prompted()
    pipeline.save_pretrained(tmp_path)
    expected = everything()
    request.getfixturevalue("nowhere_by_default")
    assert all(map(np.array_equal, everything(), expected))


@pytest.mark.parametrize(
    ("method", "keywords", "message"),
    [
        ("__call__", {"num_inference_steps": 50}, "num_inference_steps=50 .* one step for each"),
        ("__call__", {"height": 512}, "height=512 .* resize them"),
        ("__call__", {"num_images_per_prompt": 4}, r"num_images_per_prompt=4 .* \[label\] \* 4"),
        ("__call__", {"latents": "x"}, "latents='x' .* use keep="),
        ("__call__", {"guidence_scale": 3}, "'guidence_scale'; the nearest is 'guidance_scale'"),
        ("__call__", {"output_type": "latent"}, "one of pil, np, pt, got 'latent'"),
        ("draw", {"top_k": 7}, r"use options=SamplingOptions\(top_k=7\)"),
        ("stream", {"callback_on_step_end": print}, r"use stream\(\)"),
        ("edit", {"best_of": 4}, r"use edit_options=EditOptions\(best_of=4\)"),
        ("edit_stream", {"mask_image": 1}, "use mask="),
        ("outpaint", {"right": 64}, r"use margins=Margins\(right=64\)"),
        ("outpaint_stream", {"width": 64}, "width=64 has no meaning here"),
        ("vary", {"strength": 0.3}, "use vary.*keep_scales"),
        ("vary_stream", {"seed": 3}, "use generator="),
        ("tokenize", {"picture": 1}, "'picture'; the nearest is 'image'"),
        ("inspect", {"labels": 1}, "'labels'; the nearest is 'class_labels'"),
        ("from_pretrained", {"revision": "main"}, "revision='main' .* nothing is fetched"),
        ("from_pretrained", {"custom_pipeline": "x"}, "no foreign code is run"),
    ],
)
def test_keywords_of_other_pipelines_are_answered_with_what_to_use(
    pipeline: VARPipeline,
    method: str,
    keywords: dict,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("a network has run")

    monkeypatch.setattr(torch.nn.Module, "__call__", never)
    with pytest.raises(ValueError, match=message):
        getattr(pipeline, method)([None], **keywords)


def test_dtype_is_another_name_of_torch_dtype(pipeline: VARPipeline, tmp_path: Path) -> None:
    pipeline.save_pretrained(tmp_path)
    half = VARPipeline.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert half.dtype == torch.bfloat16
    with pytest.raises(ValueError, match=r"dtype is torch.bfloat16, but torch_dtype is torch.flo"):
        VARPipeline.from_pretrained(tmp_path, torch.float16, dtype=torch.bfloat16)


@pytest.mark.parametrize("size", [(20_000, 3), (1, 1025)])
def test_a_long_mask_in_a_narrow_picture_is_refused_at_once(
    pipeline: VARPipeline, size: tuple[int, int]
) -> None:
    limit = r"the limit is 1024, 16 times the shorter side or 1024"
    with pytest.raises(ValueError, match=rf"{max(size)} pixels long in a picture of .*{limit}"):
        pipeline.edit(Image.new("RGB", size), np.ones(size[::-1]))
    spot = np.zeros(size[::-1], bool)
    spot[0, 0] = True
    assert pipeline.edit(Image.new("RGB", size), spot).images[0].size == size


def test_masks_are_tensors_of_any_dtype(pipeline: VARPipeline) -> None:
    for dtype in (torch.bfloat16, torch.float16, torch.bool, torch.uint8):
        mask = torch.ones(20, 24, dtype=dtype, requires_grad=dtype.is_floating_point)
        assert pipeline.edit(PHOTO, mask).images[0].size == PHOTO.size
