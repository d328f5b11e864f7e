"""Small sources of pictures for the tests of readers."""

import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image


def picture_file(
    number: int, side: int = 32, kind: str = "JPEG", width: int | None = None
) -> bytes:
    """A smooth picture of its own."""
    dice = np.random.default_rng(number)
    small = Image.fromarray(dice.integers(0, 256, (4, 4, 3), dtype=np.uint8))
    file = io.BytesIO()
    small.resize((width or side, side)).save(file, kind)
    return file.getvalue()


def write_tar(path: Path, members: dict[str, bytes | str]) -> Path:
    """A shard with some members, in order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            content = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def write_shards(folder: Path, count: int = 3, pictures: int = 8) -> Path:
    """Shards of pictures with a class (of three) and a caption (of two)."""
    for shard in range(count):
        members: dict[str, bytes | str] = {}
        for number in range(shard * pictures, (shard + 1) * pictures):
            members[f"{number:04d}.jpg"] = picture_file(number)
            members[f"{number:04d}.cls"] = str(number % 3)
            members[f"{number:04d}.txt"] = f"a picture of kind {number % 2}\n"
        write_tar(folder / f"part-{shard}.tar", members)
    return folder
