"""Models of wide and of high pictures do all that those of square ones do."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.conftest import make_labels, make_tokenizer, make_transformer
from var_core import VARPipeline, generators_from_seeds
from var_core.editing import Margins
from var_core.editing.masks import feather_width, grow
from var_core.jobs.inside import neighbourhood
from var_core.sampling import ClosedLoop, SamplingOptions, sample_scales
from var_core.tokenizer.residual_pyramid import bicubic_weights, enlarge

WIDE = ((1, 1), (2, 3), (4, 6), (6, 9))
SHAPES = {"3:2": WIDE, "2:3": tuple((width, height) for height, width in WIDE)}
CAT, APPLE = ("animal", "cat", "flat"), ("fruit", "apple", "flat")


@pytest.fixture(scope="module", params=SHAPES)
def pipeline(request: pytest.FixtureRequest) -> VARPipeline:
    shapes = SHAPES[request.param]
    return VARPipeline(make_tokenizer(shapes), make_transformer(sides=shapes), make_labels())


def noise(width: int, height: int) -> Image.Image:
    dice = np.random.default_rng(0)
    return Image.fromarray(dice.integers(0, 256, (height, width, 3), dtype=np.uint8))


def test_pictures_have_the_shape_of_the_finest_map(pipeline: VARPipeline) -> None:
    shapes = pipeline.info.schedule.shapes
    height, width = (2 * length for length in shapes[-1])
    assert pipeline.info.image_shape == (height, width)
    *_, last = pipeline.stream([CAT], generator=generators_from_seeds([1]))
    assert [tuple(tokens.shape[1:]) for tokens in last.token_maps] == list(shapes)
    assert np.asarray(last.images[0]).shape == (height, width, 3)


def test_a_seed_gives_the_same_picture_alone_and_in_a_batch(pipeline: VARPipeline) -> None:
    together = pipeline([CAT, APPLE], generator=generators_from_seeds([1, 2]), output_type="pt")
    alone = pipeline([APPLE], generator=generators_from_seeds([2]), output_type="pt")
    assert torch.equal(together.images[1:], alone.images)
    assert not torch.equal(together.images[0], together.images[1])


def test_drawing_scale_by_scale_equals_teacher_forcing(pipeline: VARPipeline) -> None:
    transformer, quantizer = pipeline.transformer, pipeline.tokenizer.quantizer
    condition = pipeline.wish_encoder.condition([pipeline.info.reader.read(CAT)], pipeline.device)
    options = SamplingOptions(guidance_scale=0.0, top_k=0, top_p=1.0)
    steps = list(
        sample_scales(transformer, quantizer, condition, options, generators_from_seeds([3]))
    )
    maps = [step.token_map for step in steps]
    forced = transformer(quantizer.teacher_inputs(maps), condition)
    assert torch.allclose(torch.cat([step.logits for step in steps], dim=1), forced, atol=1e-4)


def test_a_picture_is_encoded_kept_and_varied_in_its_shape(pipeline: VARPipeline) -> None:
    height, width = pipeline.info.image_shape
    maps, pictures = pipeline.tokenize(noise(70, 50))
    assert {picture.size for picture in pictures} == {(width, height)}
    varied = pipeline.vary(noise(70, 50), 2, [CAT], generator=generators_from_seeds([1]))
    assert all(
        torch.equal(ours, theirs)
        for ours, theirs in zip(varied.token_maps[:2], maps[:2], strict=True)
    )


@pytest.mark.parametrize("size", [(24, 16), (16, 24), (61, 37), (9, 70)])
def test_what_is_kept_stays_in_pictures_of_any_shape(
    pipeline: VARPipeline, size: tuple[int, int]
) -> None:
    width, height = size
    source, mask = noise(width, height), np.zeros((height, width), bool)
    mask[height // 4 : height // 2, width // 4 : width // 2] = True
    drawn = pipeline.edit(source, mask, [CAT], generator=generators_from_seeds([1])).images[0]
    kept = ~grow(mask, feather_width(mask))
    assert drawn.size == size
    assert np.array_equal(np.asarray(drawn)[kept], np.asarray(source)[kept])
    assert not np.array_equal(np.asarray(drawn)[mask], np.asarray(source)[mask])


def test_what_is_under_the_mask_has_no_influence(pipeline: VARPipeline) -> None:
    mask = np.zeros((37, 61), bool)
    mask[5:20, 8:30] = True
    one = noise(61, 37)
    other = np.array(one)
    other[mask] = 255 - other[mask]
    results = [
        pipeline.edit(image, mask, [CAT], generator=generators_from_seeds([1])).images[0]
        for image in (one, Image.fromarray(other))
    ]
    assert np.array_equal(*map(np.asarray, results))


@pytest.mark.parametrize("side", ["left", "top", "right", "bottom"])
def test_pictures_grow_at_every_side(pipeline: VARPipeline, side: str) -> None:
    source = noise(31, 23)
    result = pipeline.outpaint(
        source, Margins(**{side: 20}), [CAT], generator=generators_from_seeds([1])
    ).images[0]
    is_across = side in ("left", "right")
    assert result.size == (51 if is_across else 31, 23 if is_across else 43)
    left, top = 20 * (side == "left"), 20 * (side == "top")
    inner = np.asarray(result)[top + 3 : top + 20, left + 3 : left + 28]
    assert np.array_equal(inner, np.asarray(source)[3:20, 3:28])


def test_looking_inside_keeps_the_shape_of_every_map(pipeline: VARPipeline) -> None:
    maps, _ = pipeline.tokenize(noise(70, 50))
    inspection = pipeline.inspect(maps)
    for one, (height, width) in zip(inspection.scales, pipeline.info.schedule.shapes, strict=True):
        assert one.probability.shape == one.entropy.shape == (1, height, width)
    height, width = pipeline.info.schedule.shapes[2]
    assert len(pipeline.exchange(maps, 3, height - 1, width - 1, [1, 2])) == 2
    with pytest.raises(ValueError, match=f"row must be .* {height - 1}"):
        pipeline.exchange(maps, 3, height, 0, [1])


def test_a_neighbourhood_lies_in_the_picture_and_holds_the_cell(pipeline: VARPipeline) -> None:
    shape, schedule = pipeline.info.image_shape, pipeline.info.schedule
    for number, (rows, columns) in enumerate(schedule.shapes, start=1):
        for row, column in np.ndindex(rows, columns):
            left, top, right, bottom = neighbourhood(schedule, shape, number, row, column)
            assert 0 <= left < right <= shape[1] and 0 <= top < bottom <= shape[0]
            assert left <= (column + 0.5) * shape[1] / columns <= right
            assert top <= (row + 0.5) * shape[0] / rows <= bottom


def test_the_product_form_of_enlarging_equals_interpolation() -> None:
    maps = torch.randn(2, 3, 4, 6, generator=torch.Generator().manual_seed(0))
    down, across = bicubic_weights(4, 6, maps.device), bicubic_weights(6, 9, maps.device)
    products = ((maps @ across).transpose(2, 3) @ down).transpose(2, 3)
    assert torch.allclose(enlarge(maps, (6, 9)), products, atol=1e-5)


def test_a_full_mask_is_plain_drawing_and_none_plain_encoding(pipeline: VARPipeline) -> None:
    height, width = pipeline.info.image_shape
    quantizer = pipeline.tokenizer.quantizer
    features = pipeline.tokenizer.encode_features(torch.zeros(1, 3, height, width))
    everything, nothing = torch.ones(1, 1, height, width), torch.zeros(1, 1, height, width)
    latent = quantizer.empty_latent(1)
    assert ClosedLoop(quantizer, features, everything)(1, None, latent) is None
    kept = ClosedLoop(quantizer, features, nothing)(1, None, latent)
    nearest = quantizer.nearest_tokens(quantizer.pool(features, 1))
    assert kept is not None and torch.equal(quantizer.nearest_tokens(kept), nearest)


def test_a_model_folder_keeps_the_shapes(pipeline: VARPipeline, tmp_path: Path) -> None:
    pipeline.save_pretrained(tmp_path)
    loaded = VARPipeline.from_pretrained(tmp_path)
    assert loaded.info.schedule == pipeline.info.schedule
    ours, theirs = (
        one([CAT], generator=generators_from_seeds([1])).images[0] for one in (pipeline, loaded)
    )
    assert np.array_equal(np.asarray(ours), np.asarray(theirs))
