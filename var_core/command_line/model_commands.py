"""The commands about models: info, models, download, push, convert, sketch."""

import argparse
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from var_core.add_sketch import STEPS, add_sketch
from var_core.clip_pipeline import VARClipPipeline
from var_core.command_line.drawing_flags import load_pipeline_of
from var_core.hub import push_folder
from var_core.model_info import CLIPS, FRAMES_PER_SECOND, kind_of
from var_core.official.catalogue import MODELS, download, find_model, how_to_get, models_folder
from var_core.official.convert import convert
from var_core.pipeline import VARPipeline

Commands = argparse._SubParsersAction  # of the parsers of all commands


def add_model_commands(
    commands: "Commands[argparse.ArgumentParser]", shared: argparse.ArgumentParser
) -> None:
    """Add the commands of this file.

    Args:
        commands: list of all commands.
        shared: parent parser with model and precision.
    """
    info = commands.add_parser("info", parents=[shared], help="describe a model")
    info.set_defaults(run=_info)

    known = commands.add_parser("models", help="list the models that have a name")
    known.set_defaults(run=_models)

    fetch = commands.add_parser("download", help="fetch and install an official model")
    fetch.add_argument("name", help="name in the list of models")
    fetch.set_defaults(run=_download)

    push = commands.add_parser("push", help="upload a model folder to the Hugging Face hub")
    push.add_argument("model", type=Path, help="model folder; its README.md is the model card")
    push.add_argument("repository", help="name on the hub, as me/my-model; made if it is new")
    push.add_argument("--private", action="store_true", help="make a new repository private")
    push.set_defaults(run=_push)

    draft = commands.add_parser("sketch", help="teach a model cheap previews: minutes, once")
    draft.add_argument("model", type=Path, help="model folder")
    draft.set_defaults(run=_sketch)
    _add_convert(commands)


def _add_convert(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("convert", help="make a model folder from official .pth files")
    parser.add_argument(
        "--tokenizer", type=Path, required=True, metavar="FILE", help="vae_ch160v4096z32.pth"
    )
    parser.add_argument(
        "--transformer",
        type=Path,
        required=True,
        metavar="FILE",
        help="for example var_d16.pth",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="model folder to make"
    )
    parser.add_argument(
        "--scales",
        type=_numbers,
        metavar="1,2,3,...",
        help="sides of the token maps (default: those that the transformer tells)",
    )
    parser.add_argument(
        "--heads",
        type=int,
        metavar="N",
        help="attention heads (default: what the transformer tells, else width / 64)",
    )
    for part in ("tokenizer", "transformer"):
        parser.add_argument(
            f"--{part}-sha256", metavar="HASH", help=f"refuse any other {part} file"
        )
    parser.set_defaults(run=_convert)


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"write 1,2,3,..., not {text!r:.40}") from None


def _info(arguments: argparse.Namespace) -> None:
    kind = VARClipPipeline if kind_of(arguments.model) == CLIPS else VARPipeline
    pipeline = load_pipeline_of(kind, arguments.model, arguments.precision)
    info, schedule = pipeline.info, pipeline.info.schedule
    print(f"model       {arguments.model}")
    height, width = info.image_shape
    print(f"pictures    {width}x{height}")
    if schedule.is_clip:
        print(f"clips       {info.num_frames} frames, {FRAMES_PER_SECOND} a second, or more parts")
    print(f"scales      {', '.join(map(str, schedule.sides))} ({schedule.num_tokens} tokens)")
    print(f"codebook    {info.vocab_size} codes")
    print(f"tokenizer   {info.tokenizer_parameters / 1e6:.1f} million parameters")
    print(f"transformer {info.transformer_parameters / 1e6:.1f} million parameters")
    options = (f"{name} {value}" for name, value in asdict(info.options).items())
    print(f"defaults    {', '.join(options)}")
    print(f"runs on     {pipeline.device} in {str(pipeline.dtype).removeprefix('torch.')}")
    for attribute in info.labels.attributes:
        shown = [*attribute.values[:5], *(["..."] if len(attribute.values) > 5 else [])]
        print(f"{attribute.name:11} {len(attribute.values)} values: {', '.join(shown)}")


def _models(_: argparse.Namespace) -> None:
    folder = models_folder()
    print(f"{'name':10} {'pixels':>6} {'parameters':>10}  {'state':28} licence")
    for card in MODELS:
        size = card.size(folder) / 1e6
        state = f"installed, {size:.0f} MB" if card.is_installed(folder) else "not installed"
        print(f"{card.name:10} {card.pixels:6} {card.parameters:9}M  {state:28} {card.licence}")
    print(f"install one: {how_to_get(next(card for card in MODELS if card.file))}")


def _download(arguments: argparse.Namespace) -> None:
    card = find_model(arguments.name)
    folder = download(card, models_folder())
    if card.file is not None:  # those that are shipped stay as they are
        _teach_sketch(folder)
    print(folder)


def _push(arguments: argparse.Namespace) -> None:
    kind = VARClipPipeline if kind_of(arguments.model) == CLIPS else VARPipeline
    kind.from_pretrained(arguments.model)  # refuses what nobody could load
    private = True if arguments.private else None
    print(push_folder(arguments.model, arguments.repository, private=private))


def _sketch(arguments: argparse.Namespace) -> None:
    if not _teach_sketch(arguments.model):
        raise ValueError(f"{arguments.model} has a sketch decoder already")
    print(arguments.model)


def _teach_sketch(folder: Path) -> bool:
    """Teach a model cheap previews; returns False if it had learned them before."""
    with tqdm(total=STEPS, unit="step", desc="learning to sketch previews") as bar:

        def report(step: int, _: float) -> None:
            bar.update(step - bar.n)

        return add_sketch(folder, report=report)


def _convert(arguments: argparse.Namespace) -> None:
    convert(
        arguments.tokenizer,
        arguments.transformer,
        arguments.out,
        arguments.scales,
        arguments.heads,
        arguments.tokenizer_sha256,
        arguments.transformer_sha256,
    )
    print(arguments.out)
