"""Build the multi-style emoji set: `python -m training.prepare.emoji --out data/emoji`.

Downloads pinned packages with npm, draws each emoji at 64 x 64 on white, drops flags, skin tones
and exact duplicates, and compares the result with known counts and hashes. Run it again to resume
an interrupted run.
"""

import hashlib
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from tqdm import tqdm

from training.data.emoji_names import Emoji, read_emoji, unique_labels
from training.data.emoji_render import (
    SIDE,
    MatchedPack,
    match_packs,
    picture_fingerprint,
    read_cache,
    write_cache,
)
from training.data.emoji_sources import METADATA, PACKS
from training.data.emoji_tables import Row, attribution_text, build_label_names, split_rows
from training.data.npm_packages import PackageError, fetch_package, read_members
from training.loop.command_line import Settings, run_command
from var_core.files import replacing, write_atomically
from var_core.option_fields import option

SPLIT_SEED = 240402905
DROPPED_GROUPS = ("flags", "component")

PINNED_RESVG = "0.5.0"
PINNED_PILLOW = "12.3.0"
# Array bytes in build order. Where fluent-3d has two files for a key, the first by name is used.
IMAGES_SHA256 = "57913e58f5498dea635cc25a1ebe400b66fbf3747831b8d5efcd2b91b4617a0d"
SVG_IMAGES_SHA256 = "2d026e31d73146c2a372b6db3aaf4db9cd8cb8b7b0b3472e2802e2b8a08e6291"
STYLE_COUNTS = {
    "noto": 1637,
    "noto-v1": 1178,
    "twemoji": 1618,
    "fluent-3d": 1598,
    "fluent-flat": 1584,
    "emojitwo": 1063,
    "fxemoji": 466,
}
GROUP_COUNTS = {
    "people-body": 1783,
    "objects": 1545,
    "travel-places": 1383,
    "symbols": 1341,
    "smileys-emotion": 939,
    "animals-nature": 909,
    "food-drink": 749,
    "activities": 495,
}
NUM_SUBGROUPS = 95
STYLES_PER_EMOJI = {7: 459, 6: 583, 5: 110, 4: 434, 3: 39, 2: 15}  # styles -> number of emoji


@dataclass(frozen=True, kw_only=True)
class EmojiSettings(Settings):
    """Where to write."""

    out: str = option("data/emoji", "folder to write; packages are kept in it")


def read_metadata(archive: Path) -> dict[str, Emoji]:
    """Read the emoji table from the verified metadata archive."""
    files = read_members(archive, ("en/data.json", "meta/groups.json"))
    return read_emoji(files["en/data.json"], files["meta/groups.json"])


def keys_to_draw(matched: MatchedPack, table: Mapping[str, Emoji]) -> list[str]:
    """The sorted keys of a pack without flags, components and skin tones."""
    return sorted(
        key
        for key in matched.pictures
        if table[key].group not in DROPPED_GROUPS and not table[key].has_skin_tone
    )


def draw_all(
    packs: Sequence[MatchedPack], table: Mapping[str, Emoji], cache_folder: Path
) -> tuple[np.ndarray, list[Row]]:
    """Draw every style and drop exact duplicates: images (n, 64, 64, 3) uint8 and their rows."""
    keys_by_style = {matched.pack.style: keys_to_draw(matched, table) for matched in packs}
    drawn = {key for keys in keys_by_style.values() for key in keys}
    labels = unique_labels(table[key] for key in sorted(drawn))
    images, rows, seen = [], [], set()
    for matched in packs:
        style = matched.pack.style
        keys = keys_by_style[style]
        cache, fingerprint = cache_folder / f"{style}.npz", picture_fingerprint(matched, keys)
        pictures = read_cache(cache, fingerprint)
        if pictures is None:
            pictures = np.stack(
                [matched.render(matched.pictures[key]) for key in tqdm(keys, desc=style)]
            )
            write_cache(cache, pictures, fingerprint)
        for key, picture in zip(keys, pictures, strict=True):
            digest = hashlib.md5(picture.tobytes(), usedforsecurity=False).digest()
            if digest not in seen:
                seen.add(digest)
                emoji = table[key]
                rows.append(Row(style, key, labels[key], emoji.group, emoji.subgroup, emoji.tags))
                images.append(picture)
    return np.stack(images), rows


def check_images(images: np.ndarray, rows: Sequence[Row]) -> None:
    """Compare the set with the known counts and hashes.

    Raises:
        PackageError: naming the first figure that differs.
    """
    checks = {
        "image shape": (images.shape, (sum(STYLE_COUNTS.values()), SIDE, SIDE, 3)),
        "images per style": (Counter(row.style for row in rows), STYLE_COUNTS),
        "images per group": (Counter(row.group for row in rows), GROUP_COUNTS),
        "number of subgroups": (len({row.subgroup for row in rows}), NUM_SUBGROUPS),
        "emoji by number of styles": (
            Counter(Counter(row.key for row in rows).values()),
            STYLES_PER_EMOJI,
        ),
    }
    raster_styles = {pack.style for pack in PACKS if pack.is_raster}
    is_svg = np.array([row.style not in raster_styles for row in rows])
    checks["hash of the SVG images"] = (array_sha256(images[is_svg]), SVG_IMAGES_SHA256)
    if version("pillow") == PINNED_PILLOW:  # other versions shrink the raster style differently
        checks["hash of all images"] = (array_sha256(images), IMAGES_SHA256)
    for name, (found, expected) in checks.items():
        if found != expected:
            raise PackageError(
                f"the {name} differs: expected {expected}, found {found} (resvg-py "
                f"{version('resvg-py')} and Pillow {version('pillow')} are installed, "
                f"{PINNED_RESVG} and {PINNED_PILLOW} were checked)"
            )


def array_sha256(array: np.ndarray) -> str:
    """The hex sha256 of the bytes of an array in C order."""
    return hashlib.sha256(array.tobytes()).hexdigest()


def prepare(settings: EmojiSettings) -> None:
    """Fetch, draw, check and write the set.

    Raises:
        ValueError: if a package cannot be fetched, or the result differs from the known one.
        OSError: if the folder cannot be written.
    """
    out = Path(settings.out)
    package_folder, cache_folder = out / "packages", out / "rendered"
    for folder in (package_folder, cache_folder):
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()  # fails early where nothing can be written
    archives = {pack.style: fetch_package(pack.package, package_folder) for pack in PACKS}
    table = read_metadata(fetch_package(METADATA, package_folder))
    images, rows = draw_all(match_packs(archives, table), table, cache_folder)
    check_images(images, rows)
    splits = split_rows(rows, np.random.default_rng(SPLIT_SEED))
    write_json(out / "rows.json", [asdict(row) for row in rows])
    write_json(out / "splits.json", splits)
    write_json(out / "labels.json", build_label_names(rows, table))
    write_atomically(out / "ATTRIBUTION.md", attribution_text().encode())
    with replacing(out / "images.npy") as temporary, temporary.open("wb") as file:
        np.save(file, images)
    sizes = ", ".join(f"{len(indices)} {name}" for name, indices in splits.items())
    print(f"{len(images)} images ({sizes}) are in {out}")


def write_json(path: Path, value: object) -> None:
    """Write a value as UTF-8 JSON, atomically."""
    write_atomically(path, json.dumps(value, ensure_ascii=False).encode())


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(prepare, EmojiSettings, "Make the picture set of emoji.", argv)


if __name__ == "__main__":
    sys.exit(main())
