import threading
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from tests.conftest import make_tokenizer, make_transformer
from tests.official.parity_models import CASES, load_case
from var_core.condition import Condition, join_conditions
from var_core.sampling import (
    KeepScales,
    SamplingOptions,
    apply_guidance,
    draw_tokens,
    filter_logits,
    generators_from_seeds,
    sample_scales,
)
from var_core.sampling.code_rules import check_kept
from var_core.tokenizer import MultiScaleQuantizer
from var_core.transformer import VARTransformer
from var_core.transformer.attention_kernels import block_causal_mask

OPTIONS = SamplingOptions(guidance_scale=2.0, top_k=12, top_p=0.9)


def tokens_of(steps: Iterator) -> Tensor:
    return torch.cat([step.token_map.flatten(1) for step in steps], dim=1)


def labelled(*labels: list[int]) -> Condition:
    return Condition.of_labels(torch.tensor(labels))


@torch.inference_mode()
def sample_without_cache(
    transformer: VARTransformer,
    quantizer: MultiScaleQuantizer,
    condition: Condition,
    options: SamplingOptions,
    generators: list[torch.Generator],
) -> Tensor:
    """The slow twin: every scale runs all coarser scales again, under the block mask."""
    schedule = quantizer.schedule
    prefix = transformer.num_prefix
    mask = block_causal_mask(schedule, prefix)
    null = transformer.null_condition(len(condition))
    embedded = transformer.embed(join_conditions((condition, null)))
    latent = quantizer.empty_latent(len(condition))
    inputs, tokens = [], []
    for scale_index, shape in enumerate(schedule.shapes):
        if scale_index > 0:
            inputs.append(quantizer.next_input(latent, scale_index))
        so_far = (
            torch.cat(inputs, 1) if inputs else latent.new_zeros(len(condition), 0, latent.shape[1])
        )
        end = prefix + schedule.token_range(scale_index).stop
        hidden = transformer.hidden_states(so_far.repeat(2, 1, 1), embedded, mask[:end, :end])
        both = transformer.logits(hidden[:, schedule.token_range(scale_index)])
        weight = schedule.progress(scale_index) * options.guidance_scale
        logits = apply_guidance(*both.chunk(2), weight)
        drawn = draw_tokens(filter_logits(logits, options), generators)
        tokens.append(drawn)
        codes = quantizer.embed(drawn.unflatten(1, shape))
        latent = quantizer.add_scale(latent, codes, scale_index)
    return torch.cat(tokens, dim=1)


@pytest.mark.parametrize("name", CASES)
def test_cached_drawing_equals_recomputation(name: str) -> None:
    case = load_case(name)
    condition = Condition.of_labels(torch.tensor(case.labels).unsqueeze(1))
    parts = case.transformer, case.tokenizer.quantizer, condition, OPTIONS
    fast = tokens_of(sample_scales(*parts, generators_from_seeds([5, 6])))
    slow = sample_without_cache(*parts, generators_from_seeds([5, 6]))
    assert torch.equal(fast, slow)


def draw(labels: list[list[int]], seeds: list[int], **changes: object) -> Tensor:
    options = SamplingOptions(**{"guidance_scale": 2.0, "top_k": 12, "top_p": 0.9, **changes})
    transformer, quantizer = make_transformer(), make_tokenizer().quantizer
    generators = generators_from_seeds(seeds)
    return tokens_of(sample_scales(transformer, quantizer, labelled(*labels), options, generators))


def test_the_seed_decides_the_picture_in_any_batch() -> None:
    labels = [[0, 1, 2], [1, 3, 0], [2, 4, 3], [0, 0, 3]]
    together = draw(labels, [1, 2, 3, 1])
    for index, seed in enumerate([1, 2, 3, 1]):
        assert torch.equal(together[index : index + 1], draw([labels[index]], [seed]))


def test_labels_seeds_and_guidance_change_what_is_drawn() -> None:
    base = draw([[0, 1, 2]], [1])
    assert not torch.equal(base, draw([[0, 1, 2]], [2]))
    assert not torch.equal(base, draw([[1, 3, 0]], [1]))
    assert not torch.equal(base, draw([[0, 1, 2]], [1], guidance_scale=0.0))


