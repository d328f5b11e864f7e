"""Drawing from prompts: the fast loop against the slow one, batches, and guidance."""

import threading
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.conftest import make_tokenizer
from tests.prompted_models import SLOTS, make_text_transformer, prompted
from tests.sampling.test_graphs import CallTape
from tests.sampling.test_sampler import sample_without_cache, tokens_of
from var_core.condition import Condition, join_conditions
from var_core.sampling import SamplingOptions, generators_from_seeds, sample_scales
from var_core.sampling.graphs import GraphRecorder
from var_core.sampling.sampler import Drawing, Recorder

OPTIONS = SamplingOptions(guidance_scale=2.0, top_k=12, top_p=0.9)
TRANSFORMER, QUANTIZER = make_text_transformer(), make_tokenizer().quantizer
NOTHING = prompted()
ROWS = [prompted(1, 2, 3, style=0), prompted(4), NOTHING, prompted(5, 6, 7, 8, style=2)]


def draw(
    condition: Condition,
    seeds: list[int],
    options: SamplingOptions = OPTIONS,
    against: Condition | None = None,
    recorder: Recorder | None = None,
) -> Tensor:
    generators = generators_from_seeds(seeds)
    parts = TRANSFORMER, QUANTIZER, condition, options, generators
    return tokens_of(sample_scales(*parts, recorder=recorder, against=against))


def test_cached_drawing_equals_recomputation() -> None:
    condition = join_conditions([ROWS[0], ROWS[1], ROWS[3]])
    parts = TRANSFORMER, QUANTIZER, condition, OPTIONS
    slow = sample_without_cache(*parts, generators_from_seeds([5, 6, 7]))
    assert torch.equal(draw(condition, [5, 6, 7]), slow)


def test_the_seed_decides_the_picture_beside_any_other_prompts() -> None:
    together = draw(join_conditions(ROWS), [1, 2, 3, 1])
    for index, seed in enumerate([1, 2, 3, 1]):
        assert torch.equal(together[index : index + 1], draw(ROWS[index], [seed]))


def test_prompt_and_style_change_what_is_drawn_and_the_order_of_phrases_does_not() -> None:
    base = draw(prompted(1, 2, 3), [1])
    assert torch.equal(draw(prompted(3, 1, 2), [1]), base)
    assert not torch.equal(draw(prompted(1, 2), [1]), base)
    assert not torch.equal(draw(prompted(1, 2, 3, style=1), [1]), base)


def test_guidance_may_push_away_from_another_prompt() -> None:
    plain, other = draw(ROWS[1], [1]), draw(ROWS[1], [1], against=prompted(9))
    assert not torch.equal(plain, other)
    assert torch.equal(draw(ROWS[1], [1], against=NOTHING), plain)
    unguided = draw(ROWS[1], [1], replace(OPTIONS, guidance_scale=0.0), prompted(9))
    assert torch.equal(draw(ROWS[1], [1], against=ROWS[1]), unguided)  # nothing to push away from
    two = join_conditions([ROWS[1], ROWS[0]])
    assert torch.equal(draw(two, [1, 2], against=prompted(9))[:1], other)


def test_only_rows_that_differ_from_their_other_branch_have_one() -> None:
    condition = join_conditions(ROWS)
    generators = generators_from_seeds(range(4))

    def guided(against: Condition | None, options: SamplingOptions = OPTIONS) -> list[int]:
        parts = TRANSFORMER, QUANTIZER, condition, options, generators, "auto", against
        return Drawing(*parts).guided.tolist()

    assert guided(None) == [0, 1, 3]
    assert guided(prompted(4)) == [0, 2, 3]
    assert guided(None, SamplingOptions(guidance_scale=0.0)) == []


def test_replays_draw_what_would_have_been_computed() -> None:
    recorder = GraphRecorder(CallTape)
    for rows, seeds, against in (
        ([ROWS[0]], [5], None),
        ([ROWS[3]], [6], None),
        ([NOTHING], [7], None),
        ([NOTHING], [7], prompted(3)),
        ([ROWS[1], NOTHING], [1, 2], None),
        ([ROWS[0], NOTHING], [3, 4], None),
    ):
        condition = join_conditions(rows)
        replayed = draw(condition, seeds, against=against, recorder=recorder)
        assert torch.equal(replayed, draw(condition, seeds, against=against))


def test_four_threads_draw_as_one_would() -> None:
    expected = [draw(ROWS[seed % 4], [seed]) for seed in range(12)]
    found: dict[int, Tensor] = {}

    def work(first: int) -> None:
        for seed in range(first, 12, 4):
            found[seed] = draw(ROWS[(seed) % 4], [seed])

    threads = [threading.Thread(target=work, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(found[seed], one) for seed, one in enumerate(expected))


def test_the_phrases_cost_no_pass_of_their_own() -> None:
    rows = []
    network = make_text_transformer()
    network.blocks[0].register_forward_hook(lambda module, args, out: rows.append(out.shape[1]))
    list(sample_scales(network, QUANTIZER, ROWS[0], OPTIONS, generators_from_seeds([1])))
    assert rows == [SLOTS + 1, 4, 9, 16]


@pytest.mark.gpu
def test_cuda_graphs_draw_what_is_computed_step_by_step() -> None:
    transformer, quantizer = make_text_transformer().cuda(), make_tokenizer().quantizer.cuda()
    recorder = GraphRecorder()
    for seed in range(3):
        condition = join_conditions([ROWS[seed], NOTHING]).to("cuda")
        recorded, computed = (
            tokens_of(
                sample_scales(
                    transformer,
                    quantizer,
                    condition,
                    OPTIONS,
                    generators_from_seeds([seed, seed + 9], "cuda"),
                    recorder=chosen,
                )
            )
            for chosen in (recorder, None)
        )
        assert torch.equal(recorded, computed)
