"""Animated emoji as sprites: a thing in as many pictures as its animation has here.

They make a sprite folder like that of scenes, whose styles are the pictures of the animations:
`MovingScene.plays` goes through the styles, one a frame.
"""

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from training.data.emoji_names import emoji_key
from training.data.npm_packages import Package, PackageError, read_members
from training.data.scenes.atlas import TABLE_VERSION
from training.data.scenes.sprite_drawing import MIN_ALPHA, character_key, encode_sprite
from training.data.scenes.things import Thing

NUM_PICTURES = 16  # of an animation; it then begins again
SPRITE_SIDE = 96  # pixels of the longer side
LEAST_CHANGE = 1.0  # of 255, mean over a picture: animations that change less are left out
MAX_BYTES = 60_000_000
PACKAGES = tuple(
    Package(f"@lobehub/fluent-emoji-anim-{number}", "1.0.0", sha256)
    for number, sha256 in (
        (1, "4c03ac178c1eabf2e2a16dd498f3cc2b92dc30ec3466ae38fdc497d4774c99ea"),
        (2, "e431da8172e394036c330faa77648d6fbbae1fd3b0be95637c4497c9075019c0"),
        (3, "3624d0c34c819c1794b74ccf6ae9034adff7c4cb6318dd2a645145f0196feb43"),
        (4, "3d4c08f1e321f70808ef4996aba0ab575a9d97b6c56ffffc92cf6161a7836aa3"),
    )
)
CREDIT = {
    "style": "animated",
    "title": "Fluent Emoji, animated",
    "authors": "Microsoft Corporation (art), LobeHub (package)",
    "source": "https://github.com/lobehub/fluent-emoji",
    "licence": "MIT",
    "package": "@lobehub/fluent-emoji-anim-1 to -4 1.0.0",
    "changes": "sixteen pictures of each animation, cropped, scaled, stored as lossy WebP",
}


def animations_of(archive: Path, things: Sequence[Thing]) -> Iterator[tuple[Thing, bytes]]:
    """Things with the animation that a verified archive holds of them."""
    wanted = {character_key(thing.character): thing for thing in things}
    for name, content in read_members(archive, ("assets/",)).items():
        thing = wanted.get(emoji_key(Path(name).stem))
        if thing is not None:
            yield thing, content


def animation_pictures(content: bytes) -> list[Image.Image]:
    """Pictures at equal distances in an animation, RGBA; none of one that hardly moves.

    Raises:
        PackageError: if it cannot be read.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            number = getattr(image, "n_frames", 1)
            places = [round(index * number / NUM_PICTURES) for index in range(NUM_PICTURES)]
            if number < NUM_PICTURES:
                return []
            pictures = []
            for place in places:
                image.seek(place)
                pictures.append(image.convert("RGBA"))
    except OSError as error:
        raise PackageError(f"an animation cannot be read: {error}") from error
    seen = np.stack([np.asarray(picture.convert("RGBa"), np.float32) for picture in pictures])
    largest = np.abs(seen - seen[:1]).mean(axis=(1, 2, 3)).max()
    return pictures if largest >= LEAST_CHANGE else []


def crop_alike(pictures: Sequence[Image.Image]) -> list[Image.Image]:
    """Crop all pictures to what any of them shows, and scale them alike.

    Raises:
        ValueError: if all are empty.
    """
    alpha = np.stack([np.asarray(picture.getchannel("A")) for picture in pictures]).max(axis=0)
    rows = np.flatnonzero((alpha >= MIN_ALPHA).any(axis=1))
    columns = np.flatnonzero((alpha >= MIN_ALPHA).any(axis=0))
    if not len(rows):
        raise ValueError("the pictures are fully transparent")
    box = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
    width, height = box[2] - box[0], box[3] - box[1]
    scale = SPRITE_SIDE / max(width, height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return [picture.crop(box).resize(size, Image.Resampling.LANCZOS) for picture in pictures]


def write_animated(
    folder: Path, entries: Sequence[Mapping[str, Any]], found: Iterable[tuple[Thing, bytes]]
) -> int:
    """Write a sprite folder of animations; returns how many there are.

    Args:
        folder: folder to write.
        entries: things of the table of scenes, as its file has them.
        found: things with their animations, in any order.

    Raises:
        PackageError: if nothing moves, or the sprites are larger than they may be.
    """
    styles = [f"picture-{number:02d}" for number in range(NUM_PICTURES)]
    sizes: dict[str, tuple[int, int]] = {}
    slugs: dict[str, str] = {}
    num_bytes = 0
    for style in styles:
        (folder / style).mkdir(parents=True, exist_ok=True)
    for thing, content in found:
        pictures = animation_pictures(content)
        if not pictures:
            continue
        cropped = crop_alike(pictures)
        sizes[thing.name], slugs[thing.name] = cropped[0].size, thing.slug
        for style, picture in zip(styles, cropped, strict=True):
            encoded = encode_sprite(picture)
            num_bytes += len(encoded)
            (folder / style / f"{thing.slug}.webp").write_bytes(encoded)
    if not sizes or num_bytes > MAX_BYTES:
        raise PackageError(
            f"{len(sizes)} animations take {num_bytes:,} bytes; there must be some, of at most "
            f"{MAX_BYTES:,}"
        )
    kept = [entry for entry in entries if entry["name"] in sizes]
    rows = [
        {
            "thing": entry["name"],
            "style": style,
            "file": f"{style}/{slugs[entry['name']]}.webp",
            "width": sizes[entry["name"]][0],
            "height": sizes[entry["name"]][1],
        }
        for style in styles
        for entry in kept
    ]
    table = {
        "version": TABLE_VERSION,
        "styles": styles,
        "credits": [CREDIT],
        "things": kept,
        "sprites": rows,
    }
    text = json.dumps(table, ensure_ascii=False, indent=1)
    (folder / "sprites.json").write_text(text, encoding="utf-8")
    return len(kept)
