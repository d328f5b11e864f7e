"""What a network with text is told about a training picture."""

import torch

from tests.prompted_models import SLOTS, STYLES, make_text_transformer, unit_vectors
from tests.training.tiny import random_of
from training.data.token_source import TokenBatch
from training.transformer.prompt_conditioning import PromptConditioning

CAPTIONS = torch.tensor([[3, 1, -1], [7, -1, -1]]).repeat(200, 1)
LABELS = torch.tensor([[0], [2]]).repeat(200, 1)
BATCH = TokenBatch(torch.zeros(400, 1, dtype=torch.int64), None, LABELS, CAPTIONS)


def conditioning(drop_all: float, drop_each: float) -> PromptConditioning:
    return PromptConditioning(unit_vectors(20), [STYLES], SLOTS, drop_all, drop_each)


def test_phrases_lie_in_slots_and_no_others_are_given() -> None:
    asked = conditioning(0, 0).condition(BATCH, random_of(400))
    assert asked.phrases.shape == (400, SLOTS, unit_vectors(1).shape[1])
    assert asked.is_given[:2].tolist() == [[True, True, False, False], [True] + [False] * 3]
    assert torch.equal(asked.phrases[0, :2], unit_vectors(20)[[3, 1]])
    assert torch.equal(asked.labels, LABELS)


def test_some_prompts_are_left_out_with_their_labels() -> None:
    asked = conditioning(0.25, 0).condition(BATCH, random_of(400))
    is_silent = ~asked.is_given.any(dim=1)
    assert 0.15 < is_silent.float().mean() < 0.35
    assert torch.equal(asked.labels[:, 0] == STYLES, is_silent)


def test_some_phrases_and_labels_are_left_out_alone() -> None:
    asked = conditioning(0, 0.25).condition(BATCH, random_of(400))
    kept = asked.is_given[::2, :2]
    assert 0.65 < kept.float().mean() < 0.85 and (kept.sum(dim=1) == 1).any()
    assert 0.15 < (asked.labels == STYLES).float().mean() < 0.35


def test_a_network_hears_phrases_from_the_start() -> None:
    transformer = make_text_transformer()
    before = transformer.prompt.proj.weight.clone()
    conditioning(0, 0).start(transformer)
    assert transformer.prompt.proj.weight.norm() > 10 * before.norm()
