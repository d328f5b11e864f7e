"""Clips as files: WebP with the recipe in its metadata, GIF, or MP4."""

import html
import io
import json
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from var_core.clip_options import ClipOptions
from var_core.files import write_atomically
from var_core.images import content_of, is_of_machine, open_source
from var_core.jobs.png_recipe import CHUNK, Recipe, make_recipe, parse_recipe
from var_core.model_info import FRAMES_PER_SECOND, ModelInfo
from var_core.sampling import SamplingOptions
from var_core.wishes import Wish

ENDINGS = {".webp": "WEBP", ".gif": "GIF", ".mp4": "MP4"}
MISSING = "MP4 needs the package av: pip install '.[mp4]' in VAR Studio's checkout"
QUALITY = "12"  # of x264: 0 keeps every pixel, 23 is usual
HEAD = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    f'<rdf:Description xmlns:v="urn:{CHUNK}"><v:recipe>'
)
TAIL = "</v:recipe></rdf:Description></rdf:RDF></x:xmpmeta>"


def make_clip_recipe(
    info: ModelInfo,
    wish: Wish,
    seed: int,
    options: SamplingOptions,
    clip_options: ClipOptions,
    dtype: str,
    kept: Sequence[Tensor] = (),
) -> Recipe:
    """Everything that decides what a clip looks like; arguments as for `make_recipe`."""
    recipe = make_recipe(info, wish, seed, options, dtype, kept)
    return recipe | {"frames": clip_options.frames, "loop": clip_options.loop}


def clip_format(path: Path) -> str:
    """The format that the name of a clip's file says.

    Raises:
        ValueError: if it is not WebP, GIF or MP4, or the package for MP4 is missing.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise ValueError(f"clips are written as {', '.join(ENDINGS)}, not as {path.name!r:.40}")
    if ENDINGS[ending] == "MP4" and find_spec("av") is None:
        raise ValueError(MISSING)
    return ENDINGS[ending]


def write_clip(path: Path, frames: Sequence[Image.Image], recipe: Recipe | None) -> None:
    """Write a clip that plays again and again; the file appears whole or not at all.

    Args:
        path: WebP, GIF or MP4 file to write; only WebP holds the recipe.
        frames: pictures of one size.
        recipe: recipe, or None for none.

    Raises:
        ValueError: if the name says another format.
        OSError: if there is no space or no permission.
    """
    write_atomically(path, clip_bytes(frames, recipe, clip_format(path)))


def clip_bytes(frames: Sequence[Image.Image], recipe: Recipe | None, kind: str = "WEBP") -> bytes:
    """The bytes of a file with pixels, a recipe if there is one, and nothing else."""
    if kind == "MP4":
        return _mp4_bytes(frames)
    tick = 10 if kind == "GIF" else 1  # milliseconds
    ends = [round(1000 * number / FRAMES_PER_SECOND / tick) for number in range(len(frames) + 1)]
    shown = [(end - start) * tick for start, end in pairwise(ends)]
    how: dict[str, Any] = {"format": kind, "save_all": True, "loop": 0, "duration": shown}
    if kind == "WEBP":
        how |= {"lossless": True, "xmp": b"" if recipe is None else _packet(recipe)}
    first, *rest = (Image.frombytes(one.mode, one.size, one.tobytes()) for one in frames)
    buffer = io.BytesIO()
    first.save(buffer, append_images=rest, **how)
    return buffer.getvalue()


def _mp4_bytes(frames: Sequence[Image.Image]) -> bytes:
    """The bytes of an H.264 video; an odd side loses its last line of pixels."""
    import av  # an extra, and no part of any other work

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FRAMES_PER_SECOND)
        stream.width, stream.height = (side // 2 * 2 for side in frames[0].size)
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": QUALITY, "threads": "1"}
        for frame in frames:
            shown = frame.convert("RGB").crop((0, 0, stream.width, stream.height))
            container.mux(stream.encode(av.VideoFrame.from_image(shown)))
        container.mux(stream.encode())
    return buffer.getvalue()


def _packet(recipe: Recipe) -> bytes:
    return (HEAD + html.escape(json.dumps(recipe), quote=False) + TAIL).encode("ascii")


def read_clip_recipe(source: str | Path | bytes) -> Recipe | None:
    """The recipe of a WebP file, or None if it has none.

    Args:
        source: path or content of the file.

    Raises:
        ValueError: if it is no WebP file, or the recipe is damaged.
    """
    file, name = open_source(source)
    try:
        with Image.open(io.BytesIO(content_of(file)), formats=("WEBP",)) as image:
            packet = bytes(image.info.get("xmp", b""))
    except Exception as error:  # Pillow raises errors of many types for bad files
        if is_of_machine(error):
            raise
        raise ValueError(f"{name} is not a readable WebP file") from error
    if not packet.startswith(HEAD.encode()):
        return None
    text = packet.decode("ascii", "replace").removeprefix(HEAD).removesuffix(TAIL)
    return parse_recipe(html.unescape(text), name)
