"""Parts of resized maps, to the bit as if all had been resized, at the price of the parts."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from var_core.editing.boxes import Place


def resized_part(
    maps: Tensor,
    size: tuple[int, int],
    place: Place,
    mode: str,
    *,
    antialias: bool = False,
    rows_first: bool = False,
) -> Tensor:
    """A part of maps that are resized along their rows, then along their columns.

    Args:
        maps: (C, h, w).
        size: height and width of the whole.
        place: rows and columns of the part in the whole.
        mode: "bicubic" or "bilinear".
        antialias: whether a mean is taken where the maps get smaller.
        rows_first: makes the rows of the whole first, which costs less for a wide part.

    Returns:
        (C, H, W) of the part.
    """
    if rows_first:
        sides, part_of_it = (size[1], size[0]), (place[1], place[0])
        turned = maps.mT.contiguous()
        part = resized_part(turned, sides, part_of_it, mode, antialias=antialias)
        return part.mT.contiguous()
    rows, columns = place
    wide = (maps.shape[1], size[1])
    maps = F.interpolate(maps[None], wide, mode=mode, antialias=antialias)[..., columns]
    high = (size[0], maps.shape[-1])
    return F.interpolate(maps, high, mode=mode, antialias=antialias)[0, :, rows]


class AreaMeans:
    """Means over the areas that `F.interpolate` takes to make a map smaller.

    Only the values of parts are added up, in the same order; all others are zero.

    Args:
        size: height and width of the map.
        small: height and width of the smaller one.
    """

    def __init__(self, size: tuple[int, int], small: tuple[int, int]) -> None:
        cells = [np.arange(count) for count in small]
        self._starts = [c * n // m for c, n, m in zip(cells, size, small, strict=True)]
        self._ends = [-(-(c + 1) * n // m) for c, n, m in zip(cells, size, small, strict=True)]
        self._small = small

    def of(self, parts: list[tuple[Place, Tensor]]) -> Tensor:
        """Means of values that are zero outside of some parts.

        Args:
            parts: places in the map and their values (C, H, W); no cell holds something of two.

        Returns:
            (C, h, w).
        """
        sums = torch.zeros(len(parts[0][1]), *self._small, dtype=torch.float32)
        for place, values in parts:
            cells, rows, columns = self._cells(place)
            total = np.zeros((len(values), len(rows[0]), len(columns[0])), np.float32)
            for down in _steps(rows):
                lines = _taken(values.numpy(), rows, down, axis=1)
                for right in _steps(columns):
                    total += _taken(lines, columns, right, axis=2)
            sums[:, *cells] += torch.from_numpy(total)
        heights, widths = (
            torch.from_numpy(ends - starts).float()
            for starts, ends in zip(self._starts, self._ends, strict=True)
        )
        return sums / heights[:, None] / widths

    def _cells(self, place: Place) -> tuple[Place, "_Spans", "_Spans"]:
        """Cells that hold something of a part, and what each holds of its rows and columns."""
        cells, spans = [], []
        for part, starts, ends in zip(place, self._starts, self._ends, strict=True):
            first = int(np.searchsorted(ends, part.start, side="right"))
            last = int(np.searchsorted(starts, part.stop, side="left"))
            here = slice(first, last)
            cells.append(here)
            length = part.stop - part.start
            begins = (starts[here] - part.start).clip(0, length)
            spans.append((begins, (ends[here] - part.start).clip(0, length)))
        return (cells[0], cells[1]), spans[0], spans[1]


_Spans = tuple[np.ndarray, np.ndarray]  # starts and ends of cells in a part


def _steps(spans: _Spans) -> range:
    return range(int((spans[1] - spans[0]).max()))


def _taken(values: np.ndarray, spans: _Spans, step: int, axis: int) -> np.ndarray:
    """The values of each cell so many steps from its start; zero beyond its end."""
    starts, ends = spans
    at = starts + step
    found = values.take(np.minimum(at, values.shape[axis] - 1), axis=axis)
    inside = (at < ends).reshape([-1 if axis == one else 1 for one in range(values.ndim)])
    return np.where(inside, found, np.float32(0))
