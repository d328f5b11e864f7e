"""Coverage-guided fuzzing of the readers of pictures: `python -m tests.fuzz_images --seconds 60`.

A crash, a hang, or an error in foreign words ends it; the file that did it is left
in the output folder.
"""

import argparse
import io
import sys
from pathlib import Path

try:
    import atheris
except ImportError:
    sys.exit("there is no atheris for this Python: pip install -r tests/requirements.txt")

MODULES = ["PIL", "var_core.animations", "var_core.images", "var_core.jobs.png_recipe"]

with atheris.instrument_imports(include=MODULES):
    from PIL import Image

    from var_core.animations import read_animation
    from var_core.images import read_image
    from var_core.jobs.clip_files import clip_bytes, read_clip_recipe
    from var_core.jobs.png_recipe import png_bytes, read_png_recipe

MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F", "YCbCr")


def seeds() -> list[bytes]:
    """About thirty small pictures of all kinds."""
    found = [png_bytes(Image.new("RGB", (5, 4), "teal"), {"labels": {}, "seed": 1})]
    for mode in MODES:
        for file_format in ("PNG", "JPEG", "WEBP"):
            file = io.BytesIO()
            try:
                Image.new(mode, (6, 5)).save(file, file_format)
            except OSError:  # this format does not have this mode
                continue
            found.append(file.getvalue())
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    found.append(clip_bytes(frames, {"labels": {}, "seed": 1}))
    for file_format in ("PNG", "WEBP", "GIF"):
        file = io.BytesIO()
        frames[0].save(file, file_format, save_all=True, append_images=frames[1:])
        found.append(file.getvalue())
    exif = Image.Exif()
    exif[0x0112] = 6
    for file_format in ("PNG", "JPEG", "WEBP"):
        file = io.BytesIO()
        frames[0].save(file, file_format, exif=exif)
        found.append(file.getvalue())
    return found


def read_eight_a_second(content: bytes) -> object:
    """Read an animation."""
    return read_animation(content, 8)


def read_all(content: bytes) -> None:
    """Read a picture, a clip and their recipes; only refusals in our own words are allowed."""
    for read in (read_image, read_png_recipe, read_eight_a_second, read_clip_recipe):
        try:
            read(content)
        except ValueError as error:
            if not str(error).startswith(("the picture ", "the recipe of the picture ")):
                raise AssertionError(f"foreign words: {error}") from error


def main() -> None:
    """Fuzz until the time or the number of runs is over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=0, help="stop after so long; 0: never")
    parser.add_argument("--runs", type=int, default=-1, help="stop after so many runs; -1: never")
    parser.add_argument(
        "--hang-seconds", type=int, default=1, help="a picture that takes longer hangs"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/fuzz"), help="seeds and findings")
    arguments = parser.parse_args()
    corpus = arguments.out / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(seeds()):
        (corpus / f"seed-{number:02d}").write_bytes(content)
    limits = [f"-max_total_time={arguments.seconds}", f"-runs={arguments.runs}"]
    limits += [f"-timeout={arguments.hang_seconds}", "-rss_limit_mb=2048"]
    words = [*limits, "-max_len=20000", f"-artifact_prefix={arguments.out}/"]
    atheris.Setup([sys.argv[0], *words, str(corpus)], read_all)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
