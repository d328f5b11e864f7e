"""Looking inside: what the model expected, against what the sampling loop saw."""

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from tests.conftest import SIDES
from tests.prompted_models import make_prompted
from var_core import VARPipeline, generators_from_seeds
from var_core.images import tensor_to_images
from var_core.inspection import ScaleInspection
from var_core.sampling import SamplingOptions, apply_guidance, sample_scales
from var_core.wishes import Wish

OPTIONS = SamplingOptions(guidance_scale=2.0, top_k=12, top_p=0.9)


class PutBack:
    """A rule that lets everything be drawn, and then takes the given tokens instead."""

    forced_scales: frozenset[int] = frozenset()

    def __init__(self, pipeline: VARPipeline, token_maps: Sequence[Tensor]) -> None:
        self.codes = [pipeline.tokenizer.quantizer.embed(tokens) for tokens in token_maps]

    def __call__(self, scale_index: int, codes: Tensor | None, latent: Tensor) -> Tensor:
        return self.codes[scale_index]


def seen_by_the_loop(
    pipeline: VARPipeline, token_maps: Sequence[Tensor], wishes: list[Wish], guidance_scale: float
) -> list[Tensor]:
    """The slow twin: logits of the sampling loop on its way to these tokens."""
    condition = pipeline.wish_encoder.condition(wishes, pipeline.device)
    options = SamplingOptions(guidance_scale=guidance_scale, top_k=12)
    parts = pipeline.transformer, pipeline.tokenizer.quantizer, condition, options
    generators = generators_from_seeds([0] * len(wishes))
    rule = PutBack(pipeline, token_maps)
    return [step.logits for step in sample_scales(*parts, generators, rule)]


def distribution(scale: ScaleInspection) -> Tensor:
    """Probabilities of all codes, put together: (B, N, V)."""
    codes = torch.cat((scale.token_map.unsqueeze(3), scale.alternatives), dim=3)
    likely = (scale.probability.unsqueeze(3), scale.alternative_probability)
    assert (codes.sort(dim=3).values == torch.arange(32)).all()  # each code once
    return torch.zeros(codes.shape).scatter(3, codes, torch.cat(likely, dim=3)).flatten(1, 2)


def drawings(name: str, class_pipeline: VARPipeline, pipeline: VARPipeline) -> tuple:
    """A pipeline, and what it draws: two pictures."""
    if name == "text":
        pipeline = make_prompted()
        prompts = [["a fox", "in the snow"], ["a pizza"]]
        wishes = pipeline.info.reader.read_all(prompt=prompts)
    elif name == "classes":
        pipeline, wishes = class_pipeline, class_pipeline.info.reader.read_all([3, 7])
    else:
        wishes = pipeline.info.reader.read_all([{"emoji": "cat"}, None])
    return pipeline, pipeline.draw(wishes, OPTIONS, generators_from_seeds([1, 2]))


@pytest.mark.parametrize("name", ["labels", "classes", "text"])
def test_the_numbers_are_those_that_an_unguided_drawing_saw(
    name: str, class_pipeline: VARPipeline, pipeline: VARPipeline
) -> None:
    pipeline, drawn = drawings(name, class_pipeline, pipeline)
    found = pipeline.inspect(drawn.token_maps, drawn.wishes)
    seen = seen_by_the_loop(pipeline, drawn.token_maps, drawn.wishes, 0.0)
    for scale, tokens, logits in zip(found.scales, drawn.token_maps, seen, strict=True):
        likely = logits.softmax(dim=-1)
        token = tokens.flatten(1).unsqueeze(2)
        side = tokens.shape[1]
        expected = likely.gather(2, token).view(2, side, side)
        torch.testing.assert_close(scale.probability, expected, rtol=1e-3, atol=1e-5)
        bits = -(likely * likely.clamp_min(1e-30).log2()).sum(dim=-1).view(2, side, side)
        torch.testing.assert_close(scale.entropy, bits, rtol=1e-3, atol=1e-3)
        others = likely.scatter(2, token, -1.0).topk(5).values.view(2, side, side, 5)
        torch.testing.assert_close(scale.alternative_probability, others, rtol=1e-3, atol=1e-5)
        at = scale.alternatives.flatten(1, 2)
        torch.testing.assert_close(
            likely.gather(2, at).flatten(), others.flatten(), rtol=1e-3, atol=1e-5
        )
        assert not (at == token).any()
        assert torch.equal(scale.token_map, tokens)
        assert ((scale.entropy >= 0) & (scale.entropy <= math.log2(32) + 1e-4)).all()


@pytest.mark.parametrize("name", ["labels", "text"])
def test_guidance_is_the_mix_of_two_inspections(
    name: str, class_pipeline: VARPipeline, pipeline: VARPipeline
) -> None:
    pipeline, drawn = drawings(name, class_pipeline, pipeline)
    wished = pipeline.inspect(drawn.token_maps, drawn.wishes, 31).scales
    nothing = pipeline.inspect(drawn.token_maps, None, 31).scales
    seen = seen_by_the_loop(pipeline, drawn.token_maps, drawn.wishes, 2.0)
    for index, logits in enumerate(seen):
        both = [distribution(scales[index]).log() for scales in (wished, nothing)]
        mixed = apply_guidance(*both, 2.0 * index / (len(SIDES) - 1)).softmax(dim=-1)
        torch.testing.assert_close(mixed, logits.softmax(dim=-1), rtol=1e-2, atol=1e-4)


