"""A decoder may be larger than the encoder; without such a wish it mirrors it as published."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from var_core.checkpoints import load_tokenizer
from var_core.tokenizer import MultiScaleVQVAE
from var_core.tokenizer.initial_weights import init_tokenizer


def small(**decoder: Any) -> MultiScaleVQVAE:
    tokenizer = MultiScaleVQVAE(
        (1, 2), 16, 8, (32, 64), num_blocks=1, stem_patch=4, level_attention=False, **decoder
    )
    init_tokenizer(tokenizer, torch.Generator().manual_seed(0))
    return tokenizer.eval()


def shapes(tokenizer: MultiScaleVQVAE, decoder: bool) -> dict[str, torch.Size]:
    named = tokenizer.state_dict().items()
    return {name: value.shape for name, value in named if name.startswith("decoder.") == decoder}


@torch.no_grad()
def test_a_larger_decoder_leaves_all_else_as_it_is() -> None:
    plain, large = small(), small(decoder_channels=(64, 96), decoder_blocks=4)
    assert shapes(plain, decoder=False) == shapes(large, decoder=False)
    assert len(large.decoder.levels[0].blocks) == 4
    assert large.decoder.conv_in.out_channels == 96
    pictures = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    assert large(pictures).shape == pictures.shape


def test_a_decoder_of_the_usual_size_may_be_named() -> None:
    named = small(decoder_channels=(32, 64), decoder_blocks=2)
    assert shapes(small(), decoder=True) == shapes(named, decoder=True)


@torch.no_grad()
def test_folders_of_earlier_versions_load_bit_for_bit(tmp_path: Path) -> None:
    """Their settings do not have the size of a decoder."""
    tokenizer = small()
    tokenizer.save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    kept = {k: v for k, v in json.loads(path.read_text()).items() if not k.startswith("decoder")}
    path.write_text(json.dumps(kept))
    loaded = load_tokenizer(tmp_path)
    latent = torch.randn(1, 8, 2, 2, generator=torch.Generator().manual_seed(1))
    assert torch.equal(loaded.decode_latent(latent), tokenizer.decode_latent(latent))


@pytest.mark.parametrize(
    ("decoder", "message"),
    [
        ({"decoder_channels": (64,)}, "for each of the 2 level_channels, got 1"),
        ({"decoder_channels": (64, 80)}, "decoder_channels must hold multiples of 32"),
        ({"decoder_channels": ()}, "decoder_channels must have 1 to 8 entries, got 0"),
        ({"decoder_blocks": 0}, "decoder_blocks must be a whole number from 1 to 16, got 0"),
    ],
)
def test_a_decoder_that_does_not_fit_is_refused(decoder: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(**decoder)