def test_null_labels_are_drawn_alike_with_and_without_guidance() -> None:
    null = [[2, 4, 3]]
    assert torch.equal(draw(null, [1], guidance_scale=5.0), draw(null, [1], guidance_scale=0.0))


class ForceCoarse:
    """Forces the first scales to token 0 and counts the calls."""

    forced_scales = frozenset({0, 1})

    def __init__(self, quantizer: MultiScaleQuantizer) -> None:
        self.quantizer = quantizer
        self.drawn: list[bool] = []

    def __call__(self, scale_index: int, codes: Tensor | None, latent: Tensor) -> Tensor:
        self.drawn.append(codes is not None)
        if codes is not None:
            return codes
        side = self.quantizer.schedule.sides[scale_index]
        return self.quantizer.embed(torch.zeros(len(latent), side, side, dtype=torch.int64))


def test_forced_scales_run_blocks_but_neither_head_nor_generator() -> None:
    transformer, quantizer = make_transformer(), make_tokenizer().quantizer
    head_rows = []
    transformer.head.register_forward_hook(lambda module, args, out: head_rows.append(out.shape[1]))
    block_rows = []
    transformer.blocks[0].register_forward_hook(
        lambda module, args, out: block_rows.append(out.shape[1])
    )
    rule = ForceCoarse(quantizer)
    (generator,) = generators_from_seeds([1])
    steps = sample_scales(transformer, quantizer, labelled([0, 1, 2]), OPTIONS, [generator], rule)
    before = generator.get_state()
    maps = [next(steps).token_map, next(steps).token_map]
    assert torch.equal(generator.get_state(), before)
    maps += [step.token_map for step in steps]
    assert not maps[0].any() and not maps[1].any()
    assert rule.drawn == [False, False, True, True]
    assert head_rows == [9, 16]
    assert block_rows == [1, 4, 9, 16]


def test_four_threads_draw_as_one_would() -> None:
    transformer, quantizer = make_transformer(), make_tokenizer().quantizer

    def run(seed: int) -> Tensor:
        labels = labelled([seed % 2, 4, seed % 3])
        return tokens_of(
            sample_scales(transformer, quantizer, labels, OPTIONS, generators_from_seeds([seed]))
        )

    expected = {seed: run(seed) for seed in range(16)}
    found: dict[int, Tensor] = {}

    def work(first: int) -> None:
        for seed in range(first, 16, 4):
            found[seed] = run(seed)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(found[seed], expected[seed]) for seed in range(16))


def test_closing_early_leaves_inference_mode_off() -> None:
    transformer, quantizer = make_transformer(), make_tokenizer().quantizer
    steps = sample_scales(
        transformer, quantizer, labelled([0, 1, 2]), OPTIONS, generators_from_seeds([1])
    )
    next(steps)
    assert not torch.is_inference_mode_enabled()
    steps.close()
    assert not torch.is_inference_mode_enabled()


def test_logits_that_are_not_finite_stop_the_run() -> None:
    transformer = make_transformer()
    transformer.head.bias[3] = float("nan")
    steps = sample_scales(
        transformer,
        make_tokenizer().quantizer,
        labelled([0, 1, 2]),
        OPTIONS,
        generators_from_seeds([1]),
    )
    with pytest.raises(FloatingPointError, match="scale 0"):
        next(steps)


def test_smooth_mode_mixes_codes_and_is_repeatable() -> None:
    once = draw([[0, 1, 2]], [1], smooth=True)
    assert torch.equal(once, draw([[0, 1, 2]], [1], smooth=True))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.int32])
def test_kept_tokens_go_where_the_codes_are_whatever_they_come_as(dtype: torch.dtype) -> None:
    quantizer = make_tokenizer().quantizer
    maps = [torch.full((1, side, side), 31, dtype=dtype) for side in (1, 2)]
    kept = check_kept(make_tokenizer().quantizer.to("meta"), maps, 1)
    assert {(one.device.type, one.dtype) for one in kept} == {("meta", torch.int64)}
    wanted = [quantizer.embed(tokens.long()) for tokens in maps]
    assert all(map(torch.equal, KeepScales(quantizer, maps).codes, wanted))
