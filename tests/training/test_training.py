"""Both trainers on a handful of made-up pictures."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from training import train_tokenizer, train_transformer
from training.config import parse_config, resolve_precision
from training.labels_init import init_label_maps, own_rows
from training.objective import TransformerTrainConfig, borrow_rows, drop_labels
from training.perceptual import PerceptualDistance
from training.state import complete_checkpoints, load_run, save_run, step_generator
from var_core.checkpoints import load_tokenizer, load_transformer
from var_core.devices import pick_dtype
from var_core.transformer import VARTransformer

TINY_TOKENIZER = (
    "--sides 1 2 8 --vocab-size 16 --code-dim 8 --level-channels 32 --stem-patch 8 --batch-size 4 "
    "--quantize-after 1 --restart-every 2 --warmup-steps 2 --evaluate-every 4 --save-every 2"
)
TINY_TRANSFORMER = (
    "--depth 2 --width 32 --num-heads 2 --batch-size 4 --num-views 2 --warmup-steps 2 "
    "--evaluate-every 4 --save-every 2 --no-compile"
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Twenty pictures of four emoji in two categories and five styles."""
    folder = tmp_path / "data"
    folder.mkdir()
    generator = np.random.default_rng(0)
    small = generator.integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    np.save(folder / "images.npy", small.repeat(8, axis=1).repeat(8, axis=2))
    rows = [
        {"style": f"s{i % 5}", "key": str(i // 5), "label": f"e{i // 5}", "group": "g",
         "subgroup": f"c{i // 10}", "tags": []}
        for i in range(20)
    ]  # fmt: skip
    (folder / "rows.json").write_text(json.dumps(rows))
    splits = {"train": list(range(16)), "validation": [16, 17], "held_out": [18, 19]}
    (folder / "splits.json").write_text(json.dumps(splits))
    names = {
        "attributes": [
            {"name": "category", "values": ["c0", "c1"]},
            {"name": "emoji", "values": [f"e{i}" for i in range(4)]},
            {"name": "style", "values": [f"s{i}" for i in range(5)]},
        ],
        "implies": {"emoji": {"category": [0, 0, 1, 1]}},
        "emoji": {"characters": list("abcd"), "tags": [[]] * 4},
    }
    (folder / "labels.json").write_text(json.dumps(names))
    return folder


@pytest.fixture(autouse=True)
def random_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trained perceptual net is no part of the repository; a random one has the same shape."""

    def load(folder: str) -> PerceptualDistance:
        torch.manual_seed(0)
        return PerceptualDistance()

    monkeypatch.setattr(train_tokenizer, "load_perceptual", load)


def run_tokenizer(data: Path, out: Path, steps: int) -> None:
    arguments = f"--data {data} --out {out} --steps {steps} --mixed-precision no {TINY_TOKENIZER}"
    train_tokenizer.main(arguments.split())


def run_transformer(data: Path, tokenizer: Path, out: Path, steps: int, *more: str) -> None:
    arguments = f"--data {data} --tokenizer {tokenizer} --out {out} --steps {steps}"
    arguments = f"{arguments} --mixed-precision no {TINY_TRANSFORMER}".split()
    train_transformer.main([*arguments, *more])


def stop_after(monkeypatch: pytest.MonkeyPatch, run_type: type, step: int) -> None:
    """Let a run die right after a step, as a machine that loses power would."""
    original = run_type.train_step

    def dying(self: object) -> dict:
        if self.step == step:
            raise KeyboardInterrupt
        return original(self)

    monkeypatch.setattr(run_type, "train_step", dying)


def final_weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_run(complete_checkpoints(folder)[-1])[0]["weights"]


def test_training_resumes_bit_for_bit(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_tokenizer(data, tmp_path / "tok", 4)
    run_transformer(data, tmp_path / "tok" / "tokenizer", tmp_path / "var", 4)
    for run_type, name, again in (
        (
            train_tokenizer.TokenizerRun,
            "tok",
            lambda out: run_tokenizer(data, out, 4),
        ),
        (
            train_transformer.TransformerRun,
            "var",
            lambda out: run_transformer(data, tmp_path / "tok" / "tokenizer", out, 4),
        ),
    ):
        out = tmp_path / f"{name}-cut"
        with monkeypatch.context() as patch:
            stop_after(patch, run_type, 3)
            with pytest.raises(KeyboardInterrupt):
                again(out)
        again(out)
        expected = final_weights(tmp_path / name)
        found = final_weights(out)
        assert [key for key in expected if not torch.equal(found[key], expected[key])] == []
    load_tokenizer(tmp_path / "tok" / "tokenizer")
    load_transformer(tmp_path / "var" / "transformer")


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
    for other in (
        replace(settings, width=2 * settings.width),
        replace(settings, depth=settings.depth + 1),
    ):
        with pytest.raises(ValueError, match="another configuration"):
            train_transformer.TransformerRun(other)


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
        depth=2,
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


def test_a_half_written_checkpoint_is_not_used(tmp_path: Path) -> None:
    for step in (1, 2):
        save_run(tmp_path, step, {"weights": {"a": torch.full((3,), float(step))}}, {})
    (tmp_path / "step-00000002" / "weights.safetensors").write_bytes(b"half")
    (tmp_path / ".saving-step-00000003").mkdir()
    newest = complete_checkpoints(tmp_path)[-1]
    assert load_run(newest)[1]["step"] == 1


def test_old_checkpoints_go_only_after_the_new_one_is_there(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        save_run(tmp_path, step, {"weights": {"a": torch.zeros(1)}}, {})
    assert [path.name for path in complete_checkpoints(tmp_path)] == [
        "step-00000002",
        "step-00000003",
    ]


def test_steps_are_seeded_apart() -> None:
    draws = {
        (seed, step, rank): torch.rand(1, generator=step_generator(seed, step, rank)).item()
        for seed in (0, 1)
        for step in (0, 1)
        for rank in (0, 1)
    }
    assert len(set(draws.values())) == 8
    assert draws[0, 1, 0] == torch.rand(1, generator=step_generator(0, 1, 0)).item()


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
