"""Boxes around what is true in a mask."""

from collections.abc import Iterator

import numpy as np

Place = tuple[slice, slice]  # rows and columns


def moved(place: Place, down: int, right: int) -> Place:
    """A place some pixels further down and to the right."""
    rows, columns = place
    return (
        slice(rows.start + down, rows.stop + down),
        slice(columns.start + right, columns.stop + right),
    )


def box_around(mask: np.ndarray, margin: int) -> Place:
    """Rows and columns of all that is true in a mask, with a margin where there is room.

    Args:
        mask: (H, W) bool, not empty.
        margin: pixels.
    """
    spans = [np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0)]
    tight = slice(spans[0][0], spans[0][-1] + 1), slice(spans[1][0], spans[1][-1] + 1)
    return _widened(tight, margin, mask.shape)


def boxes_apart(mask: np.ndarray, margin: int) -> list[Place]:
    """Boxes around parts of a mask, with a margin where there is room; they do not meet.

    Args:
        mask: (H, W) bool, not empty.
        margin: pixels.
    """
    found, waiting = [], [box_around(mask, 0)]
    while waiting:
        box = waiting.pop()
        whole = mask[box]
        parts = [
            moved((rows, columns), box[0].start, box[1].start)
            for rows in runs(np.any(whole, axis=1), 2 * margin)
            for columns in runs(np.any(whole, axis=0), 2 * margin)
        ]
        if len(parts) == 1:
            found.append(box)
            continue
        for part in parts:
            if mask[part].any():
                tight = box_around(mask[part], 0)
                waiting.append(moved(tight, part[0].start, part[1].start))
    return [_widened(box, margin, mask.shape) for box in found]


def runs(line: np.ndarray, gap: int) -> Iterator[slice]:
    """Stretches of a line (L,) of bool from true to true, with more than a gap between them."""
    places = np.flatnonzero(line)
    for run in np.split(places, np.flatnonzero(np.diff(places) > gap) + 1):
        if len(run):
            yield slice(int(run[0]), int(run[-1]) + 1)


def _widened(box: Place, margin: int, shape: tuple[int, ...]) -> Place:
    rows, columns = (
        slice(max(int(span.start) - margin, 0), min(int(span.stop) + margin, length))
        for span, length in zip(box, shape, strict=True)
    )
    return rows, columns
