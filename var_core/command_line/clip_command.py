"""The command that makes clips: animate."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from var_core.animations import is_still, read_animation
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
from var_core.jobs.animation import AnimateRequest
from var_core.jobs.clip_files import ENDINGS, clip_format, write_clip
from var_core.labels import LabelSpace
from var_core.model_info import CLIPS, FRAMES_PER_SECOND
from var_core.option_fields import option_fields
from var_core.sampling import SamplingOptions

OWN = None  # no limits: the files are the user's own
CLIP_FILE = Path("clip.webp")
Commands = argparse._SubParsersAction  # of the parsers of all commands


def add_clip_command(
    commands: "Commands[argparse.ArgumentParser]",
    shared: argparse.ArgumentParser,
    labels: LabelSpace,
    defaults: SamplingOptions,
) -> None:
    """Add the command of this file.

    Args:
        commands: list of all commands.
        shared: parent parser with model and precision.
        labels: labels and menus of the model.
        defaults: its default options.
    """
    files = "WebP, GIF or MP4 file; several are numbered, as clip-0.webp; WebP holds the recipe"
    drawing = drawing_flags(shared, labels, defaults, CLIP_FILE, files)
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
    read = None if arguments.image is None else lambda: start
    shared = settings.options, clip_options, read
    first = AnimateRequest(settings.wish, settings.seed, *shared)
    for index in range(flags.count):
        request = replace(first, seed=first.seed + index)
        steps = tqdm(request.start(pipeline), unit="scale", desc="drawing")
        *_, last = steps
        path = numbered(flags.out, index, flags.count)
        write_clip(path, last.frames[-1], *last.recipes(flags.info))
        say(path)


def read_start(path: Path) -> Sequence[Image.Image]:
    """The picture, or the frames of an animation, that a clip begins with.

    Raises:
        ValueError: if it cannot be read.
    """
    if path.suffix.lower() in ENDINGS and not is_still(path):
        return read_animation(path, FRAMES_PER_SECOND)
    return [read_image(path, OWN)]
