"""What the network is told about training pictures, for any labels."""

import json
from pathlib import Path

import torch

from tests.training.tiny import random_of
from training.data.open_pictures import open_pictures
from training.data.token_source import TokenBatch
from training.transformer.choose_conditioning import choose_conditioning
from training.transformer.conditioning import LabelConditioning, TrainCondition
from training.transformer.label_maps.conditioning import LabelMapConditioning
from training.transformer.settings import TransformerSettings
from var_core.condition import Condition


def open_share(label_counts: list[int], drop_all: float, drop_each: float) -> torch.Tensor:
    """(4000, A) bool: which labels were left open."""
    conditioning = LabelConditioning(label_counts, drop_all, drop_each)
    labels = torch.zeros(4000, len(label_counts), dtype=torch.int64)
    batch = TokenBatch(torch.zeros(4000, 1, dtype=torch.int64), None, labels)
    condition = conditioning.condition(batch, random_of(4000))
    assert condition.rows is None
    return condition.asked.labels == conditioning.null_labels


def test_labels_are_left_open_alone_and_together_as_often_as_asked() -> None:
    is_open = open_share([2, 5], 0.1, 0.2)
    assert 0.11 < is_open.all(dim=1).float().mean() < 0.16
    assert 0.25 < is_open[:, 0].float().mean() < 0.31
    assert 0.09 < open_share([7], 0.1, 0.9).float().mean() < 0.11  # a single label: not alone


def test_a_condition_is_divided_into_equal_parts() -> None:
    labels, rows = torch.arange(6).view(6, 1), torch.arange(6)
    parts = TrainCondition(Condition.of_labels(labels), rows).chunk(3)
    assert [part.asked.labels.flatten().tolist() for part in parts] == [[0, 1], [2, 3], [4, 5]]
    assert [part.rows.tolist() for part in parts] == [[0, 1], [2, 3], [4, 5]]


def test_label_maps_are_for_their_own_labels_only(data: Path) -> None:
    settings = TransformerSettings(data=str(data), tokenizer="", out="")
    chosen = choose_conditioning(open_pictures(data), settings)
    assert isinstance(chosen, LabelMapConditioning)
    assert chosen.network_settings() == {"label_map_rank": 352, "label_pairs": 16}
    names = json.loads((data / "labels.json").read_text())
    names["attributes"] = names["attributes"][1:]
    (data / "labels.json").write_text(json.dumps(names))
    chosen = choose_conditioning(open_pictures(data), settings)
    assert isinstance(chosen, LabelConditioning)
    assert chosen.network_settings() == {}
    assert chosen.null_labels.tolist() == [4, 5]
