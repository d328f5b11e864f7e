"""Our engine computes what the official implementation computes (float32, CPU)."""

import pytest
import torch
import torch.nn.functional as F

from tests.official.parity_models import CASES, ParityCase, load_case
from var_core.condition import Condition
from var_core.sampling import SamplingOptions, generators_from_seeds, sample_scales


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> ParityCase:
    return load_case(request.param)


def assert_close(actual: torch.Tensor, expected: torch.Tensor) -> None:
    """Equal to 1e-4 of the largest expected value."""
    assert actual.shape == expected.shape
    assert (actual - expected).abs().max() <= 1e-4 * expected.abs().max()


def test_encoder_latent(case: ParityCase) -> None:
    features = case.tokenizer.encode_features(case.images())
    assert_close(features[:, :, ::3, ::3], case.figures["encode/latent"])


def test_encoder_tokens(case: ParityCase) -> None:
    for index, token_map in enumerate(case.tokenizer.encode(case.images()).token_maps):
        assert torch.equal(token_map.flatten(1), case.figures[f"encode/tokens_{index}"].long())


def test_reconstruction(case: ParityCase) -> None:
    images = case.tokenizer.decode(case.tokenizer.encode(case.images()).token_maps)
    assert_close(images[:, :, ::8, ::8], case.figures["decode/image_8x"])


def test_teacher_forcing(case: ParityCase) -> None:
    token_maps = case.tokenizer.encode(case.images()).token_maps
    inputs = case.tokenizer.quantizer.teacher_inputs(token_maps)
    assert_close(inputs, case.figures["teacher/input"])
    logits = case.transformer(inputs, Condition.of_labels(torch.tensor(case.labels).unsqueeze(1)))
    assert_close(logits[:, ::7], case.figures["teacher/logits"])
    tokens = torch.cat([token_map.flatten(1) for token_map in token_maps], dim=1)
    cross_entropy = F.cross_entropy(logits.flatten(0, 1), tokens.flatten())
    assert_close(cross_entropy.view(1), case.figures["teacher/cross_entropy"])


@pytest.mark.parametrize("run_index", [0, 1])
def test_sampled_tokens_and_picture(case: ParityCase, run_index: int) -> None:
    run = case.runs[run_index]
    options = SamplingOptions(
        guidance_scale=run["cfg"], top_k=run["top_k"], top_p=run["top_p"], smooth=False
    )
    steps = list(
        sample_scales(
            case.transformer,
            case.tokenizer.quantizer,
            Condition.of_labels(torch.tensor([[run["label"]]])),
            options,
            generators_from_seeds([run["seed"]]),
        )
    )
    tokens = torch.cat([step.token_map.flatten(1) for step in steps], dim=1)
    assert torch.equal(tokens, case.figures[f"sample_{run_index}/tokens"].long())
    image = (case.tokenizer.decode_latent(steps[-1].latent) + 1) / 2
    assert_close(image[:, :, ::8, ::8], case.figures[f"sample_{run_index}/image_8x"])
