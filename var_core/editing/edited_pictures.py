"""Large pictures of which a small part has changed."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, overload

from PIL import Image

from var_core.editing.boxes import Place


class Patch(NamedTuple):
    """New pixels of a part of a picture.

    Attributes:
        place: rows and columns of the part.
        image: RGB pixels there.
        weight: how much of them counts, a picture of mode L; None takes them as they are.
    """

    place: Place
    image: Image.Image
    weight: Image.Image | None = None


class EditedPictures(Sequence[Image.Image]):
    """Pictures with changed parts; each is put together when it is looked at.

    Args:
        before: RGB pictures without the change; they are not touched.
        patches_of: function that returns the patches of the picture of an index.
    """

    def __init__(
        self, before: Sequence[Image.Image], patches_of: Callable[[int], Sequence[Patch]]
    ) -> None:
        self._before = before
        self._patches_of = patches_of

    def __len__(self) -> int:
        return len(self._before)

    @overload
    def __getitem__(self, index: int) -> Image.Image: ...
    @overload
    def __getitem__(self, index: slice) -> list[Image.Image]: ...
    def __getitem__(self, index: int | slice) -> Image.Image | list[Image.Image]:
        if isinstance(index, slice):
            return [self[place] for place in range(len(self))[index]]
        whole = self._before[index].copy()
        for (rows, columns), image, weight in self._patches_of(range(len(self))[index]):
            whole.paste(image, (columns.start, rows.start), weight)
        return whole

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)  # what puts them together would take more room than they do
