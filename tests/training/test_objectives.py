"""What the trainers optimise, piece by piece."""

import copy
import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from tests.conftest import make_tokenizer
from tests.training.tiny import (
    different,
    run_tokenizer,
    run_transformer,
    tokenizer_arguments,
    transformer_arguments,
)
from training import train_tokenizer, train_transformer
from training.data.token_cache import Views, load_or_build_token_cache
from training.loop.checkpoint import step_generator
from training.loop.config import parse_config
from training.loop.optim import learning_rate_at, weight_decay_at
from training.tokenizer.codebook import CodeUsage, start_codes, usage_figures
from training.tokenizer.discriminator import (
    PatchDiscriminator,
    adaptive_weight,
    augment_alike,
    hinge_loss,
    init_discriminator,
)
from training.tokenizer.objective import drop_scales, spoil, view_alike
from training.tokenizer.perceptual import PerceptualDistance
from training.transformer.correction import corrupt, nearest_codes
from training.transformer.objective import TransformerTrainConfig
from var_core.checkpoints import load_tokenizer
from var_core.scales import ScaleSchedule
from var_core.tokenizer import BinarySphericalQuantizer, MultiScaleVQVAE

SIDE = 16


def pictures(count: int = 4) -> torch.Tensor:
    return torch.rand(count, 3, SIDE, SIDE, generator=step_generator(0, 0)) * 2 - 1


def test_the_adversary_tells_blurred_pictures_after_some_steps() -> None:
    adversary = PatchDiscriminator(16)
    init_discriminator(adversary, step_generator(0, 1))
    optimizer = torch.optim.AdamW(adversary.parameters(), 2e-3)
    generator = step_generator(0, 2)
    losses = []
    for _ in range(60):
        real = torch.rand(16, 3, SIDE, SIDE, generator=generator) * 2 - 1
        rebuilt = F.avg_pool2d(real, 3, 1, 1)
        both = torch.cat((augment_alike(real, generator), augment_alike(rebuilt, generator)))
        loss = hinge_loss(*adversary(both).chunk(2))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(1.0, abs=0.1)
    assert sum(losses[-10:]) / 10 < 0.7


@pytest.mark.parametrize(("view", "side"), [("whole", 16), ("half", 8), ("crop", 8)])
def test_both_sides_are_seen_in_the_same_view(view: str, side: int) -> None:
    real = pictures()
    ours, theirs = view_alike(real.clone(), real, view, step_generator(0, 1))
    assert ours.shape == (4, 3, side, side) and torch.equal(ours, theirs)


def test_the_hinge_is_zero_where_the_adversary_is_sure_and_right() -> None:
    assert hinge_loss(torch.full((3,), 2.0), torch.full((3,), -1.5)) == 0
    assert hinge_loss(torch.zeros(3), torch.zeros(3)) == 1


def test_the_adaptive_weight_makes_both_gradients_as_long() -> None:
    weight = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    ours, theirs = (weight * torch.tensor([3.0, 4.0])).sum(), 0.01 * weight.sum()
    factor = adaptive_weight(ours, theirs, weight)
    gradient = torch.autograd.grad(factor * theirs, weight)[0]
    assert gradient.norm().item() == pytest.approx(5.0, rel=0.01)
    nothing = adaptive_weight(ours, 0 * weight.sum(), weight)
    assert nothing <= 1e4 * 5.01


