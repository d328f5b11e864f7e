"""Wrong codes in the input, and targets that mend them."""

import torch
import torch.nn.functional as F

from tests.conftest import make_tokenizer
from tests.training.tiny import random_of
from training.loop.checkpoint import step_generator
from training.transformer.correction import corrupt, nearest_codes
from var_core.tokenizer import MultiScaleVQVAE


def test_a_mistake_is_one_of_the_codes_nearest_to_the_right_one() -> None:
    codes = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    assert nearest_codes(codes, 2).tolist() == [[1, 2], [0, 2], [1, 0], [2, 1]]
    assert nearest_codes(codes, 99).shape == (4, 3)


def encoded() -> tuple[MultiScaleVQVAE, torch.Tensor, list[torch.Tensor]]:
    tokenizer = make_tokenizer()
    generator = step_generator(0, 5)
    side, _ = tokenizer.schedule.final_shape
    features = torch.randn(64, tokenizer.config.code_dim, side, side, generator=generator)
    return tokenizer, features, tokenizer.quantizer.encode(features).token_maps


def test_without_mistakes_self_correction_is_teacher_forcing() -> None:
    tokenizer, features, token_maps = encoded()
    quantizer = tokenizer.quantizer
    neighbours = nearest_codes(quantizer.code_vectors(), 4)
    inputs, targets = corrupt(quantizer, token_maps, features, neighbours, 0.0, random_of(64))
    assert torch.equal(inputs, quantizer.teacher_inputs(token_maps))
    assert torch.equal(targets, torch.cat([one.flatten(1) for one in token_maps], dim=1))


def test_targets_after_a_mistake_lead_back_to_the_picture() -> None:
    """With mistakes in the coarse scales, the corrected targets end nearer than the old ones."""
    tokenizer, features, token_maps = encoded()
    quantizer = tokenizer.quantizer
    schedule = tokenizer.schedule
    neighbours = nearest_codes(quantizer.code_vectors(), 31)
    inputs, targets = corrupt(quantizer, token_maps, features, neighbours, 1.0, random_of(64))
    last = schedule.num_scales - 1
    # the latent that the last scale starts from is its input, for it has the latent's own shape
    latent = inputs[:, -schedule.size_of(last) :].transpose(1, 2)
    latent = latent.unflatten(2, schedule.final_shape)
    own = token_maps[last]
    mended = targets[:, schedule.token_range(last)].view_as(own)
    assert (mended != own).float().mean() > 0.2

    def error(tokens: torch.Tensor) -> float:
        end = quantizer.add_scale(latent, quantizer.embed(tokens), last)
        return F.mse_loss(end, features).item()

    assert error(mended) < error(own)
