"""A run starts from trained weights, of other depth and with other labels."""

import copy
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.training.tiny import (
    TINY_TRANSFORMER,
    different,
    run_tokenizer,
    run_transformer,
    transformer_arguments,
)
from training.loop.checkpoint import step_generator
from training.loop.command_line import parse_settings
from training.transformer.run import TransformerRun
from training.transformer.settings import TransformerSettings
from training.transformer.warm_start import load_trained
from var_core.checkpoints import load_transformer
from var_core.transformer import VARTransformer, init_weights


@pytest.fixture
def tokenizer(data: Path, tmp_path: Path) -> Path:
    run_tokenizer(data, tmp_path / "made", 2)
    return tmp_path / "made" / "tokenizer"


def test_new_labels_keep_what_was_learned_of_old_ones(
    data: Path, tokenizer: Path, tmp_path: Path
) -> None:
    run_transformer(data, tokenizer, tmp_path / "old", 2)
    names = json.loads((data / "labels.json").read_text())
    (tmp_path / "old" / "labels.json").write_text(json.dumps(names))
    old = copy.deepcopy(names)
    rows = json.loads((data / "rows.json").read_text())
    styles = names["attributes"][2]
    styles["values"] = ["s4", "s3", "new", "s0"]
    for number, row in enumerate(rows):
        row["style"] = styles["values"][number % 4]
    (data / "rows.json").write_text(json.dumps(rows))
    (data / "labels.json").write_text(json.dumps(names))
    initial = ["--initial", str(tmp_path / "old")]
    arguments = transformer_arguments(data, tokenizer, tmp_path / "new", 2)
    config = parse_settings(TransformerSettings, [*arguments, *initial], "")
    ours = TransformerRun(config).transformer.state_dict()
    theirs = load_trained(str(tmp_path / "old"))[0].state_dict()
    before, after = theirs["label_embeds.2.weight"], ours["label_embeds.2.weight"]
    index = {name: number for number, name in enumerate(old["attributes"][2]["values"])}
    for number, name in enumerate(styles["values"]):
        expected = before[index[name]] if name in index else before[:-1].mean(dim=0)
        torch.testing.assert_close(after[number], expected)
    assert torch.equal(after[-1], before[-1])
    assert different(
        {k: v for k, v in ours.items() if k != "label_embeds.2.weight"},
        {k: v for k, v in theirs.items() if k != "label_embeds.2.weight"},
    ) == []  # fmt: skip


def test_a_run_can_go_on_from_trained_weights(data: Path, tmp_path: Path) -> None:
    tokenizer, trained = tmp_path / "tok" / "tokenizer", tmp_path / "var" / "transformer"
    run_tokenizer(data, tmp_path / "tok", 2)
    run_transformer(data, tokenizer, tmp_path / "var", 2)
    arguments = f"--data {data} --tokenizer {tokenizer} --out {tmp_path / 'next'}"
    settings = parse_settings(
        TransformerSettings, f"{arguments} --initial {trained} {TINY_TRANSFORMER}".split(), ""
    )
    start = TransformerRun(settings).masters.named()
    expected = load_transformer(trained).state_dict()
    assert [name for name in start if not torch.equal(start[name], expected[name])] == []
    with pytest.raises(ValueError, match="has 2 blocks, fewer than the 3"):
        TransformerRun(replace(settings, initial_blocks=3))
    run_tokenizer(data, tmp_path / "other", 2, "--vocab-size", "32")
    other = str(tmp_path / "other" / "tokenizer")
    with pytest.raises(ValueError, match=r"another configuration: \['vocab_size'\]"):
        TransformerRun(replace(settings, tokenizer=other))


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
    tokenizer, whole = tmp_path / "tok" / "tokenizer", tmp_path / "deep"
    run_tokenizer(data, tmp_path / "tok", 2)
    arguments = f"--data {data} --tokenizer {tokenizer} {TINY_TRANSFORMER} --mixed-precision no"
    deep = f"{arguments} --depth 3 --out {whole}"
    settings = parse_settings(TransformerSettings, deep.split(), "")
    run = TransformerRun(settings)
    run.save()
    settings = replace(settings, initial_blocks=2, initial=str(whole / "transformer"))
    started = TransformerRun(settings).transformer.state_dict()
    trained = run.transformer.state_dict()
    assert torch.equal(started["pos_embed"], trained["pos_embed"])
    assert torch.equal(started["head.weight"], trained["head.weight"])
    for ours, theirs in ((0, 0), (1, 2)):
        name = "attention.proj.weight"
        assert torch.equal(started[f"blocks.{ours}.{name}"], trained[f"blocks.{theirs}.{name}"])
