"""Costs are counted alike: guidance is paid by every method, and attention is counted."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
import torch.nn.functional as F

from tests.conftest import make_tokenizer
from training.loop.stop_signals import StopFlag
from training.study import drawing_costs as costs
from training.study.artists import Choice, DiffusionArtist, RasterArtist, ScaleArtist
from training.study.diffusion_network import DiffusionTransformer
from var_core.condition import Condition
from var_core.transformer import VARTransformer, init_weights

SIDES = (1, 2, 4)
SMALL: dict[str, Any] = {"label_counts": [2], "depth": 2, "width": 32, "num_heads": 2}


def started(network: VARTransformer) -> Any:
    init_weights(network, torch.Generator().manual_seed(1), 8.0, 2.0, 2.0)
    return network.eval().requires_grad_(False)


def network_of(sides: list[int]) -> VARTransformer:
    return started(
        VARTransformer(sides=sides, vocab_size=32, code_dim=8, shared_modulation=True, **SMALL)
    )


def undecoded() -> Any:
    """A tokenizer that decodes nothing, so that the network alone is counted."""
    quantizer = make_tokenizer(SIDES).quantizer
    schedule = SimpleNamespace(final_shape=(4, 4))
    return SimpleNamespace(
        quantizer=quantizer,
        schedule=schedule,
        decode=lambda maps: maps[0],
        decode_latent=lambda latent: latent,
    )


def artists() -> list[Any]:
    latents = SimpleNamespace(decode=lambda drawn: drawn)
    diffusion = started(DiffusionTransformer(side=4, channels=8, **SMALL))
    return [
        ScaleArtist(network_of(list(SIDES)), undecoded()),
        RasterArtist(network_of([1] * 16), undecoded()),
        DiffusionArtist(diffusion, cast(Any, latents)),
    ]


@pytest.mark.parametrize("artist", artists(), ids=("var", "raster", "diffusion"))
def test_guidance_is_paid_in_full(artist: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs, "DIFFUSION_STEPS", (3,))
    condition = Condition.of_labels(torch.zeros(1, 1, dtype=torch.int64))
    plain = costs.operations(lambda: artist.draw(condition, Choice(steps=3), [0]))
    (guided,) = costs.drawing_operations(artist).values()
    assert guided == pytest.approx(2 * plain, rel=0.1)  # VAR adds codes once


def test_attention_is_counted_on_every_device() -> None:
    q = torch.ones(1, 2, 8, 4)
    found = costs.operations(lambda: F.scaled_dot_product_attention(q, q, q))
    assert found == 2 * (2 * 8 * 8 * 4) * 2  # two products for each of two heads


@pytest.mark.parametrize("artist", artists()[:2], ids=("var", "raster"))
def test_the_head_is_paid_once_under_guidance(artist: Any) -> None:
    rows: list[int] = []
    artist.network.head.register_forward_hook(lambda _, inputs, __: rows.append(len(inputs[0])))
    condition = Condition.of_labels(torch.zeros(1, 1, dtype=torch.int64))
    artist.draw(condition, Choice(1.5), [0])
    assert rows == [1] * artist.network.schedule.num_scales


def test_methods_take_turns_and_the_fastest_round_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[str] = []
    times = iter([9.0, 0.1, *range(20, 0, -1)])  # the first round of both prepares what is kept

    def seconds_of(draw: str) -> float:
        turns.append(draw)
        return next(times)

    monkeypatch.setattr(costs, "guided_drawings", lambda artist: {"7": artist})
    monkeypatch.setattr(costs, "seconds_of", seconds_of)
    found = costs.drawing_seconds(cast(Any, {"var": "v", "raster": "r"}), StopFlag())
    assert turns == ["v", "r"] * (1 + costs.ROUNDS)
    assert found == {"var": {"7": 2}, "raster": {"7": 1}}
    asked = StopFlag()
    asked.set(15, None)
    assert costs.drawing_seconds(cast(Any, {"var": "v"}), asked) is None
