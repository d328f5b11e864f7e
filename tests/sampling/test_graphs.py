"""Recorded drawings: what is replayed is what would have been computed."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from tests.conftest import make_tokenizer, make_transformer
from var_core.condition import Condition
from var_core.sampling import (
    KeepScales,
    SamplingOptions,
    ScaleStep,
    generators_from_seeds,
    sample_scales,
)
from var_core.sampling.graphs import MAX_RECORDINGS, GraphRecorder
from var_core.sampling.sampler import Drawn

OPTIONS = SamplingOptions(guidance_scale=2.0, top_k=12, top_p=0.9)
TRANSFORMER, QUANTIZER = make_transformer(), make_tokenizer().quantizer
OPEN = [2, 4, 3]


class CallTape:
    """A stand-in for a CUDA graph: the same operands, the same results in the same memory."""

    made = 0

    def record(self, call: Callable[[], Drawn], generators: list[torch.Generator]) -> Drawn:
        CallTape.made += 1
        states = [generator.get_state() for generator in generators]
        self.call, self.drawn = call, call()
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)
        return self.drawn

    def replay(self) -> None:
        for kept, fresh in zip(self.drawn, self.call(), strict=True):
            kept.copy_(fresh)


def draw(
    recorder: GraphRecorder | None,
    labels: list[list[int]],
    seeds: list[int],
    options: SamplingOptions = OPTIONS,
    rule: KeepScales | None = None,
) -> Iterator[ScaleStep]:
    return sample_scales(
        TRANSFORMER,
        QUANTIZER,
        Condition.of_labels(torch.tensor(labels)),
        options,
        generators_from_seeds(seeds),
        rule,
        recorder=recorder,
    )


def flat(steps: Iterator[ScaleStep]) -> Tensor:
    return torch.cat([step.token_map.flatten(1) for step in list(steps)], dim=1)


def test_replays_draw_what_would_have_been_computed() -> None:
    recorder = GraphRecorder(CallTape)
    for labels, seeds in (
        ([[0, 1, 2]], [5]),
        ([[1, 2, 0]], [6]),
        ([[0, 1, 2]], [5]),
        ([OPEN], [7]),
        ([[0, 0, 0], OPEN, [1, 3, 1]], [1, 2, 3]),
        ([[0, 1, 1], OPEN, [0, 0, 2]], [3, 9, 8]),
        ([[0, 1, 1], [1, 3, 1], OPEN], [3, 9, 8]),
    ):
        assert torch.equal(flat(draw(recorder, labels, seeds)), flat(draw(None, labels, seeds)))


def test_each_scale_of_a_kind_of_drawing_is_recorded_once() -> None:
    recorder, before = GraphRecorder(CallTape), CallTape.made
    for seed in range(3):
        list(draw(recorder, [[0, 1, 2]], [seed]))
    assert CallTape.made - before == 4
    list(draw(recorder, [[0, 1, 2]], [0], SamplingOptions(top_k=3)))
    assert CallTape.made - before == 8


def test_steps_of_an_earlier_drawing_are_not_overwritten() -> None:
    recorder = GraphRecorder(CallTape)
    first = list(draw(recorder, [[0, 1, 2]], [5]))
    kept = [step.logits.clone() for step in first]
    list(draw(recorder, [[1, 3, 0]], [6]))
    assert all(torch.equal(step.logits, one) for step, one in zip(first, kept, strict=True))


def test_a_generator_goes_on_where_a_computed_drawing_would_leave_it() -> None:
    recorder = GraphRecorder(CallTape)
    ours, plain = generators_from_seeds([3]), generators_from_seeds([3])
    for generators, chosen in ((ours, recorder), (plain, None)):
        labels = Condition.of_labels(torch.tensor([[0, 1, 2]]))
        parts = TRANSFORMER, QUANTIZER, labels, OPTIONS, generators
        list(sample_scales(*parts, recorder=chosen))
    assert torch.equal(ours[0].get_state(), plain[0].get_state())


def test_a_stopped_drawing_leaves_nothing_for_the_next_one() -> None:
    recorder = GraphRecorder(CallTape)
    steps = draw(recorder, [[0, 1, 2]], [5])
    next(steps), next(steps)
    steps.close()
    assert torch.equal(flat(draw(recorder, [[1, 2, 0]], [6])), flat(draw(None, [[1, 2, 0]], [6])))


def test_drawings_that_take_turns_do_not_disturb_each_other() -> None:
    recorder = GraphRecorder(CallTape)
    for _ in range(2):  # recorded, then replayed
        both = draw(recorder, [[0, 1, 2]], [5]), draw(recorder, [[1, 2, 0]], [6])
        steps = list(zip(*both, strict=True))
        for index, (labels, seed) in enumerate((([0, 1, 2], 5), ([1, 2, 0], 6))):
            drawn = flat(iter([pair[index] for pair in steps]))
            assert torch.equal(drawn, flat(draw(None, [labels], [seed])))


def test_rules_hold_for_recorded_scales_too() -> None:
    maps = [step.token_map for step in draw(None, [[0, 1, 2]], [5])][:2]
    recorder = GraphRecorder(CallTape)
    for seed in (7, 8):
        drawn, computed = (
            flat(draw(chosen, [[1, 2, 0]], [seed], rule=KeepScales(QUANTIZER, maps)))
            for chosen in (recorder, None)
        )
        assert torch.equal(drawn, computed)


def test_old_recordings_give_way() -> None:
    recorder = GraphRecorder(CallTape)
    for top_k in range(1, MAX_RECORDINGS + 3):
        list(draw(recorder, [[0, 1, 2]], [5], SamplingOptions(top_k=top_k)))
    assert len(recorder._recordings) == MAX_RECORDINGS


@pytest.mark.gpu
def test_cuda_graphs_draw_what_is_computed_step_by_step() -> None:
    transformer, quantizer = make_transformer().cuda(), make_tokenizer().quantizer.cuda()
    recorder = GraphRecorder()
    for seed in range(3):
        labels = Condition.of_labels(torch.tensor([[0, 1, 2], OPEN], device="cuda"))
        recorded, computed = (
            flat(
                sample_scales(
                    transformer,
                    quantizer,
                    labels,
                    OPTIONS,
                    generators_from_seeds([seed, seed + 9], "cuda"),
                    recorder=chosen,
                )
            )
            for chosen in (recorder, None)
        )
        assert torch.equal(recorded, computed)
