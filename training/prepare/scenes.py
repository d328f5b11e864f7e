"""Make what scenes are composed of: `python -m training.prepare.scenes --out data/scenes`.

Fetches pinned packages with npm, draws the things of `training/data/scenes/things.txt` in each
style with alpha, and writes them with one table of names, traits and credits. Then the sentence
encoder turns every phrase that a caption may hold into a vector.
"""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
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
from training.loop.command_line import Settings, run_command
from var_core.option_fields import option
from var_core.text.universal_sentence_encoder import UniversalSentenceEncoder

MAX_BYTES = 25_000_000
THINGS = ("all", "core")


@dataclass(frozen=True, kw_only=True)
class SceneSettings(Settings):
    """Where to write, and which styles."""

    out: str = option("data/scenes", "folder to write; packages are kept in it")
    things: str = option(
        "all", "all, or core: the third that everybody knows, learned sooner", choices=THINGS
    )
    styles: str = option("fluent-3d,noto,twemoji", "emoji packs to draw, separated by commas")


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


def prepare_sprites(out: Path, styles: Sequence[str], encode: Encode, core: bool = False) -> dict:
    """Fetch, draw and write the sprites and `sprites.json` into `out`; returns the table.

    Args:
        out: folder to write.
        styles: styles to draw.
        encode: the sentence encoder, which chooses names among words.
        core: whether to draw the things of the small world alone.

    Raises:
        PackageError: if a package cannot be had or the sprites are larger than they may be.
        OSError: if `out` cannot be written.
    """
    packages = out / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    things = read_things(core=core)
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


def prepare(settings: SceneSettings) -> None:
    """Write sprites, their table and the vectors of all phrases.

    Raises:
        ValueError: if a style is unknown, a package cannot be had, or the encoder is missing.
        OSError: if the folder cannot be written.
    """
    known = [pack.style for pack in PACKS]
    styles = settings.styles.split(",")
    if not set(styles) <= set(known) or len(set(styles)) < len(styles):
        raise ValueError(f"--styles must name some of {', '.join(known)}, got {settings.styles!r}")
    out = Path(settings.out)
    encoder = UniversalSentenceEncoder()

    def encode(texts: Sequence[str]) -> np.ndarray:
        return encoder.encode(texts).numpy()

    table = prepare_sprites(out, styles, encode, settings.things == "core")
    num_phrases = write_phrase_vectors(out, Phrases(read_table(out)), encode, encoder.name)
    num_sprites, num_things = len(table["sprites"]), len(table["things"])
    print(f"{num_sprites} sprites of {num_things} things and {num_phrases} phrases are in {out}")


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(prepare, SceneSettings, "Make what scenes are composed of.", argv)


if __name__ == "__main__":
    sys.exit(main())
