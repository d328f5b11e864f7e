"""Clips are drawn by the loop that draws pictures."""

import pytest
import torch
from torch import Tensor

from tests.clip_models import PICTURE, make_clip_tokenizer, make_clip_transformer, moving
from tests.conftest import make_tokenizer
from tests.sampling.test_graphs import CallTape
from tests.sampling.test_sampler import sample_without_cache, tokens_of
from var_core.condition import Condition
from var_core.sampling import (
    ClosedLoop,
    KeepFrames,
    KeepScales,
    SamplingOptions,
    ScaleRule,
    ScaleStep,
    generators_from_seeds,
    sample_scales,
)
from var_core.sampling.graphs import GraphRecorder

OPTIONS = SamplingOptions(guidance_scale=2.0, top_k=12, top_p=0.9)
TOKENIZER, TRANSFORMER = make_clip_tokenizer(), make_clip_transformer()
QUANTIZER = TOKENIZER.quantizer
LATENT_FRAMES = 4


def labelled(*labels: int) -> Condition:
    return Condition.of_labels(torch.tensor(labels).unsqueeze(1))


def draw(
    *labels: int,
    seeds: tuple[int, ...] = (1,),
    rule: ScaleRule | None = None,
    recorder: GraphRecorder | None = None,
    options: SamplingOptions = OPTIONS,
) -> list[ScaleStep]:
    generators = generators_from_seeds(seeds)
    parts = TRANSFORMER, QUANTIZER, labelled(*labels), options, generators
    return list(sample_scales(*parts, rule, recorder=recorder))


def test_a_clip_has_a_map_for_every_scale_and_a_still_until_its_own_begin() -> None:
    steps = draw(3, 5, seeds=(1, 2))
    shapes = [tuple(step.token_map.shape[1:]) for step in steps]
    assert shapes == list(QUANTIZER.schedule.shapes)
    still = steps[len(PICTURE) - 1].latent
    assert torch.equal(still, still[:, :, :1].expand_as(still))
    assert torch.equal(steps[-1].latent[:, :, 0], still[:, :, 0])  # which no clip's scale changes
    assert not torch.equal(steps[-1].latent[:, :, 1], still[:, :, 1])


def test_the_cached_loop_draws_what_the_slow_one_draws() -> None:
    steps = draw(3, 5, seeds=(1, 2))
    seeds = generators_from_seeds([1, 2])
    slow = sample_without_cache(TRANSFORMER, QUANTIZER, labelled(3, 5), OPTIONS, seeds)
    assert torch.equal(tokens_of(iter(steps)), slow)


def test_drawing_scale_by_scale_equals_teacher_forcing() -> None:
    steps = draw(3, options=SamplingOptions(guidance_scale=0.0, top_k=0, top_p=1.0))
    inputs = QUANTIZER.teacher_inputs([step.token_map for step in steps])
    forced = TRANSFORMER(inputs, labelled(3))
    assert torch.allclose(torch.cat([step.logits for step in steps], dim=1), forced, atol=1e-4)


def test_a_recorded_clip_is_the_computed_one() -> None:
    recorder = GraphRecorder(CallTape)
    for seed in (1, 2):
        recorded, computed = draw(3, seeds=(seed,), recorder=recorder), draw(3, seeds=(seed,))
        assert torch.equal(recorded[-1].latent, computed[-1].latent)


def test_the_first_frame_is_drawn_as_by_a_model_of_pictures() -> None:
    pictures = make_tokenizer(PICTURE).quantizer
    steps = draw(3)[: len(PICTURE)]
    sums = pictures.sum_scales([step.token_map for step in steps])
    assert torch.allclose(steps[-1].latent[:, :, 0], sums[-1], atol=1e-5)


def test_tokens_of_a_picture_are_the_first_frame_of_its_clip() -> None:
    picture = TOKENIZER.encode(moving(1)[:, :, 0])
    steps = draw(3, rule=KeepScales(QUANTIZER, picture.token_maps))
    for ours, theirs in zip(steps, picture.token_maps, strict=False):
        assert torch.equal(ours.token_map, theirs)
    assert torch.equal(steps[-1].latent[:, :, 0], picture.latent)


def known_features(frames: int) -> Tensor:
    return TOKENIZER.encode_features(moving(1, frames))