def test_the_first_scales_alone_are_judged_as_in_the_whole(pipeline: VARPipeline) -> None:
    drawn = pipeline.draw([{"emoji": "dog"}], OPTIONS, generators_from_seeds([1]))
    whole = pipeline.inspect(drawn.token_maps, drawn.wishes)
    for count in (1, 3):
        part = pipeline.inspect(drawn.token_maps[:count], drawn.wishes)
        assert len(part.scales) == count and part.attention.shape == (1, count, count)
        torch.testing.assert_close(part.attention, whole.attention[:, :count, :count])
        for one, other in zip(part.scales, whole.scales, strict=False):
            torch.testing.assert_close(one.probability, other.probability, rtol=1e-4, atol=1e-6)


def test_a_smooth_drawing_is_judged_by_the_tokens_of_its_picture(pipeline: VARPipeline) -> None:
    smooth = SamplingOptions(smooth=True, top_k=12)
    drawn = pipeline.draw([{"emoji": "dog"}], smooth, generators_from_seeds([1]))
    token_maps, _ = pipeline.tokenize(drawn.images[0])
    found = pipeline.inspect(token_maps, drawn.wishes)
    assert all(map(torch.equal, (scale.token_map for scale in found.scales), token_maps))
    assert all(torch.isfinite(scale.entropy).all() for scale in found.scales)


def test_phrases_are_looked_at_and_a_picture_is_judged_by_its_own_prompt() -> None:
    pipeline = make_prompted()
    drawn = pipeline.draw(
        prompt=[["a fox", "in the snow"]], options=OPTIONS, generator=generators_from_seeds([1])
    )
    found = pipeline.inspect(drawn.token_maps, drawn.wishes)
    assert found.attention.shape == (1, 4, 4 + 4)
    assert (found.attention[:, :, :4] > 0).all()
    other = pipeline.inspect(drawn.token_maps, prompt="a pizza")
    assert not torch.allclose(found.scales[1].probability, other.scales[1].probability)


def test_an_exchanged_token_is_decoded_with_all_others_as_they_are(pipeline: VARPipeline) -> None:
    drawn = pipeline.draw([{"emoji": "dog"}], OPTIONS, generators_from_seeds([1]))
    own = int(drawn.token_maps[2][0, 1, 2])
    images = pipeline.exchange(drawn.token_maps, 3, 1, 2, [own, (own + 1) % 32])
    assert images[0] == drawn.images[0] and images[1] != images[0]
    token_maps = [tokens.clone() for tokens in drawn.token_maps]
    token_maps[2][0, 1, 2] = (own + 1) % 32
    latent = pipeline.tokenizer.quantizer.sum_scales(token_maps)[-1]
    assert [images[1]] == tensor_to_images(pipeline.decode_latent(latent))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda maps: [], "1 to 4 scales, got 0"),
        (lambda maps: [*maps, maps[-1]], "1 to 4 scales, got 5"),
        (lambda maps: maps[1:], "scale 1 must be"),
        (lambda maps: [maps[0] + 32, *maps[1:]], "from 0 to 31"),
        (lambda maps: [one.float() for one in maps], "whole numbers"),
        (lambda maps: [one.to(torch.complex64) for one in maps], "whole numbers"),
        (lambda maps: [maps[0][0, 0, 0], *maps[1:]], r"scale 1 must be \(1, 1, 1\), got \(\)"),
        (lambda maps: [one.tolist() for one in maps], "scale 1 must be of type Tensor"),
        (lambda maps: maps[1], "given as a list, one for each scale, got a Tensor"),
        (
            lambda maps: [one.repeat(2, 1, 1) for one in maps],
            "got 2|2 pictures",
        ),
    ],
)
def test_tokens_that_do_not_fit_are_refused(change, message: str, pipeline: VARPipeline) -> None:
    drawn = pipeline.draw([None], OPTIONS, generators_from_seeds([1]))
    with pytest.raises(ValueError, match=message):
        pipeline.inspect(change(drawn.token_maps), drawn.wishes)
    with pytest.raises(ValueError, match=message):
        pipeline.exchange(change(drawn.token_maps), 1, 0, 0, [1])
    with pytest.raises(ValueError, match=message):
        pipeline.decode_prefixes(change(drawn.token_maps))
    with pytest.raises(ValueError, match="num_alternatives"):
        pipeline.inspect(drawn.token_maps, drawn.wishes, 32)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ((0, 0, 0, [1]), "scale must be"),
        ((5, 0, 0, [1]), "scale must be"),
        ((2, 2, 0, [1]), "row must be"),
        ((2, 0, -1, [1]), "column must be"),
        ((2, 0, 0, [32]), "a token must be"),
        ((2, True, 0, [1]), "row must be"),
        ((4, 0, 0, [1]), "scale must be a whole number from 1 to 3"),
        ((2, 0, 0, []), r"tokens must be 1 to 64 codes, got \[\]"),
        ((2, 0, 0, [1] * 65), "tokens must be 1 to 64 codes"),
        ((2, 0, 0, 3), "tokens must be 1 to 64 codes, got 3"),
    ],
)
def test_places_that_do_not_exist_are_refused(
    place: tuple, message: str, pipeline: VARPipeline
) -> None:
    drawn = pipeline.draw([None], OPTIONS, generators_from_seeds([1]))
    with pytest.raises(ValueError, match=message):
        pipeline.exchange(drawn.token_maps[:3], *place)
