"""The commands that make pictures: generate, edit, outpaint, vary, reconstruct."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from var_core.command_line.drawing_flags import (
    DrawingFlags,
    add_option,
    drawing_flags,
    load_pipeline,
    numbered,
    read_drawing_flags,
    say,
)
from var_core.editing import EditOptions, Margins, read_mask
from var_core.images import read_image
from var_core.jobs.parsing import MAX_COUNT, count_up, edit, outpaint, vary
from var_core.jobs.png_recipe import picture_format, write_picture
from var_core.jobs.progress import JobProgress, Request, sharpen
from var_core.jobs.requests import Settings
from var_core.labels import LabelSpace
from var_core.option_fields import option_fields
from var_core.sampling import SamplingOptions

OWN = None  # no limits: the files are the user's own
SIDES = ("left", "top", "right", "bottom")
Commands = argparse._SubParsersAction  # of the parsers of all commands
MakeRequest = Callable[[Settings, int], Request]


def add_picture_commands(
    commands: "Commands[argparse.ArgumentParser]",
    shared: argparse.ArgumentParser,
    labels: LabelSpace,
    defaults: SamplingOptions,
) -> None:
    """Add the commands of this file.

    Args:
        commands: list of all commands.
        shared: parent parser with model and precision.
        labels: labels and menus of the model.
        defaults: its default options.
    """
    drawing = drawing_flags(shared, labels, defaults)
    generate = commands.add_parser("generate", parents=[drawing], help="draw pictures")
    _add_scales_dir(generate)
    generate.set_defaults(run=_generate)

    redraw = commands.add_parser("edit", parents=[drawing], help="redraw what is under a mask")
    group = _editing_group(redraw)
    group.add_argument(
        "--mask", type=Path, required=True, metavar="FILE", help="picture; white is redrawn"
    )
    _add_edit_options(redraw, group)
    redraw.set_defaults(run=_edit)

    widen = commands.add_parser("outpaint", parents=[drawing], help="add to the sides of a picture")
    group = _editing_group(widen)
    for side in SIDES:
        group.add_argument(
            f"--{side}", type=int, default=0, metavar="N", help="pixels to add (default: 0)"
        )
    _add_edit_options(widen, group)
    widen.set_defaults(run=_outpaint)

    alter = commands.add_parser("vary", parents=[drawing], help="keep the coarse scales only")
    _editing_group(alter).add_argument(
        "--keep-scales",
        type=int,
        required=True,
        metavar="N",
        help="number of scales to keep, fewer than the model has",
    )
    alter.set_defaults(run=_vary)
    _add_reconstruct(commands, shared)


def _editing_group(parser: argparse.ArgumentParser) -> "argparse._ArgumentGroup":
    """The heading for the flags of one editing command, with the picture to edit."""
    group = parser.add_argument_group("editing")
    group.add_argument("--image", type=Path, required=True, metavar="FILE", help="picture file")
    return group


def _add_edit_options(parser: argparse.ArgumentParser, group: "argparse._ArgumentGroup") -> None:
    for option in option_fields(EditOptions):
        add_option(group, option)
        parser.set_defaults(**{option.name: option.default})


def _add_reconstruct(
    commands: "Commands[argparse.ArgumentParser]", shared: argparse.ArgumentParser
) -> None:
    reconstruct = commands.add_parser(
        "reconstruct", parents=[shared], help="show a picture after each scale of the tokenizer"
    )
    reconstruct.add_argument("image", type=Path, help="picture file")
    reconstruct.add_argument(
        "--out",
        type=Path,
        default=Path("reconstruction.png"),
        metavar="FILE",
        help="PNG, JPEG or WebP file (default: %(default)s)",
    )
    _add_scales_dir(reconstruct)
    reconstruct.set_defaults(run=_reconstruct)


def _add_scales_dir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scales-dir", type=Path, metavar="FOLDER", help="folder for the picture of every scale"
    )


def _generate(arguments: argparse.Namespace) -> None:
    _draw(arguments.model, read_drawing_flags(arguments), count_up)


def _edit(arguments: argparse.Namespace) -> None:
    image, mask = read_image(arguments.image, OWN), read_mask(arguments.mask, OWN)

    def make_request(settings: Settings, count: int) -> Request:
        return edit(settings, image, mask, count, arguments.rule, arguments.best_of)

    _draw(arguments.model, read_drawing_flags(arguments), make_request)


def _outpaint(arguments: argparse.Namespace) -> None:
    image = read_image(arguments.image, OWN)
    margins = Margins(arguments.left, arguments.top, arguments.right, arguments.bottom)

    def make_request(settings: Settings, count: int) -> Request:
        return outpaint(settings, image, margins, count, arguments.rule, arguments.best_of)

    _draw(arguments.model, read_drawing_flags(arguments), make_request)


def _vary(arguments: argparse.Namespace) -> None:
    image = read_image(arguments.image, OWN)
    flags = read_drawing_flags(arguments)
    num_scales = flags.info.schedule.num_scales

    def make_request(settings: Settings, count: int) -> Request:
        return vary(settings, image, arguments.keep_scales, count, num_scales)

    _draw(arguments.model, flags, make_request)


def _draw(model: Path, flags: DrawingFlags, make_request: MakeRequest) -> None:
    """Draw a few pictures at a time, and write the files.

    Args:
        model: model folder.
        flags: what the flags of the command say.
        make_request: makes the request for a number of pictures.
    """
    firsts = range(0, flags.count, MAX_COUNT)
    requests = [
        make_request(
            replace(flags.settings, seed=flags.settings.seed + first),
            min(MAX_COUNT, flags.count - first),
        )
        for first in firsts
    ]
    pipeline = load_pipeline(model, flags.settings.precision)
    for first, request in zip(firsts, requests, strict=True):
        progress = JobProgress(request)
        for progress in tqdm(request.start(pipeline), unit="scale", desc="drawing"):  # noqa: B007
            pass
        if flags.scales_dir is not None:
            while progress.num_sketches:
                progress = sharpen(pipeline, progress)
            _write_scales(flags, progress, first)
        recipes = progress.recipes(flags.info)
        for index, image in enumerate(progress.frames[-1]):
            path = numbered(flags.out, first + index, flags.count)
            write_picture(path, image, recipes[index])
            say(path)


def _write_scales(flags: DrawingFlags, progress: JobProgress, first: int) -> None:
    """Write the pictures of every scale; `first` is the number of the first picture."""
    assert flags.scales_dir is not None
    for index in range(len(progress.frames[-1])):
        name = numbered(Path(flags.out.name), first + index, flags.count)
        frames = [frames[index] for frames in progress.frames]
        _write_frames(flags.scales_dir, name.stem, frames)


def _write_frames(folder: Path, stem: str, frames: Sequence[Image.Image]) -> None:
    for number, frame in enumerate(frames, start=1):
        write_picture(folder / f"{stem}-scale{number:02d}.png", frame, None)


def _reconstruct(arguments: argparse.Namespace) -> None:
    picture_format(arguments.out)
    image = read_image(arguments.image, OWN)
    frames = load_pipeline(arguments.model, arguments.precision).reconstruct(image)
    if arguments.scales_dir is not None:
        _write_frames(arguments.scales_dir, arguments.out.stem, frames)
    write_picture(arguments.out, frames[-1], None)
    say(arguments.out)
