"""The command that makes clips: animate."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from var_core.animations import read_animation
from var_core.clip_options import ClipOptions
from var_core.clip_pipeline import VARClipPipeline
from var_core.command_line.drawing_flags import (
    add_option,
    drawing_flags,
    load_pipeline_of,
    numbered,
    read_drawing_flags,
    say,
)
from var_core.images import read_image
from var_core.jobs.clip_files import ENDINGS, clip_format, make_clip_recipe, write_clip
from var_core.labels import LabelSpace
from var_core.model_info import CLIPS, FRAMES_PER_SECOND
from var_core.option_fields import option_fields
from var_core.sampling import generators_from_seeds

OWN = None  # no limits: the files are the user's own
CLIP_FILE = Path("clip.webp")
Commands = argparse._SubParsersAction  # of the parsers of all commands


def add_clip_command(
    commands: "Commands[argparse.ArgumentParser]",
    shared: argparse.ArgumentParser,
    labels: LabelSpace,
) -> None:
    """Add the command of this file.

    Args:
        commands: list of all commands.
        shared: parent parser with model and precision.
        labels: labels and menus of the model.
    """
    files = "WebP or GIF file; several are numbered, as clip-0.webp; only WebP holds the recipe"
    drawing = drawing_flags(shared, labels, CLIP_FILE, files)
    animate = commands.add_parser("animate", parents=[drawing], help="draw clips from words")
    group = animate.add_argument_group("motion")
    group.add_argument(
        "--image",
        type=Path,
        metavar="FILE",
        help="picture to animate; of a moving WebP or GIF the clip goes on from the last frames",
    )
    for option in option_fields(ClipOptions):
        add_option(group, option)
        animate.set_defaults(**{option.name: option.default})
    animate.set_defaults(run=_animate)


def _animate(arguments: argparse.Namespace) -> None:
    flags = read_drawing_flags(arguments, CLIPS, clip_format)
    clip_options = ClipOptions(arguments.frames, arguments.loop).fitted(flags.info.clip_lengths)
    start = [] if arguments.image is None else read_start(arguments.image)
    settings = flags.settings
    pipeline = load_pipeline_of(VARClipPipeline, arguments.model, settings.precision)
    dtype = str(pipeline.dtype).removeprefix("torch.")
    kept = pipeline.tokenize(start[0])[0] if len(start) == 1 else []
    for index in range(flags.count):
        seed = settings.seed + index
        previews = pipeline.animate_stream(
            [settings.wish],
            settings.options,
            clip_options,
            () if kept else start,
            generators_from_seeds([seed], pipeline.device),
            kept,
        )
        *_, last = tqdm(previews, unit="scale", desc="drawing")
        recipe = None
        if len(start) < 2:  # else it depends on frames that no recipe holds
            wish, own = last.wishes[0], [tokens[0] for tokens in kept]
            parts = flags.info, wish, seed, settings.options, clip_options, dtype, own
            recipe = make_clip_recipe(*parts)
        path = numbered(flags.out, index, flags.count)
        write_clip(path, last.clips[0], recipe)
        say(path)


def read_start(path: Path) -> Sequence[Image.Image]:
    """The picture, or the frames of an animation, that a clip begins with.

    Raises:
        ValueError: if it cannot be read.
    """
    frames: Sequence[Image.Image] = ()
    if path.suffix.lower() in ENDINGS:
        frames = read_animation(path, FRAMES_PER_SECOND)
    return frames if len(frames) > 1 else [read_image(path, OWN)]
