"""The text chunk that lets a picture be made again."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from var_core.files import write_atomically
from var_core.images import open_source
from var_core.labels import LabelSpace
from var_core.sampling import SamplingOptions

CHUNK = "var-studio"


def recipe_of(
    labels: LabelSpace,
    model_name: str,
    label: tuple[int, ...],
    seed: int,
    options: SamplingOptions,
    dtype: str,
    kept: Sequence[Tensor] = (),
) -> dict:
    """Everything that decides a picture, JSON-ready.

    Args:
        labels: of its model.
        model_name: of its model, as people know it.
        label: one index per attribute.
        seed: of its generator.
        options: as they were used, every one of them.
        dtype: of the networks, "float32" or "bfloat16".
        kept: token maps (S, S) of the first scales, where they came from an earlier picture.
    """
    extra = {"kept": [tokens.flatten().tolist() for tokens in kept]} if kept else {}
    return {
        "model": model_name,
        "labels": labels.names(label),
        "seed": seed,
        **asdict(options),
        "dtype": dtype,
        **extra,
    }


def write_png(path: Path, image: Image.Image, recipe: Mapping[str, object] | None) -> None:
    """Write a picture with its recipe in a text chunk; the file appears whole or not at all.

    Args:
        path: of the PNG file; missing folders are made.
        image: its pixels alone are written, never its metadata.
        recipe: JSON-ready values, or None for no chunk.

    Raises:
        OSError: if there is no space or no permission.
    """
    write_atomically(path, png_bytes(image, recipe))


def png_bytes(image: Image.Image, recipe: Mapping[str, object] | None) -> bytes:
    """A PNG file of the pixels alone, with the recipe in a text chunk, or with none."""
    info = PngInfo()
    if recipe is not None:
        info.add_text(CHUNK, json.dumps(recipe, ensure_ascii=True))
    buffer = io.BytesIO()
    clean = Image.frombytes(image.mode, image.size, image.tobytes())
    clean.save(buffer, format="PNG", pnginfo=info)
    return buffer.getvalue()


def read_recipe(source: str | Path | bytes) -> dict | None:
    """The recipe of a PNG file, or None if it has none.

    Args:
        source: path or content of the file.

    Raises:
        ValueError: if it is no PNG file, or the chunk is damaged.
    """
    file, name = open_source(source)
    try:
        with Image.open(file, formats=("PNG",)) as image:
            text = image.info.get(CHUNK)  # stands before the pixels, which stay undecoded
    except Exception as error:  # Pillow has many words for bad files, all of them foreign
        raise ValueError(f"{name} is not a readable PNG picture") from error
    if text is None:
        return None
    try:
        recipe = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the recipe of {name} is damaged") from error
    if not isinstance(recipe, dict) or not isinstance(recipe.get("labels"), dict):
        raise ValueError(f"the recipe of {name} is damaged")
    return recipe
