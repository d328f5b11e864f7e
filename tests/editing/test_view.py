"""What the model sees of a large window is read once, and holds nothing of what is hidden."""

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.editing.test_editing import box_mask, noise
from var_core.editing import Window
from var_core.editing.boxes import Place
from var_core.editing.masks import fill_shares
from var_core.editing.view import reduced, view


def slow_reduced(
    pixels: np.ndarray, unknown: np.ndarray, window: Window, inside: Place, counts: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """As `reduced`, box by box."""
    whole, known = np.zeros((*window.shape, 3)), np.zeros(window.shape, bool)
    place = tuple(
        slice(part.start - start, part.stop - start)
        for part, start in zip(inside, (window.top, window.left), strict=True)
    )
    whole[place], known[place] = pixels, ~unknown
    sums, shares = torch.zeros(1, 3, *counts), torch.zeros(1, 1, *counts)
    lines, edges = (
        [one * length // count for one in range(count + 1)]
        for length, count in zip(window.shape, counts, strict=True)
    )
    for row in range(counts[0]):
        for column in range(counts[1]):
            cell = slice(*lines[row : row + 2]), slice(*edges[column : column + 2])
            area, seen = known[cell].size, int(known[cell].sum())
            total = torch.from_numpy(whole[cell][known[cell]].sum(axis=0)).float()
            sums[0, :, row, column] = (total / 127.5 - seen) / area
            shares[0, 0, row, column] = seen / area
    return fill_shares(sums, shares), (shares < 1).float()


@pytest.mark.parametrize(
    ("size", "window"),
    [
        ((100, 90), Window(0, 0, 90, 90)),
        ((100, 90), Window(3, 0, 83, 83)),
        ((130, 20), Window(0, -55, 130, 130)),
        ((20, 130), Window(-55, 0, 130, 130)),
        ((61, 40), Window(0, -11, 61, 61)),
        ((61, 40), Window(0, -3, 61, 44)),
    ],
)
def test_a_reduced_window_holds_the_means_of_what_is_known(
    size: tuple[int, int], window: Window
) -> None:
    inside = window.inside(*size)
    pixels = np.asarray(noise(*size))[inside]
    unknown = box_mask(*size, (size[0] // 3, size[1] // 4, 30, 9))[inside]
    found = reduced(pixels, unknown, window, inside, (16, 16))
    expected = slow_reduced(pixels, unknown, window, inside, (16, 16))
    assert all(map(torch.equal, found, expected))
    painted = np.where(unknown[..., None], np.uint8(77), pixels)
    assert torch.equal(reduced(painted, unknown, window, inside, (16, 16))[0], found[0])


def test_a_large_window_looks_as_if_every_pixel_had_been_scaled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    side, shape = 1026, (16, 16)
    rows, columns = np.mgrid[:side, :side] / side
    waves = (np.stack((rows, columns, np.sin(9 * rows * columns)), axis=-1) + 1) * 127
    pixels, window = waves.astype(np.uint8), Window(0, 0, side, side)
    unknown = box_mask(side, side, (200, 300, 400, 90))
    place = window.inside(side, side)
    image, holes = view(pixels, unknown, window, place, shape)
    monkeypatch.setattr("var_core.editing.view.FEWEST_CELLS", side)
    whole, whole_holes = view(pixels, unknown, window, place, shape)
    assert torch.equal(holes, whole_holes) and 0 < holes.sum() < holes.numel()
    seen = (holes == 0).expand_as(image)
    assert (image - whole)[seen].abs().max() < 4 / 255  # two levels
