"""Random numbers of pictures: like any others, and the same wherever a picture is looked at."""

import pytest
import torch

from tests.training.tiny import random_of
from training.loop.picture_random import PictureRandom


def numbers(random: PictureRandom) -> torch.Tensor:
    """Some of every kind, a row for each picture."""
    kinds = random.uniform(2), random.normal(3), random.integers(1 << 40, 1).double()
    return torch.cat(kinds, dim=1)


def test_a_picture_has_its_numbers_alone_in_any_part_and_in_any_process() -> None:
    whole = numbers(random_of(8))
    assert torch.equal(torch.cat([numbers(part) for part in random_of(8).chunk(4)]), whole)
    assert torch.equal(numbers(PictureRandom(0, 0, range(4, 8))), whole[4:])
    assert torch.equal(numbers(random_of(8).part(torch.arange(8) % 2 == 1)), whole[1::2])


def test_no_number_comes_twice() -> None:
    """Neither later, nor in another step, seed or picture, nor after parts have drawn."""
    random = random_of(50)
    drawn = [random.uniform(20), random.uniform(20)]
    drawn += [part.uniform(20) for part in random.chunk(2)]
    drawn += [random.uniform(20)]
    drawn += [PictureRandom(seed, step, range(50)).uniform(20) for seed, step in ((1, 0), (0, 1))]
    found = torch.cat([part.flatten() for part in drawn])
    assert len(found.unique()) > 0.99 * len(found)  # some of 6,000 agree in 24 bits


@pytest.mark.parametrize("step", [-3, 0, 1])
def test_numbers_are_spread_as_they_should_be(step: int) -> None:
    random = random_of(100, step)
    unit = random.uniform(1000)
    assert unit.min() >= 0 and unit.max() < 1
    counts = torch.histc(unit, 100, 0, 1)
    assert ((counts - 1000).square() / 1000).sum() < 160  # chi-squared with 99 degrees: 99 +- 14
    assert unit.mean(dim=1).std().item() == pytest.approx((1 / 12 / 1000) ** 0.5, rel=0.3)
    normal = random.normal(1000)
    assert normal.mean().abs() < 0.02 and normal.std().item() == pytest.approx(1, abs=0.02)
    assert normal.pow(4).mean().item() == pytest.approx(3, abs=0.2)
    assert torch.corrcoef(normal).triu(1).abs().max() < 0.2
    whole = random.integers(7, 1000)
    assert torch.bincount(whole.flatten(), minlength=7).min() > 13_500
    assert random.uniform(10, low=-2, high=-1).max() < -1


def test_numbers_made_on_a_device_are_those_made_here() -> None:
    """Its way of making them, run on the CPU, gives the same bits as that of the CPU."""
    cpu = torch.device("cpu")
    first, second = random_of(5), random_of(5)
    for shape in ((7,), (2, 3)):
        bits = first._bits_on(cpu, shape)
        assert torch.equal(bits, torch.from_numpy(second._bits(shape).view("i8")))
    assert torch.equal(first.uniform(4), second.uniform(4))  # both have drawn as many


def test_numbers_made_ahead_are_those_made_one_by_one() -> None:
    cpu = torch.device("cpu")
    first, second = random_of(5), random_of(5)
    for random in (first, second):
        random.uniform(3)
    first._ahead = 3, first._made_on(cpu, 3, 8)  # what `make_ahead` does for a GPU
    for shape in ((7,), (1,), (2, 3)):  # the last ones were not made ahead
        assert torch.equal(first._bits_on(cpu, shape), second._bits_on(cpu, shape))
    part = first.part(torch.tensor([4, 0]))  # another picture has others
    assert torch.equal(
        part._bits_on(cpu, (2,)), second.part(torch.tensor([4, 0]))._bits_on(cpu, (2,))
    )


@pytest.mark.gpu
def test_numbers_on_a_gpu_are_those_on_the_cpu() -> None:
    first, second, gpu = random_of(5), random_of(5), torch.device("cuda")
    assert torch.equal(first.uniform(9, device=gpu).cpu(), second.uniform(9))
    assert torch.equal(first.integers(1 << 40, 9, device=gpu).cpu(), second.integers(1 << 40, 9))
    torch.testing.assert_close(first.normal(9, device=gpu).cpu(), second.normal(9))
    first.make_ahead(12, gpu)
    assert torch.equal(first.uniform(9, device=gpu).cpu(), second.uniform(9))
    assert torch.equal(first.uniform(9, device=gpu).cpu(), second.uniform(9))
