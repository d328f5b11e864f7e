"""Pictures in shards on disk, read when they are used: an array (n, S, S, 3) that is never whole.

A packed set is a folder of .tar files of small pictures, and arrays that say where each picture
lies and what it shows. `write_packed_set.py` writes it.
"""

import io
import json
import os
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from PIL import Image

MANIFEST = "set.json"  # written last
PLACES, LABELS, SPLITS, CAPTIONS = "places.npy", "labels.npy", "splits.npy", "captions.npy"
LABEL_NAMES, PHRASES = "labels.json", "phrases.json"
VERSION = 1
OPEN_FILES = 64


@dataclass(frozen=True)
class Manifest:
    """What a packed set consists of.

    Attributes:
        side: side of the pictures in pixels.
        num_pictures: number of pictures.
        files: size in bytes of each .tar file, by name, in the order of the pictures.
        digest: hash of all pictures and of what is said of them.
    """

    side: int
    num_pictures: int
    files: Mapping[str, int]
    digest: str

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read that of a folder, and check that its files have their sizes.

        Raises:
            ValueError: if it is damaged, or a file is missing or cut off.
            OSError: if it cannot be read.
        """
        entries = json.loads((folder / MANIFEST).read_text("utf-8"))
        if not isinstance(entries, dict) or entries.pop("version", None) != VERSION:
            raise ValueError(f"{MANIFEST} is not of version {VERSION}")
        manifest = cls(**entries)
        for name, size in manifest.files.items():
            found = (folder / name).stat().st_size
            if found != size:
                raise ValueError(f"{name} has {found} bytes instead of {size}")
        return manifest


class PackedPictures:
    """The pictures of a packed set.

    Args:
        folder: folder of the set.
        manifest: what it consists of.
        places: (n, 3) number of the .tar file, first byte in it, bytes.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, folder: Path, manifest: Manifest, places: np.ndarray) -> None:
        self.paths = [folder / name for name in manifest.files]
        self.side = manifest.side
        self.places = places
        self._open: OrderedDict[int, int] = OrderedDict()
        self._lock = Lock()

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape of all pictures: n, S, S, 3."""
        return (len(self.places), self.side, self.side, 3)

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Some pictures, (N, S, S, 3) uint8, by a slice, row numbers or booleans."""
        places = self.places[rows]
        if places.ndim == 1:
            return self._read(*places.tolist())
        images = np.empty((len(places), *self.shape[1:]), np.uint8)
        for index, place in enumerate(places.tolist()):
            images[index] = self._read(*place)
        return images

    def _read(self, shard: int, start: int, size: int) -> np.ndarray:
        with self._lock:  # else another thread might close the file meanwhile
            content = os.pread(self._descriptor(shard), size, start)
        try:
            with Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as image:
                pixels = np.asarray(image.convert("RGB"))
        except (OSError, SyntaxError, ValueError) as error:
            raise ValueError(f"{self.paths[shard]}: no picture at byte {start}: {error}") from error
        if pixels.shape != self.shape[1:]:
            raise ValueError(f"{self.paths[shard]}: at byte {start} lies one of {pixels.shape}")
        return pixels

    def _descriptor(self, shard: int) -> int:
        """An open file; `pread` needs no place in it, so processes may share it."""
        if shard not in self._open:
            self._open[shard] = os.open(self.paths[shard], os.O_RDONLY)
            if len(self._open) > OPEN_FILES:
                os.close(self._open.popitem(last=False)[1])
        self._open.move_to_end(shard)
        return self._open[shard]

    def __del__(self) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)

    def __getstate__(self) -> dict[str, Any]:
        """Files are opened anew in another process."""
        return {name: getattr(self, name) for name in ("paths", "side", "places")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state | {"_open": OrderedDict(), "_lock": Lock()}


def load_array(path: Path, shape: tuple[int, ...], kind: str) -> np.ndarray:
    """A memory-mapped array; -1 stands for any size.

    Raises:
        ValueError: if it has another shape or other numbers.
        OSError: if it cannot be read.
    """
    found = np.lib.format.open_memmap(path, mode="r")
    fits = len(found.shape) == len(shape) and all(
        wanted in (-1, size) for wanted, size in zip(shape, found.shape, strict=True)
    )
    if not fits or found.dtype != np.dtype(kind):
        raise ValueError(f"{path.name} is {found.shape} {found.dtype}")
    return found
