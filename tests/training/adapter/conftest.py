"""Pictures of a new thing."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Four pictures of a red square that moves, and a note beside them."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(4):
        pixels = np.full((32, 32, 3), 255, np.uint8)
        pixels[8 + number : 24 + number, 8:24] = (200, 30, 30)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    (folder / "note.txt").write_text("my cat")
    return folder
