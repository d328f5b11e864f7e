"""Codes start where pictures are, restart when unused, and are counted."""

import pytest
import torch
import torch.nn.functional as F
from accelerate import Accelerator

from tests.conftest import make_tokenizer
from training.loop.checkpoint import step_generator
from training.loop.ema import ExponentialAverage
from training.tokenizer.codebook import CodebookCare, count_codes, start_codes, usage_figures
from training.tokenizer.settings import TokenizerSettings
from var_core.tokenizer import MultiScaleVQVAE, Quantization
from var_core.tokenizer.initial_weights import init_tokenizer


def make_care() -> CodebookCare:
    """The care for the 32 codes of a tiny tokenizer."""
    tokenizer = make_tokenizer()
    return CodebookCare(
        tokenizer,
        TokenizerSettings(data="", out=""),
        Accelerator(cpu=True),
        ExponentialAverage(tokenizer, 0.999),
        torch.optim.AdamW(tokenizer.parameters(), fused=True),
    )


def test_usage_figures_tell_a_collapsed_scale_from_a_lively_one() -> None:
    counts = torch.zeros(2, 8)
    counts[0, 3] = 100
    counts[1] = 5
    figures = usage_figures(counts)
    assert figures["codes_used"] == 1
    assert figures["codes_used_per_scale"] == [0.125, 1.0]
    assert figures["entropy_bits_per_scale"] == [0.0, 3.0]


def test_codes_are_counted_at_each_scale() -> None:
    maps = [torch.tensor([[[3]]]), torch.tensor([[[0, 3], [3, 1]]])]
    twin = torch.stack([torch.bincount(one.flatten(), minlength=5) for one in maps])
    assert torch.equal(count_codes(maps, 5), twin.float())


def test_codes_start_where_pictures_are() -> None:
    """A start from data leaves a smaller error than random codes, for both kinds of codes."""
    for kind, dim in (("vq", 8), ("bsq", 5)):
        tokenizer = MultiScaleVQVAE(
            sides=(1, 2, 4), vocab_size=32, code_dim=dim, level_channels=(16, 32), norm_groups=8,
            code_kind=kind, num_refine=3,
        )  # fmt: skip
        init_tokenizer(tokenizer, step_generator(0, 0))
        images = torch.rand(32, 3, 8, 8, generator=step_generator(0, 1)) * 2 - 1

        def error(tokenizer: MultiScaleVQVAE = tokenizer, images: torch.Tensor = images) -> float:
            features = tokenizer.encode_features(images)
            return F.mse_loss(tokenizer.quantizer.encode(features).latent, features).item()

        with torch.no_grad():
            before = error()
            start_codes(tokenizer, images, step_generator(0, 2))
            assert error() < 0.9 * before


def test_codes_start_from_small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """All start pictures at once would take more memory than a training step."""
    tokenizer, sizes = make_tokenizer(), []
    encode = tokenizer.encode_features

    def counted(images: torch.Tensor) -> torch.Tensor:
        sizes.append(len(images))
        return encode(images)

    monkeypatch.setattr(tokenizer, "encode_features", counted)
    side = tokenizer.image_shape[0]
    images = torch.rand(70, 3, side, side, generator=step_generator(0, 1)) * 2 - 1
    start_codes(tokenizer, images, step_generator(0, 2))
    assert sizes == [32, 32, 6]


def test_unused_codes_move_to_where_pictures_are() -> None:
    care = make_care()
    care.counts[:, :30] = 1.0
    table = care.tokenizer.quantizer.codebook.weight
    before = table.clone()
    vectors = torch.full((6, 8), 9.0)
    vectors[::2] = float("nan")  # as a step that was skipped leaves them
    assert care.restart(vectors, step_generator(0, 0)) == 2
    assert torch.equal(table[:30], before[:30])
    assert (table[30:] == 9.0).all()


def test_a_moved_code_begins_anew() -> None:
    """Its average is not pulled from the old place, and old gradients move it no more."""
    care = make_care()
    table = care.tokenizer.quantizer.codebook.weight
    average = care.average.tensors["quantizer.codebook.weight"]
    table.grad = torch.ones_like(table)
    care.optimizer.step()
    care.counts[:, :30] = 1.0
    before = average.clone()
    care.restart(torch.full((6, 8), 9.0), step_generator(0, 0))
    assert (average[30:] == 9.0).all() and torch.equal(average[:30], before[:30])
    for name in ("exp_avg", "exp_avg_sq"):
        moments = care.optimizer.state[table][name]
        assert (moments[30:] == 0).all() and (moments[:30] > 0).all()


def test_a_collapse_shows_within_a_window_of_steps() -> None:
    care = make_care()
    schedule = care.tokenizer.quantizer.schedule
    all_codes = [
        torch.arange(height * width).view(1, height, width) % 32
        for height, width in schedule.shapes
    ]
    first = Quantization([torch.zeros_like(codes) for codes in all_codes], [])
    for step in range(1, 251):
        lively = step <= 100
        care.count(Quantization(all_codes, []) if lively else first, step)
        if step == 100:
            assert care.figures(step)["codes_used_per_scale"] == [
                round(min(size, 32) / 32, 4) for size in schedule.sizes
            ]
    figures = care.figures(250)
    assert figures["codes_used_per_scale"] == [0.0312] * schedule.num_scales
    assert figures["entropy_bits_per_scale"] == [0.0] * schedule.num_scales
    again = make_care()
    again.restore(care.tensors())
    assert again.figures(250) == figures
