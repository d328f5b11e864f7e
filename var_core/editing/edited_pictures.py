"""Large pictures of which a small part has changed."""

from collections.abc import Sequence
from typing import overload

import numpy as np
from PIL import Image

from var_core.editing.seam import Place


class EditedPictures(Sequence[Image.Image]):
    """Pictures with a changed part; each is put together when it is looked at.

    Args:
        before: RGB pictures without the change; they are not touched.
        place: rows and columns of the changed part.
        parts: new pixels of each picture there, (H, W, 3) uint8.
    """

    def __init__(
        self, before: Sequence[Image.Image], place: Place, parts: Sequence[np.ndarray]
    ) -> None:
        self._before = before
        self._place = place
        self._parts = parts

    def __len__(self) -> int:
        return len(self._before)

    @overload
    def __getitem__(self, index: int) -> Image.Image: ...
    @overload
    def __getitem__(self, index: slice) -> list[Image.Image]: ...
    def __getitem__(self, index: int | slice) -> Image.Image | list[Image.Image]:
        if isinstance(index, slice):
            return [self[place] for place in range(len(self))[index]]
        whole, (rows, columns) = self._before[index].copy(), self._place
        whole.paste(Image.fromarray(self._parts[index]), (columns.start, rows.start))
        return whole
