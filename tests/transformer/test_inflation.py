"""A transformer of clips made from one of pictures draws the same first frames."""

import pytest
import torch

from tests.clip_models import CLIP, PICTURE, make_clip_tokenizer
from tests.conftest import make_tokenizer
from tests.prompted_models import SLOTS, TEXT_DIM, make_text_transformer
from var_core import SamplingOptions, VARTransformer, generators_from_seeds
from var_core.condition import Condition
from var_core.sampling import sample_scales
from var_core.transformer import init_weights
from var_core.transformer.inflation import inflate_transformer

OPTIONS = SamplingOptions(guidance_scale=2.0, top_k=12, top_p=0.9)


def of_classes() -> VARTransformer:
    transformer = VARTransformer(
        sides=PICTURE, vocab_size=32, code_dim=8, label_counts=(10,), depth=2, width=32, num_heads=2
    )
    init_weights(transformer, torch.Generator().manual_seed(1), 8.0, 2.0, 2.0)
    return transformer.eval().requires_grad_(False)


def of_words() -> VARTransformer:
    return make_text_transformer()


@pytest.mark.parametrize("make", [of_classes, of_words])
def test_the_first_frame_is_the_picture_token_by_token(make) -> None:
    before = make()
    clips = inflate_transformer(before, CLIP, torch.Generator().manual_seed(0))
    condition = Condition.of_labels(torch.tensor([[1], [2]]))
    if before.text_dim:
        phrases = torch.randn(2, SLOTS, TEXT_DIM, generator=torch.Generator().manual_seed(2))
        condition = Condition(torch.tensor([[1], [2]]), phrases, torch.ones(2, SLOTS).bool())

    def drawn(transformer: VARTransformer, tokenizer) -> list:
        parts = transformer, tokenizer.quantizer, condition, OPTIONS
        return list(sample_scales(*parts, generators_from_seeds([1, 2])))

    ours, theirs = drawn(clips, make_clip_tokenizer()), drawn(before, make_tokenizer(PICTURE))
    assert len(ours) == len(CLIP) and len(theirs) == len(PICTURE)
    for one, other in zip(ours, theirs, strict=False):
        assert torch.equal(one.token_map, other.token_map)
    assert not torch.equal(clips.pos_embed[:, -1], clips.pos_embed[:, -17])  # of another frame


@pytest.mark.parametrize("sides", [PICTURE, (1, 2, 4, (2, 4, 4))])
def test_only_clips_of_the_same_pictures_can_be_inflated_to(sides: tuple) -> None:
    with pytest.raises(ValueError, match=r"must begin with \[1, 2, 3, 4\]"):
        inflate_transformer(of_classes(), sides, torch.Generator())
