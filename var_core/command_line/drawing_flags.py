"""The flags that all drawing commands share, and the settings that they stand for."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from var_core.devices import pick_device, pick_dtype
from var_core.files import is_special
from var_core.jobs.parsing import SAMPLING_OPTIONS, read_settings
from var_core.jobs.png_recipe import picture_format
from var_core.jobs.requests import Settings
from var_core.labels import Attribute, LabelSpace, is_option_name
from var_core.menus import Menu
from var_core.model_info import PICTURES, ModelInfo, read_model_info
from var_core.option_fields import OptionField, with_defaults
from var_core.pipeline import VARPipeline
from var_core.pipeline_parts import PipelineParts
from var_core.ranges import check_int
from var_core.sampling import MAX_SEED, SamplingOptions, random_seed

MAX_PICTURES = 64
PICTURE_FILE = Path("picture.png")
ABOUT_FILES = (
    "PNG, JPEG or WebP file; several are numbered, as picture-0.png; only PNG files hold the recipe"
)
Pipeline = TypeVar("Pipeline", bound=PipelineParts)


@dataclass(frozen=True)
class DrawingFlags:
    """What the flags of a drawing command say.

    Attributes:
        info: the model.
        settings: label, first seed, options and precision.
        count: number of pictures, with seeds counting up.
        out: picture file; several files are numbered.
        scales_dir: folder for the preview of every scale; None keeps none.
    """

    info: ModelInfo
    settings: Settings
    count: int
    out: Path
    scales_dir: Path | None = None


def drawing_flags(
    shared: argparse.ArgumentParser,
    labels: LabelSpace,
    defaults: SamplingOptions,
    out: Path = PICTURE_FILE,
    about_files: str = ABOUT_FILES,
) -> argparse.ArgumentParser:
    """A parent parser with the flags of all drawing commands.

    Args:
        shared: parent parser with model and precision.
        labels: labels and menus of the model; each whose name allows it is a flag.
        defaults: sampling options of the model where none are given.
        out: file that is written where none is named.
        about_files: files that are written, in words.
    """
    flags = argparse.ArgumentParser(add_help=False, parents=[shared])
    subject = flags.add_argument_group("what to draw (default: anything)")
    subject.add_argument(
        "--prompt",
        metavar="TEXT",
        help='words with commas between them, as "a red apple"; a model without words takes the '
        "labels whose names come nearest",
    )
    subject.add_argument("--negative-prompt", metavar="TEXT", help="what not to draw")
    subject.add_argument(
        "--attribute",
        metavar="ATTRIBUTE=NAME",
        action="append",
        default=[],
        help="one label, also where an attribute has no flag of its own; may be repeated",
    )
    for attribute in filter(_has_flag, labels.attributes):
        subject.add_argument(f"--{attribute.name}", dest=f"label_{attribute.name}", metavar="NAME")
    for menu in filter(_has_flag, labels.menus):
        subject.add_argument(f"--{menu.name}", dest=f"label_{menu.name}", metavar="NAME", nargs="+")
    pictures = flags.add_argument_group("pictures")
    pictures.add_argument(
        "--seed", type=int, metavar="N", help=f"from 0 to {MAX_SEED} (default: random)"
    )
    pictures.add_argument(
        "--count",
        type=int,
        metavar="N",
        default=1,
        help=f"number of pictures, with seeds counting up (from 1 to {MAX_PICTURES}; default: 1)",
    )
    pictures.add_argument(
        "--out",
        type=Path,
        default=out,
        metavar="FILE",
        help=f"{about_files} (default: %(default)s)",
    )
    sampling = flags.add_argument_group("sampling options")
    for option in with_defaults(defaults):
        add_option(sampling, option)
    return flags


def add_option(group: "argparse._ArgumentGroup", option: OptionField) -> None:
    """Add the flag of one option; where it is not given, a number is None, a switch its default."""
    if option.is_switch:  # the flag turns it
        flag = option.flag.replace("--", "--no-", 1) if option.default else option.flag
        action = "store_false" if option.default else "store_true"
        group.add_argument(flag, dest=option.name, action=action, help=option.help)
        return
    metavar = None if option.choices else {int: "N", float: "X"}.get(option.kind, "TEXT")
    default = f"{option.default:g}" if isinstance(option.default, float) else option.default
    notes = "; ".join(filter(None, (option.limits, f"default: {default}")))
    group.add_argument(
        option.flag,
        dest=option.name,
        type=option.kind,
        choices=option.choices or None,
        metavar=metavar,
        help=f"{option.help} ({notes})",
    )


def read_drawing_flags(
    arguments: argparse.Namespace,
    wanted: str = PICTURES,
    check_out: Callable[[Path], object] = picture_format,
) -> DrawingFlags:
    """Check what all drawing commands have in common, without loading weights.

    Args:
        arguments: parsed words.
        wanted: class of the pipeline that the model must be of.
        check_out: function that refuses names of files which cannot be written.

    Raises:
        ValueError: if the model cannot be read, or a value is out of range.
    """
    count = check_int("count", arguments.count, 1, MAX_PICTURES)
    seed = random_seed() // 2 if arguments.seed is None else arguments.seed
    check_int("seed", seed, 0, MAX_SEED - count + 1)
    info = read_model_info(arguments.model, wanted)
    check_out(arguments.out)
    if count == 1 and arguments.out.is_dir():
        raise ValueError(f"{arguments.out} is a folder: --out is the name of a file")
    labels = _read_labels(arguments, info.labels)
    chosen = {name: getattr(arguments, name) for name in SAMPLING_OPTIONS}
    options = {name: value for name, value in chosen.items() if value is not None}
    options["precision"] = arguments.precision
    words = arguments.prompt, arguments.negative_prompt
    settings = read_settings(info, labels, seed, options, *words)
    for note in settings.wish.notes:
        print(note, file=sys.stderr)
    scales_dir = getattr(arguments, "scales_dir", None)
    return DrawingFlags(info, settings, count, arguments.out, scales_dir)


def load_pipeline(model: Path, precision: str) -> VARPipeline:
    """Load a model of pictures on the device of this machine; raises as `load_pipeline_of`."""
    return load_pipeline_of(VARPipeline, model, precision)


def load_pipeline_of(kind: type[Pipeline], model: Path, precision: str) -> Pipeline:
    """Load a model on the device of this machine.

    Raises:
        ValueError: if the folder is missing or damaged, or the model is of another kind.
    """
    device = pick_device()
    dtype = pick_dtype(device, precision)
    return kind.from_pretrained(model, torch_dtype=dtype).to(device)


def numbered(path: Path, index: int, count: int) -> Path:
    """The file of one of several drawings: `path` itself where there is one."""
    return path if count == 1 else path.with_name(f"{path.stem}-{index}{path.suffix}")


def say(path: Path) -> None:
    """Print the name of a file that was written."""
    if not is_special(path):  # the content itself may go to the output
        print(path)


def _read_labels(arguments: argparse.Namespace, known: LabelSpace) -> dict[str, object]:
    """Names of attributes and menus to the names that were asked for; a number is a name too.

    Raises:
        ValueError: if one is malformed or given twice.
    """
    menus = [menu.name for menu in known.menus]
    labels: dict[str, object] = {}
    for one in filter(_has_flag, (*known.attributes, *known.menus)):
        word = getattr(arguments, f"label_{one.name}", None)
        if word not in (None, []):  # an empty name is one that there is not
            labels[one.name] = word
    for pair in arguments.attribute:
        name, equals, word = pair.partition("=")
        if not (name and equals and word):
            raise ValueError(f"a label is like attribute=name, got {pair!r:.60}")
        if name in menus:
            chosen = labels.setdefault(name, [])
            assert isinstance(chosen, list)
            chosen.append(word)
        elif labels.setdefault(name, word) != word:
            raise ValueError(f"{name} is asked for twice: {labels[name]!r} and {word!r}")
    return labels


def _has_flag(one: Attribute | Menu) -> bool:
    return is_option_name(one.name)
