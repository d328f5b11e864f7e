"""The picture that is being edited."""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from var_core.jobs.png_recipe import write_png

SHOWN_SIDE = 1024  # pixels; larger pictures are painted on at a smaller size
THUMBNAIL_SIDE = 128  # pixels of the longer side of a version in the list


@dataclass(frozen=True)
class Canvas:
    """A picture to edit, and smaller copies of it beside its file.

    Attributes:
        path: PNG file of the picture.
        size: width and height in pixels.
    """

    path: Path
    size: tuple[int, int]

    @property
    def shown(self) -> tuple[int, int]:
        """Width and height at which it is painted on."""
        return shown_size(self.size)

    @property
    def view(self) -> Path:
        """PNG file of the picture at the size at which it is painted on."""
        return self.path if self.shown == self.size else self.path.with_name("view.png")

    @property
    def thumbnail(self) -> Path:
        """JPEG file of a small copy."""
        return self.path.with_name("thumbnail.jpg")

    def write_copies(self, image: Image.Image) -> None:
        """Write the smaller copies.

        Args:
            image: the picture at its full size.

        Raises:
            OSError: if there is no space.
        """
        if self.view != self.path:
            write_view(self.view, image)
        small = image.convert("RGB")
        small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
        small.save(self.thumbnail, format="jpeg", quality=85)

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


def shown_size(size: tuple[int, int]) -> tuple[int, int]:
    """Width and height at which a picture of a size is painted on."""
    width, height = size
    factor = min(1.0, SHOWN_SIDE / max(width, height))
    return max(1, round(width * factor)), max(1, round(height * factor))


def write_view(path: Path, image: Image.Image) -> None:
    """Write a picture as PNG at the size at which it is painted on.

    Raises:
        OSError: if there is no space.
    """
    write_png(path, image.resize(shown_size(image.size), Image.Resampling.LANCZOS), None)
