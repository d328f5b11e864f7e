"""A decoder may end in levels of its own, so that its last convolution makes small squares."""

import pytest
import torch

from var_core.tokenizer import MultiScaleVQVAE
from var_core.tokenizer.initial_weights import init_tokenizer


def small(head_channels: tuple[int, ...], stem_patch: int = 8) -> MultiScaleVQVAE:
    return MultiScaleVQVAE(
        sides=(1, 2),
        vocab_size=16,
        code_dim=8,
        level_channels=(32,),
        num_blocks=1,
        stem_patch=stem_patch,
        level_attention=False,
        head_channels=head_channels,
    )


@pytest.mark.parametrize(("head_channels", "patch"), [((), 8), ((32,), 4), ((32, 32), 2)])
def test_a_head_halves_the_squares_and_keeps_the_size(
    head_channels: tuple[int, ...], patch: int
) -> None:
    tokenizer = small(head_channels)
    init_tokenizer(tokenizer, torch.Generator().manual_seed(0))
    pictures = torch.rand(2, 3, 16, 16) * 2 - 1
    assert tokenizer(pictures).shape == pictures.shape
    assert tokenizer.decoder.conv_out.out_channels == 3 * patch**2
    assert tokenizer.stride == 8


def test_a_head_has_no_part_in_a_model_without_one() -> None:
    assert not [name for name in small(()).state_dict() if "head" in name]


def test_more_head_levels_than_the_patch_can_be_halved_are_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 4, got 6"):
        small((32, 32), stem_patch=6)