def test_known_frames_are_kept_as_the_tokenizer_encodes_them() -> None:
    clip = TOKENIZER.encode(moving(1))
    features = TOKENIZER.encode_features(moving(1))
    steps = draw(3, rule=KeepFrames(QUANTIZER, features[:, :, :1]))
    for step, tokens in zip(steps, clip.token_maps[: len(PICTURE)], strict=False):
        assert torch.equal(step.token_map, tokens) and step.logits is None
    kept = draw(3, rule=KeepFrames(QUANTIZER, features[:, :, :3]))[-1].latent
    free = draw(3, rule=KeepFrames(QUANTIZER, features[:, :, :1]))[-1].latent

    def distance(latent: Tensor) -> float:
        return (latent - features)[:, :, 1:3].square().mean().item()

    assert distance(kept) < 0.5 * distance(free)


def test_a_first_frame_by_features_is_the_one_by_tokens() -> None:
    features = known_features(1)
    tokens = TOKENIZER.encode(moving(1, 1)[:, :, 0]).token_maps
    by_features = draw(3, rule=KeepFrames(QUANTIZER, features))
    by_tokens = draw(3, rule=KeepScales(QUANTIZER, tokens))
    with_end = KeepFrames(QUANTIZER, first=KeepScales(QUANTIZER, tokens))
    for rule in (by_tokens, draw(3, rule=with_end)):
        assert torch.equal(by_features[-1].latent, rule[-1].latent)


def test_a_loop_ends_nearer_to_its_start_than_a_clip() -> None:
    def jump(rule: ScaleRule | None) -> float:
        latent = draw(3, 4, 5, seeds=(1, 2, 3), rule=rule)[-1].latent
        return (latent[:, :, -1] - latent[:, :, 0]).square().mean().item()

    assert jump(KeepFrames(QUANTIZER, is_closed=True)) < 0.3 * jump(None)


def test_the_end_of_a_later_part_goes_to_where_the_loop_began() -> None:
    start, known = known_features(1), known_features(5).flip(3)

    def jump(is_closed: bool) -> float:
        rule = KeepFrames(QUANTIZER, known, is_closed, start)
        latent = draw(3, 4, 5, seeds=(1, 2, 3), rule=rule)[-1].latent
        wanted = rule.wanted(latent)
        assert torch.equal(wanted[:, :, :2], known.expand(3, -1, -1, -1, -1))
        assert torch.equal(
            wanted[:, :, -1:], (start if is_closed else known[:, :, -1:]).expand(3, -1, -1, -1, -1)
        )
        return (latent[:, :, -1:] - start).square().mean().item()

    assert jump(True) < 0.8 * jump(False)


def test_a_clip_can_be_edited_in_space_and_time_by_the_rule_of_pictures() -> None:
    features = known_features(13)
    shape = (1, 1, *QUANTIZER.schedule.latent_shape)
    everything, nothing = torch.ones(shape), torch.zeros(shape)
    free = draw(3, rule=ClosedLoop(QUANTIZER, features, everything))[-1].latent
    assert torch.equal(free, draw(3)[-1].latent)
    kept = draw(3, rule=ClosedLoop(QUANTIZER, features, nothing))
    for step, tokens in zip(kept, QUANTIZER.encode(features).token_maps, strict=True):
        assert torch.equal(step.token_map, tokens)
    part = nothing.clone()
    part[:, :, 2:, :, :2] = 1  # the left half, from the third frame on
    edited = draw(3, rule=ClosedLoop(QUANTIZER, features, part))[-1].latent
    assert torch.equal(edited[:, :, 0], kept[-1].latent[:, :, 0])
    changed = (edited - kept[-1].latent).square().mean(dim=(0, 1))  # (T, H, W)
    assert changed[2:, :, :2].mean() > 3 * changed[1:2, :, 2:].mean()


@pytest.mark.parametrize("frames", [LATENT_FRAMES, LATENT_FRAMES + 1])
def test_something_must_be_left_to_draw(frames: int) -> None:
    with pytest.raises(ValueError, match="at most 3 frames of the latent are kept"):
        KeepFrames(QUANTIZER, torch.zeros(1, 8, frames, 4, 4))


def test_pictures_have_no_frames_to_keep() -> None:
    with pytest.raises(ValueError, match="a model of pictures"):
        KeepFrames(make_tokenizer(PICTURE).quantizer)
