"""Draws the pictures of the emoji packs: SVG icons or WebP files to RGB squares on white."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import resvg_py
from PIL import Image

from training.data.emoji_names import Emoji, NameIndex, match_sequences
from training.data.emoji_sources import PACKS, Pack
from training.data.npm_packages import read_members
from var_core.files import replacing

SIDE = 64  # pixels
RECIPE = 1  # raise it when this file draws other pixels from the same pictures


@dataclass(frozen=True)
class MatchedPack:
    """The pictures of one style by emoji key; `render` draws one, (64, 64, 3) uint8."""

    pack: Pack
    pictures: Mapping[str, str]  # key -> name of the picture in the pack
    render: Callable[[str], np.ndarray]  # takes the name


def render_svg(icon: Mapping, default_width: float, default_height: float) -> Image.Image:
    """Draw one iconify icon to fit 64 x 64, with alpha, by its own view box or the defaults."""
    left, top = icon.get("left", 0), icon.get("top", 0)
    width, height = icon.get("width", default_width), icon.get("height", default_height)
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{left} {top} {width} {height}">{icon["body"]}</svg>'
    )
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=SIDE, height=SIDE))
    return Image.open(io.BytesIO(png)).convert("RGBA")


def shrink_raster(content: bytes) -> Image.Image:
    """Read a picture file and scale it down to fit 64 x 64, with alpha."""
    picture = Image.open(io.BytesIO(content)).convert("RGBA")
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return picture


def flatten_on_white(picture: Image.Image) -> np.ndarray:
    """Centre an RGBA picture on a white square: (64, 64, 3), uint8."""
    square = Image.new("RGBA", (SIDE, SIDE))
    square.paste(picture, ((SIDE - picture.width) // 2, (SIDE - picture.height) // 2))
    white = Image.new("RGBA", (SIDE, SIDE), "white")
    return np.asarray(Image.alpha_composite(white, square).convert("RGB"))


def match_packs(archives: Mapping[str, Path], table: Mapping[str, Emoji]) -> list[MatchedPack]:
    """Find the key of every picture, in the order of `PACKS`.

    Args:
        archives: style -> verified archive.
        table: the known keys.
    """
    index = NameIndex(table)
    matched = {}
    for pack in sorted(PACKS, key=lambda pack: not pack.has_sequences):  # known sequences first
        archive = archives[pack.style]
        if pack.is_raster:
            matched[pack.style] = _read_raster_pack(pack, archive, table)
        else:
            matched[pack.style] = _read_icon_pack(pack, archive, table, index)
    return [matched[pack.style] for pack in PACKS]


def _read_raster_pack(pack: Pack, archive: Path, table: Mapping[str, Emoji]) -> MatchedPack:
    files = read_members(archive, ("assets/",))
    chars = {Path(name).stem: name for name in files}  # the file name is the sequence
    return MatchedPack(
        pack,
        match_sequences(chars, files, table),
        lambda name: flatten_on_white(shrink_raster(files[name])),
    )


def _read_icon_pack(
    pack: Pack, archive: Path, table: Mapping[str, Emoji], index: NameIndex
) -> MatchedPack:
    files = read_members(archive, ("icons.json", "chars.json"))
    icon_set = json.loads(files["icons.json"])
    icons, width, height = icon_set["icons"], icon_set["width"], icon_set["height"]
    if pack.has_sequences:
        pictures = match_sequences(json.loads(files["chars.json"]), icons, table)
        index.remember(pictures)
    else:
        pictures = index.match(icons)
    return MatchedPack(
        pack, pictures, lambda name: flatten_on_white(render_svg(icons[name], width, height))
    )


def picture_fingerprint(matched: MatchedPack, keys: Iterable[str]) -> str:
    """A hash of everything that the pixels of `keys` depend on, to notice a stale cache."""
    versions = [version("resvg-py"), version("pillow")]
    pictures = [(key, matched.pictures[key]) for key in keys]
    parts = [RECIPE, SIDE, matched.pack.package.sha256, versions, pictures]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def write_cache(cache: Path, images: np.ndarray, fingerprint: str) -> None:
    """Save the drawn images of one style for a later run; the file is replaced in one step."""
    with replacing(cache) as temporary, temporary.open("wb") as file:
        np.savez(file, images=images, fingerprint=fingerprint)


def read_cache(cache: Path, fingerprint: str) -> np.ndarray | None:
    """Return the images of an earlier run, or None if they cannot be used."""
    if not cache.exists():
        return None
    try:
        with cache.open("rb") as file, np.load(file) as stored:
            return stored["images"] if str(stored["fingerprint"]) == fingerprint else None
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None  # damaged: the style is drawn again