def test_changes_of_pictures_are_seeded_and_keep_gradients() -> None:
    images = pictures().requires_grad_()
    first, second, other = (augment_alike(images, step_generator(0, step)) for step in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    first.sum().backward()
    assert images.grad.abs().sum() > 0
    assert (first == 0).any(dim=1).float().mean() > 0.1  # cut out


def test_noise_on_latents_has_at_most_the_asked_strength() -> None:
    latent = torch.randn(64, 8, 4, 4, generator=step_generator(0, 3)) * 3
    assert spoil(latent, 0.0, step_generator(0, 0)) is latent
    noise = spoil(latent, 0.5, step_generator(0, 0)) - latent
    strengths = noise.std(dim=(1, 2, 3)) / latent.std()
    assert strengths.max() < 0.6
    assert strengths.min() < 0.1
    assert 0.15 < strengths.mean() < 0.35


def test_scales_are_dropped_as_often_as_asked() -> None:
    schedule = ScaleSchedule((1, 2, 3, 4))
    stops = drop_scales(1000, schedule, 0.4, step_generator(0, 0))
    assert 0.55 < (stops == 3).float().mean() < 0.65
    assert set(stops.tolist()) == {0, 1, 2, 3}
    assert (drop_scales(1000, schedule, 0.0, step_generator(0, 0)) == 3).all()


def test_a_mistake_is_one_of_the_codes_nearest_to_the_right_one() -> None:
    codes = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    assert nearest_codes(codes, 2).tolist() == [[1, 2], [0, 2], [1, 0], [2, 1]]
    assert nearest_codes(codes, 99).shape == (4, 3)


def encoded() -> tuple[MultiScaleVQVAE, torch.Tensor, list[torch.Tensor]]:
    tokenizer = make_tokenizer()
    generator = step_generator(0, 5)
    side = tokenizer.schedule.final_side
    features = torch.randn(64, tokenizer.config.code_dim, side, side, generator=generator)
    return tokenizer, features, tokenizer.quantizer.encode(features).token_maps


def test_without_mistakes_self_correction_is_teacher_forcing() -> None:
    tokenizer, features, token_maps = encoded()
    quantizer = tokenizer.quantizer
    neighbours = nearest_codes(quantizer.code_vectors(), 4)
    inputs, targets = corrupt(
        quantizer, token_maps, features, neighbours, 0.0, step_generator(0, 0)
    )
    assert torch.equal(inputs, quantizer.teacher_inputs(token_maps))
    assert torch.equal(targets, torch.cat([one.flatten(1) for one in token_maps], dim=1))


def test_targets_after_a_mistake_lead_back_to_the_picture() -> None:
    """With mistakes in the coarse scales, the corrected targets end nearer than the old ones."""
    tokenizer, features, token_maps = encoded()
    quantizer = tokenizer.quantizer
    schedule = tokenizer.schedule
    neighbours = nearest_codes(quantizer.code_vectors(), 31)
    inputs, targets = corrupt(
        quantizer, token_maps, features, neighbours, 1.0, step_generator(0, 0)
    )
    last = schedule.num_scales - 1
    # the latent that the last scale starts from is its input, for it has the latent's own side
    side = schedule.final_side
    latent = inputs[:, -(side**2) :].transpose(1, 2).unflatten(2, (side, side))
    own = token_maps[last]
    mended = targets[:, schedule.token_range(last)].view_as(own)
    assert (mended != own).float().mean() > 0.2

    def error(tokens: torch.Tensor) -> float:
        end = quantizer.add_scale(latent, quantizer.embed(tokens), last)
        return F.mse_loss(end, features).item()

    assert error(mended) < error(own)


def test_schedules_start_and_end_where_they_should() -> None:
    for schedule in ("cosine", "linear"):
        rates = [learning_rate_at(step, 100, 2.0, 10, 0.1, schedule) for step in range(101)]
        assert rates[0] == pytest.approx(0.2)
        assert max(rates) == rates[10] == pytest.approx(2.0)
        assert rates[-1] == pytest.approx(0.2)
        assert rates[10:] == sorted(rates[10:], reverse=True)
    straight = [learning_rate_at(step, 100, 1.0, 0, 0.0, "linear") for step in (40, 60, 80)]
    assert straight[0] - straight[1] == pytest.approx(straight[1] - straight[2])
    assert weight_decay_at(0, 100, 0.05, 0.08) == pytest.approx(0.05)
    assert weight_decay_at(100, 100, 0.05, 0.08) == pytest.approx(0.08)
    assert weight_decay_at(70, 100, 0.05, -1.0) == 0.05


def test_usage_figures_tell_a_collapsed_scale_from_a_lively_one() -> None:
    counts = torch.zeros(2, 8)
    counts[0, 3] = 100
    counts[1] = 5
    figures = usage_figures(counts)
    assert figures["codes_used"] == 1
    assert figures["codes_used_per_scale"] == [0.125, 1.0]
    assert figures["entropy_bits_per_scale"] == [0.0, 3.0]


def test_codes_start_where_pictures_are() -> None:
    """A start from data leaves a smaller error than random codes, for both kinds of codes."""
    for kind, dim in (("vq", 8), ("bsq", 5)):
        tokenizer = MultiScaleVQVAE(
            sides=(1, 2, 4), vocab_size=32, code_dim=dim, level_channels=(16, 32), norm_groups=8,
            code_kind=kind, num_refine=3,
        )  # fmt: skip
        train_tokenizer.init_tokenizer(tokenizer, step_generator(0, 0))
        images = torch.rand(32, 3, 8, 8, generator=step_generator(0, 1)) * 2 - 1

        def error(tokenizer: MultiScaleVQVAE = tokenizer, images: torch.Tensor = images) -> float:
            features = tokenizer.encode_features(images)
            return F.mse_loss(tokenizer.quantizer.encode(features).latent, features).item()

        with torch.no_grad():
            before = error()
            start_codes(tokenizer, images, step_generator(0, 2))
            assert error() < 0.9 * before


def test_unused_codes_move_to_where_pictures_are() -> None:
    tokenizer = make_tokenizer()
    usage = CodeUsage(4, 32)
    usage.counts[:, :30] = 1.0
    before = tokenizer.quantizer.codebook.weight.clone()
    vectors = torch.full((6, 8), 9.0)
    assert usage.restart(tokenizer.quantizer, vectors, step_generator(0, 0)) == 2
    after = tokenizer.quantizer.codebook.weight
    assert torch.equal(after[:30], before[:30])
    assert (after[30:] == 9.0).all()


def test_the_tokenizer_learns_with_all_its_losses(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trained perceptual net is no part of the repository; a random one has the same shape."""

    def load(folder: str) -> PerceptualDistance:
        torch.manual_seed(0)
        return PerceptualDistance()

    monkeypatch.setattr(train_tokenizer, "load_perceptual", load)
    more = (
        f"--nets {data} --adversarial-weight 0.3 --adversarial-after 0.5 --latent-noise 0.2 "
        "--scale-dropout 0.2 --adversary-channels 16"
    )
    assert run_tokenizer(data, tmp_path, 40, *more.split()) == 0
    first, last = (json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines())
    assert last["l1"] < first["l1"]
    assert last["perceptual"] > 0
    assert "adversarial" not in first
    assert 0 < last["adversary"] < 2
    assert len(last["entropy_bits_per_scale"]) == 3
    assert list((tmp_path / "tensorboard").iterdir())


def test_binary_codes_are_trained_by_the_same_command(data: Path, tmp_path: Path) -> None:
    more = "--code-kind bsq --code-dim 5 --vocab-size 32 --num-refine 3"
    assert run_tokenizer(data, tmp_path / "tok", 40, *more.split()) == 0
    tokenizer = load_tokenizer(tmp_path / "tok" / "tokenizer")
    assert isinstance(tokenizer.quantizer, BinarySphericalQuantizer)
    first, last = (
        json.loads(line) for line in (tmp_path / "tok" / "log.jsonl").read_text().splitlines()
    )
    assert last["l1"] < first["l1"]
    assert last["codes_used"] > 0.3
    assert run_transformer(data, tmp_path / "tok" / "tokenizer", tmp_path / "var", 4) == 0


def test_a_decoder_alone_learns_without_a_token_changing(data: Path, tmp_path: Path) -> None:
    run_tokenizer(data, tmp_path / "first", 8)
    trained = tmp_path / "first" / "tokenizer"
    more = ["--initial", str(trained), "--decoder-only", "--latent-noise", "0.1"]
    assert run_tokenizer(data, tmp_path / "second", 8, *more) == 0
    before = load_tokenizer(trained).state_dict()
    after = load_tokenizer(tmp_path / "second" / "tokenizer").state_dict()
    changed = different(before, after)
    assert changed
    assert all(name.startswith(("decoder.", "post_quant.")) for name in changed)


@pytest.fixture
def tokenizer(data: Path, tmp_path: Path) -> Path:
    run_tokenizer(data, tmp_path / "made", 2)
    return tmp_path / "made" / "tokenizer"


def one_gradient(data: Path, tokenizer: Path, out: Path, *more: str) -> dict[str, torch.Tensor]:
    arguments = [*transformer_arguments(data, tokenizer, out, 4), *more]
    run = train_transformer.TransformerRun(parse_config(TransformerTrainConfig, arguments, ""))
    run.train_step()
    return {name: master.grad.clone() for name, master in run.masters.named().items()}


@pytest.mark.parametrize("more", ["--accumulate 2", "--checkpoint-activations"])
def test_ways_to_spare_memory_do_not_change_the_gradient(
    data: Path, tokenizer: Path, tmp_path: Path, more: str
) -> None:
    plain = one_gradient(data, tokenizer, tmp_path / "a")
    spared = one_gradient(data, tokenizer, tmp_path / "b", *more.split())
    for name, gradient in plain.items():
        torch.testing.assert_close(spared[name], gradient, rtol=1e-4, atol=1e-6)


def test_tokens_are_encoded_once_and_an_encoding_cut_off_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.data.token_cache.SHARD_PICTURES", 4)
    tokenizer = make_tokenizer()
    side = tokenizer.image_size
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (10, side, side, 3), dtype=torch.uint8, generator=generator)
    images, views = images.numpy(), Views(2, flip=True, all_latents=True)
    whole = load_or_build_token_cache(tmp_path, tokenizer, images, views)
    files = sorted(tmp_path.glob("*.safetensors"))
    assert len(files) == 6
    assert whole.tokens.shape == (2, 10, tokenizer.schedule.num_tokens)
    made = [path.stat().st_mtime_ns for path in files]
    files[4].unlink()
    again = load_or_build_token_cache(tmp_path, tokenizer, images, views)
    assert torch.equal(again.tokens, whole.tokens)
    assert torch.equal(again.latents, whole.latents)
    now = [path.stat().st_mtime_ns for path in files]
    assert [a == b for a, b in zip(made, now, strict=True)] == [True] * 4 + [False, True]
    images = images.copy()
    images[0] = 255 - images[0]
    other = load_or_build_token_cache(tmp_path, tokenizer, images, views)
    assert not torch.equal(other.tokens, whole.tokens)


def test_the_plan_of_a_run_names_settings_sizes_and_memory(
    data: Path, tokenizer: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "planned"
    assert train_tokenizer.main([*tokenizer_arguments(data, out, 4), "--dry-run"]) == 0
    count = sum(p.numel() for p in load_tokenizer(tokenizer).parameters())
    assert f"parameters: {count:,}" in capsys.readouterr().out
    arguments = [*transformer_arguments(data, tokenizer, out, 4), "--dry-run"]
    assert train_transformer.main(arguments) == 0
    assert "batch_size: 4" in capsys.readouterr().out
    plain, checkpointed, halved = (
        train_transformer.plan(parse_config(TransformerTrainConfig, [*arguments, *more], ""))
        for more in ([], ["--checkpoint-activations"], ["--accumulate", "2"])
    )
    assert checkpointed.memory["activations"] < 0.7 * plain.memory["activations"]
    assert halved.memory["activations"] < 0.7 * plain.memory["activations"]
    assert not out.exists()


def test_the_plan_counts_what_a_real_step_keeps(
    data: Path, tokenizer: Path, tmp_path: Path
) -> None:
    arguments = transformer_arguments(data, tokenizer, tmp_path / "run", 4)
    config = parse_config(TransformerTrainConfig, [*arguments, "--width", "256"], "")
    planned = train_transformer.plan(config).memory["activations"]
    run = train_transformer.TransformerRun(config)
    kept = {}
    weights = {value.untyped_storage().data_ptr() for value in run.objective.state_dict().values()}

    def keep(value: torch.Tensor) -> torch.Tensor:
        storage = value.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage
        return value

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        run.train_step()
    measured = sum(storage.nbytes() for storage in kept.values())
    assert planned == pytest.approx(measured, rel=0.1)


def test_new_labels_keep_what_was_learned_of_old_ones(
    data: Path, tokenizer: Path, tmp_path: Path
) -> None:
    plain = ["--label-map-rank", "0", "--no-label-pairs"]
    run_transformer(data, tokenizer, tmp_path / "old", 2, *plain)
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
    config = parse_config(TransformerTrainConfig, [*arguments, *plain, *initial], "")
    ours = train_transformer.TransformerRun(config).transformer.state_dict()
    theirs = train_transformer.load_trained(str(tmp_path / "old"))[0].state_dict()
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
    with pytest.raises(ValueError, match="label_map_rank 0"):
        train_transformer.TransformerRun(
            parse_config(
                TransformerTrainConfig, [*arguments, *initial, "--label-map-rank", "3"], ""
            )
        )
