"""What the network is told about training pictures, for any labels."""

import json
from pathlib import Path

import pytest
import torch

from tests.training.tiny import random_of
from training.data.open_pictures import open_pictures
from training.data.token_source import TokenBatch
from training.transformer.choose_conditioning import choose_conditioning
from training.transformer.conditioning import LabelConditioning
from training.transformer.settings import TransformerSettings


def open_share(label_counts: list[int], drop_all: float, drop_each: float) -> torch.Tensor:
    """(4000, A) bool: which labels were left open."""
    conditioning = LabelConditioning(label_counts, drop_all, drop_each)
    labels = torch.zeros(4000, len(label_counts), dtype=torch.int64)
    batch = TokenBatch(torch.zeros(4000, 1, dtype=torch.int64), None, labels)
    condition = conditioning.condition(batch, random_of(4000))
    return condition.labels == conditioning.null_labels


def test_labels_are_left_open_alone_and_together_as_often_as_asked() -> None:
    is_open = open_share([2, 5], 0.1, 0.2)
    assert 0.11 < is_open.all(dim=1).float().mean() < 0.16
    assert 0.25 < is_open[:, 0].float().mean() < 0.31
    assert 0.09 < open_share([7], 0.1, 0.9).float().mean() < 0.11  # a single label: not alone


@pytest.mark.parametrize("first", [0, 1])
def test_the_attributes_of_a_set_become_labels(data: Path, first: int) -> None:
    names = json.loads((data / "labels.json").read_text())
    names["attributes"] = names["attributes"][first:]
    (data / "labels.json").write_text(json.dumps(names))
    settings = TransformerSettings(data=str(data), tokenizer="", out="")
    chosen = choose_conditioning(open_pictures(data), settings)
    assert isinstance(chosen, LabelConditioning)
    assert chosen.network_settings() == {}
    assert chosen.null_labels.tolist() == [2, 4, 5][first:]
