"""Both kinds of codes behind one interface: encoded, drawn, edited, saved alike."""

import json
from pathlib import Path

import pytest
import torch

from tests.conftest import make_labels, make_transformer
from var_core import MultiScaleVQVAE, VARPipeline
from var_core.checkpoints import CheckpointError, load_tokenizer
from var_core.sampling import generators_from_seeds
from var_core.scales import ScaleSchedule
from var_core.tokenizer import BinarySphericalQuantizer, VectorQuantizer
from var_core.tokenizer.initial_weights import init_tokenizer
from var_core.tokenizer.residual_pyramid import bicubic_weights, enlarge

SIDES = (1, 2, 3, 4)


def binary_tokenizer() -> MultiScaleVQVAE:
    """As the tiny tokenizer of the other tests, with 2^5 codes of five signs."""
    tokenizer = MultiScaleVQVAE(
        sides=SIDES, vocab_size=32, code_dim=5, level_channels=(16, 32), norm_groups=8,
        num_blocks=1, code_kind="bsq",
    )  # fmt: skip
    init_tokenizer(tokenizer, torch.Generator().manual_seed(0))
    return tokenizer.eval().requires_grad_(False)


@pytest.mark.parametrize("side", [1, 3, 8, 13, 16])
def test_products_enlarge_as_bicubic_interpolation_does(side: int) -> None:
    maps = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(side))
    weights = bicubic_weights(side, 16, torch.device("cpu"))
    products = ((maps @ weights).transpose(2, 3) @ weights).transpose(2, 3)
    torch.testing.assert_close(products, enlarge(maps, (16, 16)), rtol=1e-5, atol=1e-5)


@pytest.fixture(params=[VectorQuantizer, BinarySphericalQuantizer])
def quantizer(request: pytest.FixtureRequest) -> VectorQuantizer | BinarySphericalQuantizer:
    torch.manual_seed(0)
    return request.param(ScaleSchedule(SIDES), 32, 5).requires_grad_(False)


def test_the_nearest_code_is_that_of_a_search_over_all(quantizer: VectorQuantizer) -> None:
    maps = torch.randn(3, 5, 4, 4, generator=torch.Generator().manual_seed(1))
    vectors = maps.permute(0, 2, 3, 1).reshape(-1, 5)
    expected = torch.cdist(vectors, quantizer.code_vectors()).argmin(dim=1).view(3, 4, 4)
    assert torch.equal(quantizer.nearest_tokens(maps), expected)


def test_every_code_is_the_nearest_to_itself(quantizer: VectorQuantizer) -> None:
    tokens = torch.arange(32).view(2, 4, 4)
    assert torch.equal(quantizer.nearest_tokens(quantizer.embed(tokens)), tokens)
    rows = quantizer.embed(tokens).permute(0, 2, 3, 1).reshape(32, 5)
    assert torch.equal(rows, quantizer.code_vectors())


def test_binary_codes_lie_on_the_unit_sphere() -> None:
    codes = BinarySphericalQuantizer(ScaleSchedule(SIDES), 32, 5).code_vectors()
    torch.testing.assert_close(codes.norm(dim=1), torch.ones(32))
    assert len(codes.unique(dim=0)) == 32


def test_entropy_loss_is_low_for_sure_and_varied_bits_only() -> None:
    quantizer = BinarySphericalQuantizer(ScaleSchedule((1, 4)), 32, 5).requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    signs = torch.randint(0, 2, (64, 5, 1, 1), generator=generator) * 2.0 - 1

    def loss(features: torch.Tensor) -> float:
        return float(quantizer.entropy_loss(features, quantizer.encode(features)))

    varied = loss(signs.expand(-1, -1, 4, 4))
    collapsed = loss(torch.ones(64, 5, 4, 4))
    unsure = loss(torch.randn(64, 5, 4, 4, generator=generator))
    assert varied < unsure < collapsed + 1e-6
    features = torch.randn(2, 5, 4, 4, generator=generator, requires_grad=True)
    quantizer.entropy_loss(features, quantizer.encode(features)).backward()
    assert features.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("vocab_size", "code_dim"), [(31, 5), (32, 6), (2**16, 32)], ids=["odd", "wide", "too wide"]
)
def test_binary_codes_need_a_power_of_two(vocab_size: int, code_dim: int) -> None:
    with pytest.raises(ValueError, match=rf"2\^code_dim, got {vocab_size}"):
        MultiScaleVQVAE(
            sides=SIDES, vocab_size=vocab_size, code_dim=code_dim, level_channels=(32,),
            code_kind="bsq",
        )  # fmt: skip


def test_an_unknown_kind_of_codes_is_refused(tmp_path: Path) -> None:
    tokenizer = binary_tokenizer()
    tokenizer.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text()) | {"code_kind": "fsq"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="code_kind must be vq or bsq, got 'fsq'"):
        load_tokenizer(tmp_path)


def test_a_model_with_binary_codes_is_saved_drawn_and_edited(tmp_path: Path) -> None:
    tokenizer = binary_tokenizer()
    transformer = make_transformer()
    config = dict(transformer.config) | {"code_dim": 5}
    network = type(transformer).from_config(config)
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            value.normal_(0, 0.5, generator=torch.Generator().manual_seed(len(name)))
        else:
            value.copy_(transformer.state_dict()[name])
    pipeline = VARPipeline(tokenizer, network.eval().requires_grad_(False), make_labels())
    pipeline.save_pretrained(tmp_path)
    loaded = VARPipeline.from_pretrained(tmp_path)
    assert isinstance(loaded.tokenizer.quantizer, BinarySphericalQuantizer)
    drawn, again = (
        one([[0, 1, 2]], generator=generators_from_seeds([3]), output_type="pt").images
        for one in (pipeline, loaded)
    )
    assert torch.equal(drawn, again)
    quantization = tokenizer.encode(drawn * 2 - 1)
    assert torch.equal(
        tokenizer.quantizer.sum_scales(quantization.token_maps)[-1], quantization.latent
    )
    smooth = loaded(
        [[0, 1, 2]], generator=generators_from_seeds([3]), smooth=True, output_type="pt"
    )
    assert smooth.images.isfinite().all()
