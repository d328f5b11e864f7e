import math

import numpy as np
import pytest
import torch
from PIL import Image

from var_core import VARPipeline, generators_from_seeds

LABELS = [{"emoji": "cat", "style": "flat"}, {"category": "fruit"}, None, (0, None, 2)]


def draw(pipeline: VARPipeline, labels: list, seeds: list[int], **changes: object) -> torch.Tensor:
    generator = generators_from_seeds(seeds)
    return pipeline(labels, generator=generator, output_type="pt", **changes).images


def test_every_preview_is_the_decode_of_its_token_maps(pipeline: VARPipeline) -> None:
    previews = list(
        pipeline.stream(LABELS[:2], generator=generators_from_seeds([1, 2]), output_type="pt")
    )
    assert [(p.number, p.total, len(p.token_maps)) for p in previews] == [
        (number, 4, number) for number in (1, 2, 3, 4)
    ]
    for preview in previews:
        maps = preview.token_maps
        decoded = pipeline.decode_latent(pipeline.tokenizer.quantizer.sum_scales(maps)[-1])
        assert torch.allclose(preview.images, (decoded + 1) / 2, atol=1e-6)
    assert [tuple(m.shape) for m in previews[-1].token_maps] == [(2, s, s) for s in (1, 2, 3, 4)]
    assert all(m.dtype == torch.int64 for m in previews[-1].token_maps)


def test_stream_ends_where_the_call_ends(pipeline: VARPipeline) -> None:
    generators = generators_from_seeds([1]), generators_from_seeds([1])
    last = list(pipeline.stream([None], generator=generators[0]))[-1].images[0]
    called = pipeline([None], generator=generators[1]).images[0]
    assert np.array_equal(np.asarray(last), np.asarray(called))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_seed_gives_the_same_picture_alone_and_in_a_batch(
    pipeline: VARPipeline, dtype: torch.dtype
) -> None:
    pipeline.to(dtype)
    together = draw(pipeline, LABELS, [1, 2, 3, 4])
    for index, label in enumerate(LABELS):
        alone = draw(pipeline, [label], [index + 1])
        assert torch.equal(together[index : index + 1], alone)


def test_output_types(pipeline: VARPipeline) -> None:
    results = {
        kind: pipeline([None], generator=generators_from_seeds([1]), output_type=kind).images
        for kind in ("pil", "np", "pt")
    }
    assert isinstance(results["pil"][0], Image.Image)
    assert results["np"].shape == (1, 8, 8, 3)
    assert results["pt"].shape == (1, 3, 8, 8)
    assert np.allclose(results["np"], results["pt"].permute(0, 2, 3, 1).numpy())
    assert results["pt"].min() >= 0 and results["pt"].max() <= 1
    levels = np.asarray(results["pil"][0]) / 255
    assert np.abs(levels - results["np"][0]).max() <= 0.5 / 255 + 1e-6


def test_one_attribute_takes_numbers(class_pipeline: VARPipeline) -> None:
    both = draw(class_pipeline, [None, 10], [5, 5])
    assert torch.equal(both[0], both[1])
    assert not torch.equal(draw(class_pipeline, [3], [5]), both[:1])


def test_the_default_top_k_is_clamped_and_a_larger_one_is_refused(pipeline: VARPipeline) -> None:
    assert pipeline.options().top_k == 32
    with pytest.raises(ValueError, match="top_k must be a whole number from 0 to 32, got 33"):
        pipeline([None], top_k=33)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"class_labels": []}, "1 to 64 labels"),
        ({"class_labels": 3}, "1 to 64 labels"),
        ({"class_labels": [3]}, "several attributes"),
        ({"guidance_scale": math.nan}, "guidance_scale"),
        ({"top_p": 2.0}, "top_p"),
        ({"temperature": 0.0}, "temperature"),
        ({"output_type": "jpeg"}, "output_type"),
        ({"generator": generators_from_seeds([1, 2])}, "list of 1"),
    ],
)
def test_bad_arguments_are_refused_before_the_model_runs(
    pipeline: VARPipeline, changes: dict, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline.transformer, "predict_scale", None)
    arguments = {"class_labels": [None], **changes}
    with pytest.raises(ValueError, match=message):
        pipeline.stream(**arguments)


def test_reconstruct_shows_every_scale(pipeline: VARPipeline) -> None:
    scales = pipeline.reconstruct(Image.new("RGB", (30, 20), "red"))
    assert [image.size for image in scales] == [(8, 8)] * 4
