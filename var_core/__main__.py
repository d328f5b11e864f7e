"""Command line: `python -m var_core generate | edit | outpaint | vary | ...`."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from var_core.devices import PRECISIONS, pick_device, pick_dtype
from var_core.editing import RULES, Margins, read_mask
from var_core.images import read_image
from var_core.jobs.parsing import (
    MAX_COUNT,
    count_up,
    edit,
    outpaint,
    read_settings,
    vary,
)
from var_core.jobs.png_recipe import write_png
from var_core.jobs.progress import JobProgress, Request, sharpen
from var_core.jobs.requests import Settings
from var_core.labels import LABELS_FILE, LabelSpace
from var_core.official.catalogue import (
    EMBEDDED_FOLDER,
    MODELS,
    download,
    find_model,
    how_to_get,
    models_folder,
)
from var_core.official.convert import convert
from var_core.option_fields import option_fields
from var_core.pipeline import VARPipeline
from var_core.ranges import check_int
from var_core.sampling import MAX_SEED, SamplingOptions, random_seed
from var_core.serving.hosting import HARDWARE, problems, write_space
from var_core.sketches import STEPS, add_sketch

EXIT_BAD_INPUT = 2
MAX_FILES = 64
EXIT_NO_OUTPUT = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0, 2 for bad input, 3 for failed output."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    model = _model_of(arguments)
    try:
        parsed = _parser(model).parse_args(arguments)
        return parsed.command(parsed)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        print(f"error: cannot write {place}{error.strerror or error}", file=sys.stderr)
        return EXIT_NO_OUTPUT


def _model_of(arguments: Sequence[str]) -> Path:
    """The model folder, needed before parsing: its labels become options."""
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    early.add_argument("--model", type=Path, default=EMBEDDED_FOLDER)
    return early.parse_known_args(arguments)[0].model


def _attribute_names(model: Path) -> list[str]:
    path = model / LABELS_FILE
    if not path.is_file():
        return ["class"]
    labels = LabelSpace.from_json(json.loads(path.read_text("utf-8")))
    return [attribute.name for attribute in labels.attributes]


def _parser(model: Path) -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--model", type=Path, default=EMBEDDED_FOLDER, help="model folder")
    shared.add_argument(
        "--precision", choices=PRECISIONS, default="auto", help="dtype of the networks"
    )
    parser = argparse.ArgumentParser(prog="python -m var_core", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    drawing = argparse.ArgumentParser(add_help=False, parents=[shared])
    for name in _attribute_names(model):
        drawing.add_argument(
            f"--{name}", dest=f"label_{name}", help=f"{name} by name; left open by default"
        )
    drawing.add_argument("--seed", type=int, help=f"0 to {MAX_SEED}; random by default")
    drawing.add_argument("--count", type=int, default=1, help="pictures, with seeds counting up")
    for one in option_fields(SamplingOptions):
        if one.is_switch:
            drawing.add_argument(one.flag, dest=one.name, action="store_true", help=one.help)
        else:
            words = f"{one.help}; {one.low:g} to {one.high:g}, {one.default:g} by default"
            drawing.add_argument(one.flag, dest=one.name, type=one.kind, help=words)
    drawing.add_argument("--out", type=Path, default=Path("picture.png"), help="PNG file")

    generate = commands.add_parser("generate", parents=[drawing], help="draw pictures")
    generate.add_argument("--scales-dir", type=Path, help="folder for the preview of every scale")
    generate.set_defaults(command=_generate)

    editing = argparse.ArgumentParser(add_help=False, parents=[drawing])
    editing.add_argument("--image", type=Path, required=True, help="PNG, JPEG or WebP file")
    rules = argparse.ArgumentParser(add_help=False)
    rules.add_argument("--rule", choices=RULES, default=RULES[0], help="how what is kept is kept")
    rules.add_argument("--best-of", type=int, default=1, help="candidates of the coarse scales")

    parents = [editing, rules]
    change = commands.add_parser("edit", parents=parents, help="redraw what is under a mask")
    change.add_argument("--mask", type=Path, required=True, help="picture; white is redrawn")
    change.set_defaults(command=_edit)

    widen = commands.add_parser("outpaint", parents=parents, help="add to the sides of a picture")
    for side in ("left", "top", "right", "bottom"):
        widen.add_argument(f"--{side}", type=int, default=0, help="pixels to add")
    widen.set_defaults(command=_outpaint)

    alter = commands.add_parser("vary", parents=[editing], help="keep the coarse scales alone")
    alter.add_argument("--keep-scales", type=int, required=True, help="how many")
    alter.set_defaults(command=_vary)

    reconstruct = commands.add_parser(
        "reconstruct", parents=[shared], help="show a picture after each scale of the tokenizer"
    )
    reconstruct.add_argument("image", type=Path, help="PNG, JPEG or WebP file")
    reconstruct.add_argument("--out", type=Path, default=Path("reconstruction.png"))
    reconstruct.add_argument("--scales-dir", type=Path, help="folder for every scale")
    reconstruct.set_defaults(command=_reconstruct)

    info = commands.add_parser("info", parents=[shared], help="describe a model")
    info.set_defaults(command=_info)

    turn = commands.add_parser("convert", help="make a model folder of official .pth files")
    turn.add_argument("--tokenizer", type=Path, required=True, help="vae_ch160v4096z32.pth")
    turn.add_argument("--transformer", type=Path, required=True, help="for example var_d16.pth")
    turn.add_argument("--out", type=Path, required=True, help="folder to make")
    turn.add_argument("--scales", type=_numbers, help="1,2,3,...; by default what the file tells")
    turn.add_argument("--heads", type=int, help="by default what the file tells, else width / 64")
    turn.add_argument("--tokenizer-sha256", help="refuse any other file")
    turn.add_argument("--transformer-sha256", help="refuse any other file")
    turn.set_defaults(command=_convert)

    draft = commands.add_parser("sketch", help="give a model cheap previews: minutes, once")
    draft.add_argument("model", type=Path, help="model folder")
    draft.set_defaults(command=_sketch)

    known = commands.add_parser("models", help="list the models that can be had by name")
    known.set_defaults(command=_models)

    fetch = commands.add_parser("download", help="fetch and install an official model")
    fetch.add_argument("name", help="as in the list of models")
    fetch.set_defaults(command=_download)

    space = commands.add_parser("space", help="check or write what a Hugging Face Space needs")
    task = space.add_mutually_exclusive_group(required=True)
    task.add_argument("--check", action="store_true", help="say what is missing")
    task.add_argument("--out", type=Path, metavar="DIR", help="write a folder to push")
    space.add_argument("--hardware", choices=HARDWARE, default="cpu", help="of the folder")
    space.set_defaults(command=_space)
    return parser


def _load(arguments: argparse.Namespace) -> VARPipeline:
    device = pick_device()
    dtype = pick_dtype(device, arguments.precision)
    return VARPipeline.from_pretrained(arguments.model, torch_dtype=dtype).to(device)


def _settings(arguments: argparse.Namespace) -> tuple[VARPipeline, Settings]:
    """The model, and what all drawing commands have in common."""
    count = check_int("count", arguments.count, 1, MAX_FILES)
    seed = random_seed() if arguments.seed is None else arguments.seed
    check_int("seed", seed, 0, MAX_SEED - count + 1)
    pipeline = _load(arguments)
    names = [attribute.name for attribute in pipeline.labels.attributes]
    given = {name: getattr(arguments, f"label_{name}") for name in names}
    labels = {name: int(value) if _is_index(value) else value for name, value in given.items()}
    chosen = {one.name: getattr(arguments, one.name) for one in option_fields(SamplingOptions)}
    options = {name: value for name, value in chosen.items() if value is not None}
    return pipeline, read_settings(pipeline.info, labels, seed, options)


def _draw(
    arguments: argparse.Namespace,
    pipeline: VARPipeline,
    settings: Settings,
    make_request: Callable[[Settings, int], Request],
) -> int:
    """Draw so many at a time, and write the files."""
    count, scales_dir = arguments.count, getattr(arguments, "scales_dir", None)
    for start in range(0, count, MAX_COUNT):
        part = replace(settings, seed=settings.seed + start)
        request = make_request(part, min(MAX_COUNT, count - start))
        progress = JobProgress(request)
        for progress in tqdm(request.start(pipeline), unit="scale", desc="drawing"):  # noqa: B007
            pass
        if scales_dir is not None:
            while progress.num_sketches:
                progress = sharpen(pipeline, progress)
            _write_scales(arguments, progress, start)
        recipes = progress.recipes(pipeline.labels, arguments.model.name)
        for index, image in enumerate(progress.frames[-1]):
            path = _numbered(arguments.out, start + index, count)
            write_png(path, image, recipes[index])
            print(path)
    return 0


def _generate(arguments: argparse.Namespace) -> int:
    return _draw(arguments, *_settings(arguments), count_up)


def _edit(arguments: argparse.Namespace) -> int:
    image, mask = read_image(arguments.image), read_mask(arguments.mask)
    chosen = (arguments.rule, arguments.best_of)
    return _draw(
        arguments,
        *_settings(arguments),
        lambda settings, count: edit(settings, image, mask, count, *chosen),
    )


def _outpaint(arguments: argparse.Namespace) -> int:
    image = read_image(arguments.image)
    margins = Margins(arguments.left, arguments.top, arguments.right, arguments.bottom)
    chosen = (arguments.rule, arguments.best_of)
    return _draw(
        arguments,
        *_settings(arguments),
        lambda settings, count: outpaint(settings, image, margins, count, *chosen),
    )


def _vary(arguments: argparse.Namespace) -> int:
    image = read_image(arguments.image)
    pipeline, settings = _settings(arguments)
    num_scales = pipeline.info.schedule.num_scales

    def make_request(part: Settings, count: int) -> Request:
        return vary(part, image, arguments.keep_scales, count, num_scales)

    return _draw(arguments, pipeline, settings, make_request)


def _is_index(value: str | None) -> bool:
    return value is not None and value.isascii() and value.isdigit()


def _numbered(path: Path, index: int, count: int) -> Path:
    return path if count == 1 else path.with_name(f"{path.stem}-{index}{path.suffix}")


def _write_scales(arguments: argparse.Namespace, progress: JobProgress, start: int) -> None:
    for number, frames in enumerate(progress.frames, start=1):
        for index, image in enumerate(frames, start):
            name = _numbered(Path(arguments.out.name), index, arguments.count)
            write_png(arguments.scales_dir / f"{name.stem}-scale{number:02d}.png", image, None)


def _reconstruct(arguments: argparse.Namespace) -> int:
    image = read_image(arguments.image)
    scales = _load(arguments).reconstruct(image)
    if arguments.scales_dir is not None:
        for number, scale in enumerate(scales, start=1):
            name = f"{arguments.out.stem}-scale{number:02d}.png"
            write_png(arguments.scales_dir / name, scale, None)
    write_png(arguments.out, scales[-1], None)
    print(arguments.out)
    return 0


def _info(arguments: argparse.Namespace) -> int:
    pipeline = _load(arguments)
    info, schedule = pipeline.info, pipeline.info.schedule
    print(f"model       {arguments.model}")
    print(f"pictures    {info.image_size}x{info.image_size}")
    print(f"scales      {', '.join(map(str, schedule.sides))} ({schedule.num_tokens} tokens)")
    print(f"codebook    {info.vocab_size} codes")
    print(f"tokenizer   {info.tokenizer_parameters / 1e6:.1f} million parameters")
    print(f"transformer {info.transformer_parameters / 1e6:.1f} million parameters")
    print(f"runs on     {pipeline.device} in {str(pipeline.dtype).removeprefix('torch.')}")
    for attribute in info.labels.attributes:
        shown = ", ".join(attribute.values[:5])
        print(f"{attribute.name:11} {len(attribute.values)} values: {shown}, ...")
    return 0


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"write 1,2,3,..., not {text!r:.40}") from None


def _convert(arguments: argparse.Namespace) -> int:
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
    return 0


def _models(arguments: argparse.Namespace) -> int:
    folder = models_folder()
    print(f"{'name':10} {'pixels':>6} {'parameters':>10}  {'state':28} licence")
    for card in MODELS:
        size = card.size(folder) / 1e6
        state = f"installed, {size:.0f} MB" if card.is_installed(folder) else "not installed"
        print(f"{card.name:10} {card.pixels:6} {card.parameters:9}M  {state:28} {card.licence}")
    print(f"install one: {how_to_get(MODELS[1])}")
    return 0


def _download(arguments: argparse.Namespace) -> int:
    folder = download(find_model(arguments.name), models_folder())
    _teach_sketch(folder)
    print(folder)
    return 0


def _sketch(arguments: argparse.Namespace) -> int:
    if not _teach_sketch(arguments.model):
        raise ValueError(f"{arguments.model} has a sketch decoder already")
    print(arguments.model)
    return 0


def _teach_sketch(folder: Path) -> bool:
    with tqdm(total=STEPS, unit="step", desc="learning to sketch previews") as bar:
        return add_sketch(folder, report=lambda step, _: bar.update(step - bar.n))


def _space(arguments: argparse.Namespace) -> int:
    if arguments.check:
        if found := problems():
            raise ValueError("; ".join(found))
        print("a Space can be built from this folder")
        return 0
    write_space(arguments.out, arguments.hardware)
    print(arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
