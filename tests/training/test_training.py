"""Both trainers on a handful of made-up pictures."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.tiny import TINY_TRANSFORMER, run_tokenizer, run_transformer
from training import train_transformer
from training.loop.checkpoint import step_generator
from training.loop.config import parse_config, resolve_precision
from training.transformer.label_start import init_label_maps, own_rows
from training.transformer.objective import TransformerTrainConfig, borrow_rows, drop_labels
from var_core.checkpoints import load_transformer
from var_core.devices import pick_dtype
from var_core.transformer import VARTransformer, init_weights


def test_a_run_can_go_on_from_trained_weights(data: Path, tmp_path: Path) -> None:
    tokenizer, trained = tmp_path / "tok" / "tokenizer", tmp_path / "var" / "transformer"
    run_tokenizer(data, tmp_path / "tok", 2)
    run_transformer(data, tokenizer, tmp_path / "var", 2)
    arguments = f"--data {data} --tokenizer {tokenizer} --out {tmp_path / 'next'}"
    settings = parse_config(
        TransformerTrainConfig, f"{arguments} --initial {trained} {TINY_TRANSFORMER}".split(), ""
    )
    start = train_transformer.TransformerRun(settings).masters.named()
    expected = load_transformer(trained).state_dict()
    assert [name for name in start if not torch.equal(start[name], expected[name])] == []
    with pytest.raises(ValueError, match="has 2 blocks, fewer than the 3"):
        train_transformer.TransformerRun(replace(settings, initial_blocks=3))
    run_tokenizer(data, tmp_path / "other", 2, "--vocab-size", "32")
    other = str(tmp_path / "other" / "tokenizer")
    with pytest.raises(ValueError, match=r"another configuration: \['vocab_size'\]"):
        train_transformer.TransformerRun(replace(settings, tokenizer=other))


def test_a_run_takes_the_shape_of_the_trained_network(data: Path, tmp_path: Path) -> None:
    """As of the published models: a modulation map in every block, other widths and heads."""
    tokenizer, trained = tmp_path / "tok" / "tokenizer", tmp_path / "trained"
    run_tokenizer(data, tmp_path / "tok", 2)
    network = VARTransformer(
        [1, 2, 8], 16, 8, [10], depth=3, width=16, num_heads=4, mlp_ratio=2.0, norm_eps=1e-5
    )
    init_weights(network, step_generator(0, 0))
    network.save_pretrained(trained)
    rows = json.loads((data / "rows.json").read_text())
    for number, row in enumerate(rows):
        row["class"] = "ab"[number % 2]
    (data / "rows.json").write_text(json.dumps(rows))
    names = {"attributes": [{"name": "class", "values": ["a", "b"]}], "implies": {}}
    (data / "labels.json").write_text(json.dumps(names))
    more = ("--initial", str(trained))
    assert run_transformer(data, tokenizer, tmp_path / "var", 2, *more) == 0
    tuned = load_transformer(tmp_path / "var" / "transformer")
    expected = dict(network.config) | {"label_counts": [2]}
    hidden = {"_use_default_values", "_name_or_path", "_class_name", "_diffusers_version"}
    found = {k: v for k, v in tuned.config.items() if k not in hidden}
    assert found == {k: v for k, v in expected.items() if k not in hidden}
    null = network.label_embeds[0].weight[-1]
    torch.testing.assert_close(tuned.label_embeds[0].weight[-1], null, atol=5e-3, rtol=0)


def test_a_shallower_run_takes_over_trained_weights(data: Path, tmp_path: Path) -> None:
    tokenizer, plain = tmp_path / "tok" / "tokenizer", tmp_path / "plain"
    run_tokenizer(data, tmp_path / "tok", 2)
    arguments = f"--data {data} --tokenizer {tokenizer} {TINY_TRANSFORMER} --mixed-precision no"
    deep = f"{arguments} --label-map-rank 0 --no-label-pairs --depth 3 --out {plain}"
    settings = parse_config(TransformerTrainConfig, deep.split(), "")
    run = train_transformer.TransformerRun(settings)
    run.save()
    settings = replace(
        settings,
        label_map_rank=3,
        label_pairs=True,
        initial_blocks=2,
        initial=str(plain / "transformer"),
    )
    started = train_transformer.TransformerRun(settings).transformer.state_dict()
    trained = run.transformer.state_dict()
    width = settings.width
    assert torch.equal(started["pos_embed"], trained["pos_embed"])
    assert torch.equal(started["head.weight"][:, :width], trained["head.weight"])
    for ours, theirs in ((0, 0), (1, 2)):
        name = "attention.proj.weight"
        assert torch.equal(started[f"blocks.{ours}.{name}"], trained[f"blocks.{theirs}.{name}"])


LABELS = torch.tensor([[0, 0, 0], [0, 0, 1], [0, 1, 0], [1, 2, 1]])  # category, emoji, style


def pair_transformer() -> tuple[VARTransformer, torch.Tensor]:
    """A tiny network whose label maps come from four pictures, and their latents."""
    latents = torch.randn(4, 2 * 2 * 2, generator=step_generator(0, 0))
    transformer = VARTransformer([1, 2], 16, 2, [2, 3, 2], 1, 8, 2, label_map_rank=6, label_pairs=4)
    init_label_maps(transformer, torch.zeros(16, 2), latents, LABELS, 0, 1)
    return transformer, latents


def test_the_map_of_a_trained_pair_starts_as_its_picture() -> None:
    transformer, latents = pair_transformer()
    maps = transformer.label_maps
    with torch.inference_mode():
        expected = maps(LABELS, maps.rows(LABELS))
        nothing = maps(torch.tensor([[2, 3, 2]]), torch.tensor([4]))
    places = latents.view(4, 2, 4).transpose(1, 2)  # (pictures, N, D)
    torch.testing.assert_close(expected[:, 1:], places)
    torch.testing.assert_close(expected[:, 0], places.mean(dim=1))
    torch.testing.assert_close(nothing[0, 1:], places.mean(dim=0))


def test_a_pair_without_picture_borrows_from_its_emoji() -> None:
    transformer, _ = pair_transformer()
    maps = transformer.label_maps
    asked = torch.tensor([[0, 1, 1], [1, 2, 0], [0, 0, 1], [0, 3, 1]])
    rows = maps.rows(asked)
    assert maps.pairs[rows[:3], 0].tolist() == [1, 2, 0]
    assert rows[3] == 4  # an open emoji has no code
    assert maps.sources(rows).tolist() == [0, 1, 1, 2]


def test_training_borrows_as_often_as_asked() -> None:
    transformer, _ = pair_transformer()
    own = own_rows(transformer.label_maps)
    labels = torch.tensor([[0, 0, 0], [0, 1, 0], [0, 3, 0]]).repeat(1000, 1)
    rows = borrow_rows(own, labels, 0.3, step_generator(0, 1)).view(1000, 3)
    assert 0.25 < (rows[:, 0] == 1).float().mean() < 0.35  # style 1 of emoji 0
    assert (rows[:, 0] < 2).all()
    assert (rows[:, 1] == 2).all()  # nothing to borrow
    assert (rows[:, 2] == 4).all()  # dropped emoji


def test_the_loss_falls_on_a_few_pictures(data: Path, tmp_path: Path) -> None:
    run_tokenizer(data, tmp_path / "tok", 40)
    plain = ("--label-map-rank", "0", "--no-label-pairs")  # maps know these pictures at once
    run_transformer(data, tmp_path / "tok" / "tokenizer", tmp_path / "var", 40, *plain)
    for name, key in (("tok", "l1"), ("var", "entropy")):
        lines = (tmp_path / name / "log.jsonl").read_text().splitlines()
        first, last = (json.loads(line)[key] for line in (lines[0], lines[-1]))
        assert last < first
    start = json.loads((tmp_path / "var" / "log.jsonl").read_text().splitlines()[0])
    assert start["entropy"] < np.log(16) * 1.05


def test_labels_are_dropped_but_never_a_category_beside_its_emoji() -> None:
    config = TransformerTrainConfig("", "", "", drop_emoji=0.2, drop_style=0.15)
    labels = torch.zeros(4000, 3, dtype=torch.int64)
    null = torch.tensor([2, 4, 5])
    dropped = drop_labels(labels, null, config, step_generator(0, 0)) == null
    category, emoji, style = dropped.unbind(1)
    assert not (category & ~emoji).any()
    everything = dropped.all(dim=1).float().mean()
    assert 0.08 < everything < 0.13
    assert 0.24 < emoji.float().mean() < 0.32
    assert 0.19 < style.float().mean() < 0.28
    assert (emoji & ~category & ~style).any()


def test_automatic_precision_is_that_of_drawing() -> None:
    cpu = torch.device("cpu")
    expected = "bf16" if pick_dtype(cpu) == torch.bfloat16 else "no"
    assert resolve_precision("auto", cpu) == expected
    assert [resolve_precision(name, cpu) for name in ("bf16", "no")] == ["bf16", "no"]
    with pytest.raises(ValueError, match="mixed_precision must be"):
        resolve_precision("fp8", cpu)
