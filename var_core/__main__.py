"""Command line: `python -m var_core generate | reconstruct | info | space`."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from var_core.devices import PRECISIONS, pick_device, pick_dtype
from var_core.hosting import HARDWARE, problems, write_space
from var_core.images import read_image
from var_core.labels import LABELS_FILE, LabelSpace
from var_core.pipeline import DEFAULTS, VARPipeline, parameter_counts
from var_core.ranges import check_int
from var_core.sampling import MAX_SEED, random_seed
from var_core.serving.files import recipes_of
from var_core.serving.recipe import write_png
from var_core.serving.requests import MAX_COUNT, count_up, read_settings
from var_core.serving.runs import Run, draw_run

EMBEDDED_MODEL = Path(__file__).resolve().parent.parent / "assets" / "models" / "emoji64"
EXIT_BAD_INPUT = 2
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
    early.add_argument("--model", type=Path, default=EMBEDDED_MODEL)
    return early.parse_known_args(arguments)[0].model


def _attribute_names(model: Path) -> list[str]:
    path = model / LABELS_FILE
    if not path.is_file():
        return ["class"]
    labels = LabelSpace.from_json(json.loads(path.read_text("utf-8")))
    return [attribute.name for attribute in labels.attributes]


def _parser(model: Path) -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--model", type=Path, default=EMBEDDED_MODEL, help="model folder")
    shared.add_argument(
        "--precision", choices=PRECISIONS, default="auto", help="dtype of the networks"
    )
    parser = argparse.ArgumentParser(prog="python -m var_core", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    generate = commands.add_parser("generate", parents=[shared], help="draw pictures")
    for name in _attribute_names(model):
        generate.add_argument(
            f"--{name}", dest=f"label_{name}", help=f"{name} by name; left open by default"
        )
    generate.add_argument("--seed", type=int, help=f"0 to {MAX_SEED}; random by default")
    generate.add_argument("--count", type=int, default=1, help="pictures, with seeds counting up")
    generate.add_argument("--guidance", type=float, default=DEFAULTS.guidance_scale)
    generate.add_argument("--top-k", type=int, help=f"default {DEFAULTS.top_k}, 0 is off")
    generate.add_argument("--top-p", type=float, default=DEFAULTS.top_p, help="0 is off")
    generate.add_argument("--temperature", type=float, default=DEFAULTS.temperature)
    generate.add_argument("--smooth", action="store_true", help="mix codes; looks only")
    generate.add_argument("--out", type=Path, default=Path("picture.png"), help="PNG file")
    generate.add_argument("--scales-dir", type=Path, help="folder for the preview of every scale")
    generate.set_defaults(command=_generate)

    reconstruct = commands.add_parser(
        "reconstruct", parents=[shared], help="show a picture after each scale of the tokenizer"
    )
    reconstruct.add_argument("image", type=Path, help="PNG, JPEG or WebP file")
    reconstruct.add_argument("--out", type=Path, default=Path("reconstruction.png"))
    reconstruct.add_argument("--scales-dir", type=Path, help="folder for every scale")
    reconstruct.set_defaults(command=_reconstruct)

    info = commands.add_parser("info", parents=[shared], help="describe a model")
    info.set_defaults(command=_info)

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


def _generate(arguments: argparse.Namespace) -> int:
    count = check_int("count", arguments.count, 1, 64)
    seed = random_seed() if arguments.seed is None else arguments.seed
    check_int("seed", seed, 0, MAX_SEED - count + 1)
    pipeline = _load(arguments)
    names = [attribute.name for attribute in pipeline.labels.attributes]
    given = {name: getattr(arguments, f"label_{name}") for name in names}
    labels = {name: int(value) if _is_index(value) else value for name, value in given.items()}
    options = {
        "guidance_scale": arguments.guidance,
        "top_k": arguments.top_k,
        "top_p": arguments.top_p,
        "temperature": arguments.temperature,
        "smooth": arguments.smooth,
    }
    settings = read_settings(pipeline, labels, seed, options)
    total = pipeline.transformer.schedule.num_scales
    for start in range(0, count, MAX_COUNT):
        request = count_up(replace(settings, seed=seed + start), min(MAX_COUNT, count - start))
        for run in tqdm(draw_run(pipeline, request), total=total, unit="scale", desc="drawing"):
            if arguments.scales_dir is not None:
                _write_scale(arguments, run, start)
        recipes = recipes_of(pipeline.labels, arguments.model.name, run)
        for index, image in enumerate(run.frames[-1]):
            path = _numbered(arguments.out, start + index, count)
            write_png(path, image, recipes[index])
            print(path)
    return 0


def _is_index(value: str | None) -> bool:
    return value is not None and value.isascii() and value.isdigit()


def _numbered(path: Path, index: int, count: int) -> Path:
    return path if count == 1 else path.with_name(f"{path.stem}-{index}{path.suffix}")


def _write_scale(arguments: argparse.Namespace, run: Run, start: int) -> None:
    for index, image in enumerate(run.frames[-1], start):
        name = _numbered(Path(arguments.out.name), index, arguments.count)
        number = len(run.frames)
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
    schedule = pipeline.transformer.schedule
    counts = parameter_counts(pipeline)
    print(f"model       {arguments.model}")
    print(f"pictures    {pipeline.image_size}x{pipeline.image_size}")
    print(f"scales      {', '.join(map(str, schedule.sides))} ({schedule.num_tokens} tokens)")
    print(f"codebook    {pipeline.transformer.config.vocab_size} codes")
    print(f"tokenizer   {counts['tokenizer'] / 1e6:.1f} million parameters")
    print(f"transformer {counts['transformer'] / 1e6:.1f} million parameters")
    print(f"runs on     {pipeline.device} in {str(pipeline.dtype).removeprefix('torch.')}")
    for attribute in pipeline.labels.attributes:
        shown = ", ".join(attribute.values[:5])
        print(f"{attribute.name:11} {len(attribute.values)} values: {shown}, ...")
    return 0


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
