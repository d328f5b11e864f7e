"""The perceptual distance is a frozen, differentiable distance."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from training.tokenizer.perceptual import (
    MIN_SIDE,
    NORM_FLOOR,
    PERCEPTUAL_FILE,
    TAP_CHANNELS,
    CompareDirections,
    PerceptualDistance,
    load_perceptual,
)

NETS = Path("data/nets")


@pytest.fixture(scope="module")
def distance() -> PerceptualDistance:
    torch.manual_seed(0)
    return PerceptualDistance()


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    return torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_equal_pictures_have_distance_zero(
    distance: PerceptualDistance, pictures: torch.Tensor
) -> None:
    assert torch.equal(distance(pictures, pictures.clone()), torch.zeros(3))


def test_distance_is_positive_and_symmetric(
    distance: PerceptualDistance, pictures: torch.Tensor
) -> None:
    there, back = distance(pictures, pictures.flip(0)), distance(pictures.flip(0), pictures)
    assert there.shape == (3,)
    assert (there[[0, 2]] > 0).all()
    torch.testing.assert_close(there, back)


def test_every_picture_is_judged_alone(
    distance: PerceptualDistance, pictures: torch.Tensor
) -> None:
    references = pictures.flip(3)
    torch.testing.assert_close(
        distance(pictures, references)[1:2], distance(pictures[1:2], references[1:2])
    )


def test_gradients_reach_pictures_and_no_weights(
    distance: PerceptualDistance, pictures: torch.Tensor
) -> None:
    images = pictures.clone().requires_grad_()
    distance(images, pictures.flip(0)).sum().backward()
    assert images.grad is not None and images.grad.isfinite().all()
    assert images.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in distance.parameters())
    assert not any(parameter.requires_grad for parameter in distance.parameters())


def test_gradient_is_finite_where_a_picture_equals_its_reference(
    distance: PerceptualDistance,
) -> None:
    images = torch.ones(1, 3, 32, 32, requires_grad=True)
    distance(images, torch.ones(1, 3, 32, 32)).sum().backward()
    assert torch.equal(images.grad, torch.zeros_like(images))


def test_taps_of_references_can_be_computed_once(
    distance: PerceptualDistance, pictures: torch.Tensor
) -> None:
    references = pictures.flip(0)
    with torch.no_grad():
        reference_taps = distance.taps(references)
    assert [tap.shape[1] for tap in reference_taps] == list(TAP_CHANNELS)
    assert torch.equal(
        distance.compare(distance.taps(pictures), reference_taps), distance(pictures, references)
    )


def test_written_out_gradient_equals_that_of_autograd() -> None:
    generator = torch.Generator().manual_seed(2)
    maps, references = torch.rand(2, 2, 5, 3, 4, generator=generator).relu()
    head = torch.rand(5, generator=generator)
    weights = torch.tensor([1.0, -2.0])

    def slow(maps: torch.Tensor, references: torch.Tensor) -> torch.Tensor:
        ours, theirs = (
            m * (m.square().sum(1, keepdim=True) + NORM_FLOOR).rsqrt() for m in (maps, references)
        )
        return ((ours - theirs).square() * head.view(1, -1, 1, 1)).sum(1).mean((1, 2))

    results = []
    for compare in (lambda a, b: CompareDirections.apply(a, b, head), slow):
        pair = maps.clone().requires_grad_(), references.clone().requires_grad_()
        value = compare(*pair)
        (value * weights).sum().backward()
        results.append((value.detach(), pair[0].grad, pair[1].grad))
    for fast, expected in zip(*results, strict=True):
        torch.testing.assert_close(fast, expected)


def test_autocast_stays_close_and_returns_float32(
    distance: PerceptualDistance, pictures: torch.Tensor
) -> None:
    images = pictures.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        rough = distance(images, pictures.flip(0))
    rough.sum().backward()
    assert rough.dtype == images.grad.dtype == torch.float32
    torch.testing.assert_close(rough, distance(pictures, pictures.flip(0)), rtol=0.05, atol=1e-3)


@pytest.mark.parametrize("side", [MIN_SIDE, 18, 25, 64])
def test_any_side_that_is_large_enough_works(distance: PerceptualDistance, side: int) -> None:
    assert distance.taps(torch.zeros(1, 3, side, side))[-1].shape[-1] >= 1


@pytest.mark.parametrize("shape", [(1, 3, 16, 32), (1, 1, 32, 32), (3, 32, 32)])
def test_pictures_of_a_wrong_shape_are_refused(
    distance: PerceptualDistance, shape: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match=r"\(B, 3, H, W\)"):
        distance(torch.zeros(shape), torch.zeros(shape))


def test_saved_weights_come_back(distance: PerceptualDistance, tmp_path: Path) -> None:
    tensors = {name: tensor.contiguous() for name, tensor in distance.state_dict().items()}
    save_file(tensors, tmp_path / PERCEPTUAL_FILE)
    loaded = load_perceptual(tmp_path)
    for name, tensor in distance.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_missing_file_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"python -m training\.prepare\.nets --out"):
        load_perceptual(tmp_path)


@pytest.mark.parametrize("is_other_net", [False, True])
def test_damaged_file_names_the_command(tmp_path: Path, is_other_net: bool) -> None:
    if is_other_net:
        save_file({"weight": torch.zeros(2)}, tmp_path / PERCEPTUAL_FILE)
    else:
        (tmp_path / PERCEPTUAL_FILE).write_bytes(b"not a net")
    with pytest.raises(ValueError, match=r"damaged.*training\.prepare\.nets"):
        load_perceptual(tmp_path)


def draw_test_pictures() -> torch.Tensor:
    """Smooth coloured blobs: (4, 3, 64, 64) in [-1, 1]."""
    noise = torch.rand(4, 3, 9, 9, generator=torch.Generator().manual_seed(3)) * 2 - 1
    return F.interpolate(noise, size=64, mode="bicubic").mul(1.5).clamp(-1, 1)


@pytest.mark.skipif(
    not (NETS / PERCEPTUAL_FILE).is_file(),
    reason="needs data/nets: python -m training.prepare.nets --out data/nets",
)
def test_trained_net_orders_damages_as_people_do() -> None:
    distance = load_perceptual(NETS)
    pictures = draw_test_pictures()
    noise = torch.randn(pictures.shape, generator=torch.Generator().manual_seed(4))
    shifted = distance(pictures, pictures.roll(1, dims=3)).mean()
    noisy = distance(pictures, (pictures + 0.2 * noise).clamp(-1, 1)).mean()
    other = distance(pictures, pictures.roll(1, dims=0)).mean()
    assert 0.0 < shifted < 0.1
    assert shifted < noisy < 1.0
    assert shifted < other < 2.0
