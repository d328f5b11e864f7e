"""The picture that is being edited."""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from var_core.jobs.data_url import png_url

SHOWN_SIDE = 1024  # pixels; larger pictures are painted on at a smaller size


@dataclass(frozen=True)
class Canvas:
    """A picture to edit.

    Attributes:
        path: PNG file with the pixels of the picture and no metadata.
        size: width and height in pixels.
    """

    path: Path
    size: tuple[int, int]

    @property
    def shown(self) -> tuple[int, int]:
        """Width and height at which it is painted on."""
        width, height = self.size
        factor = min(1.0, SHOWN_SIDE / max(width, height))
        return max(1, round(width * factor)), max(1, round(height * factor))

    def url(self) -> str:
        """The picture at the size at which it is painted on, as data URL.

        Raises:
            ValueError: if the file has been deleted.
        """
        return png_url(self.read().resize(self.shown, Image.Resampling.LANCZOS))

    def read(self) -> Image.Image:
        """The picture at its full size.

        Raises:
            ValueError: if the file has been deleted.
        """
        try:
            with Image.open(self.path, formats=("PNG",)) as image:
                return image.convert("RGB")
        except OSError as error:
            raise ValueError("the picture is not there any more: open it again") from error
