"""The recipe of a picture, in a text chunk of its PNG file: what draws it again.

`make_recipe` writes the keys; the page reads them back in `var_core/web/controls.py`.
"""

import io
import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from var_core.counted_json import JsonLimits, read_counted
from var_core.files import write_atomically
from var_core.images import content_of, is_of_machine, open_source
from var_core.model_info import ModelInfo
from var_core.picture_headers import check_png
from var_core.sampling import SamplingOptions
from var_core.wishes import Wish

CHUNK = "var-studio"
LARGE_PIXELS = 1 << 20  # larger pictures are compressed quickly: a few percent for a third of time
DEFAULT, QUICK = -1, 1  # levels of zlib
ENDINGS = {"": "PNG", ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
WRITTEN: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True},
}

LIMITS = JsonLimits(size=64_000, plain_bytes=64_000, values=16_000, groups=200, depth=6)
KNOWN = (
    *("model", "labels", "prompt", "negative_prompt", "seed", "dtype", "kept", "compare"),
    *("frames", "loop"),  # of clips
    *(one.name for one in fields(SamplingOptions)),
)

Recipe = dict[str, Any]  # JSON-ready values


def make_recipe(
    info: ModelInfo,
    wish: Wish,
    seed: int,
    options: SamplingOptions,
    dtype: str,
    kept: Sequence[Tensor] = (),
) -> Recipe:
    """Everything that decides what a picture looks like.

    Args:
        info: model that draws it.
        wish: what it shows.
        seed: seed of the generator.
        options: all sampling options as they were used.
        dtype: dtype of the networks, "float32" or "bfloat16".
        kept: token maps (h, w) of the first scales that came from an earlier picture.
    """
    words = {"prompt": list(wish.phrases), "negative_prompt": list(wish.negative)}
    extra = {"kept": [tokens.flatten().tolist() for tokens in kept]} if kept else {}
    return {
        "model": info.name,
        "labels": info.labels.names(wish.label),
        **{name: phrases for name, phrases in words.items() if phrases},
        "seed": seed,
        **asdict(options),
        "dtype": dtype,
        **extra,
    }


def write_png(path: Path, image: Image.Image, recipe: Recipe | None) -> None:
    """Write a picture with its recipe; the file appears whole or not at all.

    Args:
        path: PNG file to write; missing folders are made.
        image: picture; only its pixels are written, never its metadata.
        recipe: recipe, or None for no text chunk.

    Raises:
        OSError: if there is no space or no permission.
    """
    write_atomically(path, png_bytes(image, recipe))


def png_bytes(image: Image.Image, recipe: Recipe | None) -> bytes:
    """The bytes of a PNG file with pixels, a recipe if there is one, and nothing else."""
    info = PngInfo()
    if recipe is not None:
        info.add_text(CHUNK, json.dumps(recipe, ensure_ascii=True))
    level = QUICK if image.width * image.height > LARGE_PIXELS else DEFAULT
    return _bytes_of(image, format="PNG", pnginfo=info, compress_level=level)


def write_picture(path: Path, image: Image.Image, recipe: Recipe | None) -> None:
    """Write a picture in the format that the name says; only PNG files hold the recipe.

    Raises:
        ValueError: if the name says another format than PNG, JPEG or WebP.
        OSError: if there is no space or no permission.
    """
    kind = picture_format(path)
    if kind == "PNG":
        write_png(path, image, recipe)
    else:
        write_atomically(path, _bytes_of(image, format=kind, **WRITTEN[kind]))


def picture_format(path: Path) -> str:
    """The format that the name of a picture file says; PNG where it says none.

    Raises:
        ValueError: if there is no name, or the format is not PNG, JPEG or WebP.
    """
    if not path.name:
        raise ValueError(f"{path} is a folder: a picture file needs a name")
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        known = ", ".join(one for one in ENDINGS if one)
        raise ValueError(f"pictures are written as {known}, not as {ending}")
    return ENDINGS[ending]


def _bytes_of(image: Image.Image, **how: Any) -> bytes:
    buffer = io.BytesIO()
    Image.frombytes(image.mode, image.size, image.tobytes()).save(buffer, **how)
    return buffer.getvalue()


def read_png_recipe(source: str | Path | bytes) -> Recipe | None:
    """The recipe of a PNG file, or None if it has none.

    Args:
        source: path or content of the file.

    Raises:
        ValueError: if it is no PNG file, or the chunk is damaged or far too large.
    """
    file, name = open_source(source)
    try:
        check_png(content_of(file))
        with Image.open(file, formats=("PNG",)) as image:
            text = image.info.get(CHUNK)  # comes before the pixels, which are not decoded
    except Exception as error:  # Pillow raises errors of many types for bad files
        if is_of_machine(error):
            raise
        raise ValueError(f"{name} is not a readable PNG picture") from error
    return None if text is None else parse_recipe(text, name)


def parse_recipe(text: str, name: str) -> Recipe:
    """A recipe from its JSON; what no recipe holds is left out.

    Args:
        text: JSON that came with a file of whoever.
        name: name of the file.

    Raises:
        ValueError: if it is damaged or far too large.
    """
    try:
        recipe = read_counted(text, LIMITS)
    except ValueError as error:
        raise ValueError(f"the recipe of {name} is damaged") from error
    if not isinstance(recipe, dict) or not isinstance(recipe.get("labels"), dict):
        raise ValueError(f"the recipe of {name} is damaged")
    return {key: value for key, value in recipe.items() if key in KNOWN}
