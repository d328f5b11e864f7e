"""The sprites of a prepared folder: what they are, and their pictures in several sizes."""

import io
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from training.data.scenes.things import Thing

TEXTURE_SIDE = 192  # a sprite's longer side is at most 184, so that a clear rim remains
NUM_LEVELS = 4  # 192, 96, 48, 24 pixels
TABLE_VERSION = 1
READING_THREADS = 2


@dataclass(frozen=True)
class SpriteTable:
    """The things, styles and pictures of a sprite folder, in the order of its table."""

    folder: Path
    things: tuple[Thing, ...]
    styles: tuple[str, ...]
    words: tuple[dict[str, list[str]], ...]  # of each thing: language -> names
    kinds: tuple[tuple[str, ...], ...]  # of each thing: phrases such as "an animal"
    files: tuple[str, ...]  # of each picture; pictures of one style lie together
    sizes: tuple[tuple[int, int], ...]  # width and height of each picture

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Return the names of all things."""
        return tuple(thing.name for thing in self.things)

    def picture(self, thing: int, style: int) -> int:
        """Return the index of the picture of a thing in a style."""
        return style * len(self.things) + thing


def read_table(folder: Path) -> SpriteTable:
    """Read `sprites.json` of a prepared folder.

    Raises:
        ValueError: if the folder has no table or the table cannot be used, with the way out.
    """
    path = Path(folder) / "sprites.json"
    hint = f"run: python -m training.prepare.scenes --out {folder}"
    if not path.is_file():
        raise ValueError(f"{folder} holds no sprites ({path.name} is missing); {hint}")
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        version = table["version"]
        if version != TABLE_VERSION:
            raise ValueError(f"{path} has version {version}, expected {TABLE_VERSION}; {hint}")
        return _build_table(Path(folder), table)
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is damaged ({error!r}); {hint}") from error


def _build_table(folder: Path, table: dict) -> SpriteTable:
    things = tuple(_read_thing(entry) for entry in table["things"])
    rows = table["sprites"]
    expected = [(style, thing.name) for style in table["styles"] for thing in things]
    if [(row["style"], row["thing"]) for row in rows] != expected:
        raise KeyError("sprites")
    return SpriteTable(
        folder=folder,
        things=things,
        styles=tuple(table["styles"]),
        words=tuple(entry["words"] for entry in table["things"]),
        kinds=tuple(tuple(entry["kinds"]) for entry in table["things"]),
        files=tuple(row["file"] for row in rows),
        sizes=tuple((row["width"], row["height"]) for row in rows),
    )


def _read_thing(entry: dict[str, Any]) -> Thing:
    values = {field.name: entry[field.name] for field in fields(Thing)}
    values |= {"homes": tuple(values["homes"]), "synonyms": tuple(values["synonyms"])}
    return Thing(**values)


class SpriteAtlas:
    """Pictures of all sprites: premultiplied red, green, blue, alpha in four sizes, uint8."""

    def __init__(self, levels: list[Tensor]) -> None:
        self.levels = levels  # (n, 4, S, S) each, the largest first

    def to(self, device: torch.device | str) -> "SpriteAtlas":
        """Return the atlas on a device."""
        return SpriteAtlas([level.to(device) for level in self.levels])


def load_atlas(table: SpriteTable) -> SpriteAtlas:
    """Read and shrink the pictures of a table.

    Raises:
        ValueError: if a picture is missing, damaged or too large.
    """
    with ThreadPoolExecutor(READING_THREADS) as pool:
        pictures = list(pool.map(lambda name: _read_picture(table.folder / name), table.files))
    largest = torch.from_numpy(np.stack(pictures))  # (n, 4, S, S)
    levels = [largest]
    for _ in range(NUM_LEVELS - 1):
        levels.append(_halve(levels[-1]))
    return SpriteAtlas(levels)


def _read_picture(path: Path) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(path.read_bytes())) as image:
            pixels = np.asarray(image.convert("RGBA"))
    except OSError as error:
        raise ValueError(f"the sprite {path} cannot be read: {error}") from error
    height, width = pixels.shape[:2]
    if max(height, width) > TEXTURE_SIDE:
        raise ValueError(f"the sprite {path} is {width}x{height}, at most {TEXTURE_SIDE} fit")
    colours, alpha = pixels[..., :3].astype(np.uint16), pixels[..., 3:].astype(np.uint16)
    texture = np.zeros((4, TEXTURE_SIDE, TEXTURE_SIDE), np.uint8)
    top, left = (TEXTURE_SIDE - height) // 2, (TEXTURE_SIDE - width) // 2
    premultiplied = np.concatenate([(colours * alpha + 127) // 255, alpha], axis=2)
    texture[:, top : top + height, left : left + width] = premultiplied.transpose(2, 0, 1)
    return texture


def _halve(level: Tensor) -> Tensor:
    halves = [  # in parts, to keep float copies small
        torch.nn.functional.avg_pool2d(part.float(), 2).round_().byte() for part in level.split(64)
    ]
    return torch.cat(halves)
