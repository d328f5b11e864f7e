"""Draws the sprites of scenes: things of an emoji pack with alpha, cropped to what they show."""

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import resvg_py
from PIL import Image

from training.data.emoji_names import emoji_key
from training.data.emoji_sources import Pack
from training.data.npm_packages import PackageError, read_members

SPRITE_SIDE = 184  # pixels of the longer side
DRAWING_SIDE = 400  # pixels an SVG icon is drawn at, before it is cropped
MIN_ALPHA = 12  # of 255; fainter pixels at the border are cropped
WEBP_QUALITY = 86


def character_key(character: str) -> str:
    """Return the key of an emoji: its code points in hex, joined by hyphens, without FE0F."""
    return emoji_key("-".join(f"{ord(part):x}" for part in character))


def open_pack(pack: Pack, archive: Path) -> Callable[[str], Image.Image]:
    """Open the verified archive of a pack.

    Returns:
        A function that draws the emoji of a key as an RGBA picture of any size.

    Raises:
        PackageError: by that function, for a key the pack does not have.
    """
    return _raster_drawer(pack, archive) if pack.is_raster else _icon_drawer(pack, archive)


def _raster_drawer(pack: Pack, archive: Path) -> Callable[[str], Image.Image]:
    files = {
        emoji_key(Path(name).stem): content
        for name, content in read_members(archive, ("assets/",)).items()
    }

    def draw(key: str) -> Image.Image:
        content = _find(pack, files, key)
        return Image.open(io.BytesIO(content)).convert("RGBA")

    return draw


def _icon_drawer(pack: Pack, archive: Path) -> Callable[[str], Image.Image]:
    members = read_members(archive, ("icons.json", "chars.json"))
    icon_set = json.loads(members["icons.json"])
    icons = icon_set["icons"]
    names: dict[str, str] = {}
    for sequence, name in json.loads(members["chars.json"]).items():
        if name in icons:
            names.setdefault(emoji_key(sequence), name)

    def draw(key: str) -> Image.Image:
        icon = icons[_find(pack, names, key)]
        return draw_icon(icon, icon_set["width"], icon_set["height"])

    return draw


def _find(pack: Pack, entries: Mapping, key: str):
    if key not in entries:
        raise PackageError(f"{pack.package.name} {pack.package.version} has no emoji {key}.")
    return entries[key]


def draw_icon(icon: Mapping, default_width: float, default_height: float) -> Image.Image:
    """Draw one iconify icon large, with alpha; its own view box wins over the defaults."""
    left, top = icon.get("left", 0), icon.get("top", 0)
    width, height = icon.get("width", default_width), icon.get("height", default_height)
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{left} {top} {width} {height}">{icon["body"]}</svg>'
    )
    side = DRAWING_SIDE
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=side, height=side))
    return Image.open(io.BytesIO(png)).convert("RGBA")


def crop_sprite(picture: Image.Image, side: int = SPRITE_SIDE) -> Image.Image:
    """Crop an RGBA picture to its content and scale it so that the longer side is `side`.

    Raises:
        ValueError: if the picture is empty.
    """
    is_seen = np.asarray(picture.getchannel("A")) >= MIN_ALPHA
    rows, columns = np.flatnonzero(is_seen.any(1)), np.flatnonzero(is_seen.any(0))
    if not len(rows):
        raise ValueError("the picture is fully transparent")
    left, top, right, bottom = int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])
    cropped = picture.crop((left, top, right + 1, bottom + 1))
    scale = side / max(cropped.size)
    width, height = (max(1, round(length * scale)) for length in cropped.size)
    return cropped.resize((width, height), Image.Resampling.LANCZOS)


def encode_sprite(sprite: Image.Image) -> bytes:
    """Write a sprite as lossy WebP with alpha."""
    buffer = io.BytesIO()
    sprite.save(buffer, "WEBP", quality=WEBP_QUALITY, alpha_quality=90, method=4)
    return buffer.getvalue()
