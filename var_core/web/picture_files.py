"""Pictures that the page shows as files."""

import tempfile
from pathlib import Path
from urllib.parse import quote

from PIL import Image

from var_core.jobs.png_recipe import write_png


class PictureFiles:
    """Writes pictures into folders of their own.

    Args:
        folder: parent of these folders.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def new_folder(self) -> Path:
        """A new, empty folder.

        Raises:
            OSError: if there is no space.
        """
        return Path(tempfile.mkdtemp(dir=self.folder))

    def write(self, image: Image.Image) -> str:
        """Write a picture as PNG without metadata; returns the path.

        Raises:
            OSError: if there is no space.
        """
        path = self.new_folder() / "picture.png"
        write_png(path, image, None)
        return str(path)


def file_url(path: Path | str) -> str:
    """The address of a file that the page shows, relative to the page."""
    return f"gradio_api/file={quote(str(path))}"
