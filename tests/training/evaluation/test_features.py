"""The feature net has the architecture it claims and reads its own files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from training.evaluation.features import (
    FEATURES_FILE,
    NUM_FEATURES,
    FeatureNet,
    SameConv,
    load_features,
)

NETS = Path("data/nets")


@pytest.fixture(scope="module")
def net() -> FeatureNet:
    torch.manual_seed(0)
    return FeatureNet(side=32).eval()


def test_features_have_the_promised_shape_and_dtype(net: FeatureNet) -> None:
    features = net(torch.rand(2, 3, 64, 48) * 2 - 1)
    assert features.shape == (2, NUM_FEATURES)
    assert features.dtype == torch.float32


def test_preprocessing_maps_black_and_white_to_the_ends_of_the_range(net: FeatureNet) -> None:
    prepared = net.prepare(torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1).expand(2, 3, 8, 8))
    assert prepared.shape == (2, 3, 32, 32)
    torch.testing.assert_close(prepared[0], torch.full((3, 32, 32), -127 / 128))
    torch.testing.assert_close(prepared[1], torch.ones(3, 32, 32))


@pytest.mark.parametrize("side", [7, 8])
@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_same_convolution_pads_the_odd_pixel_at_the_end(
    side: int, kernel: int, stride: int
) -> None:
    conv = SameConv(4, 4, kernel, stride, groups=4).requires_grad_(False)
    maps = torch.randn(1, 4, side, side)
    out_side = -(-side // stride)
    total = max((out_side - 1) * stride + kernel - side, 0)
    before, after = total // 2, total - total // 2
    padded = F.pad(maps, (before, after, before, after))
    expected = F.conv2d(padded, conv.weight, conv.bias, stride, groups=4)
    assert conv(maps).shape[-2:] == (out_side, out_side)
    torch.testing.assert_close(conv(maps), expected)


def test_gradients_reach_the_pictures(net: FeatureNet) -> None:
    images = torch.zeros(1, 3, 32, 32, requires_grad=True)
    net(images).sum().backward()
    assert images.grad is not None and images.grad.isfinite().all()


def test_net_has_the_size_of_efficientnet_lite0(net: FeatureNet) -> None:
    weights = sum(p.numel() for name, p in net.named_parameters() if name.endswith("weight"))
    assert len(net.blocks) == 16
    assert weights == 3_328_992


def test_pictures_of_a_wrong_shape_are_refused(net: FeatureNet) -> None:
    with pytest.raises(ValueError, match=r"\(B, 3, H, W\)"):
        net(torch.zeros(3, 32, 32))


def test_a_side_below_the_stride_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 32, the stride of the net, got 16"):
        FeatureNet(side=16)


def test_saved_weights_come_back_frozen(net: FeatureNet, tmp_path: Path) -> None:
    tensors = {name: tensor.contiguous() for name, tensor in net.state_dict().items()}
    save_file(tensors, tmp_path / FEATURES_FILE)
    loaded = load_features(tmp_path, side=32)
    images = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(loaded(images), net(images))
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_missing_or_damaged_file_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"missing.*python -m training\.prepare\.nets --out"):
        load_features(tmp_path)
    (tmp_path / FEATURES_FILE).write_bytes(b"not a net")
    with pytest.raises(ValueError, match=r"damaged.*training\.prepare\.nets"):
        load_features(tmp_path)


@pytest.mark.skipif(
    not (NETS / FEATURES_FILE).is_file(),
    reason="needs data/nets: python -m training.prepare.nets --out data/nets",
)
def test_trained_net_gives_the_features_of_the_reference_code() -> None:
    line = torch.linspace(0, 1, 224)
    across, down = line.expand(224, 224), line.view(-1, 1).expand(224, 224)
    waves = (across * down * 40).sin() * 0.5 + 0.5
    picture = torch.stack([across, down, waves])[None] * 2 - 1
    features = load_features(NETS, side=224)(picture)[0]
    # Spatial means of `extract_features` of the package efficientnet_lite_pytorch 0.1.0.
    assert features.sum().item() == pytest.approx(275.4303, abs=0.01)
    golden = torch.tensor([0.0499, 0.4698, 0.8723, 0.9399, 0.0196, 0.1010])
    torch.testing.assert_close(features[[0, 100, 200, 400, 800, 1279]], golden, rtol=0, atol=2e-4)
    assert features.argmax() == 113
