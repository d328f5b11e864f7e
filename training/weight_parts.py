"""Cuts the weights of a network into small files and joins them again.

`python -m training.weight_parts cut runs/x/transformer parts` writes weights in files of at most
15 MB, bf16 but for the codes of a tokenizer; `python -m training.weight_parts join parts
models/x/transformer` makes a folder of them that can be trained further. Some machines give back
small files only.
"""

import argparse
import shutil
import sys
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from training.loop.command_line import fail, fail_to_write
from var_core.checkpoints import CONFIG_FILE, WEIGHTS_FILE
from var_core.exit_codes import EXIT_BAD_INPUT
from var_core.terminal import run_quietly
from var_core.weight_files import save_tensors

MAX_BYTES = 15_000_000
EXACT = "quantizer."  # of a tokenizer: rounded, these weights would make other tokens


def cut_weights(network: Path, parts: Path, max_bytes: int = MAX_BYTES) -> int:
    """Write the weights of a network folder as parts; returns how many.

    Parts of an earlier call are replaced.

    Raises:
        ValueError: if the folder is no network, or a single tensor is larger than a part.
    """
    groups: list[dict[str, Tensor]] = [{}]
    size = 0
    for name, value in sorted(_read(network / WEIGHTS_FILE).items()):
        if not name.startswith(EXACT):
            value = value.to(torch.bfloat16)
        value = value.contiguous()
        if value.nbytes > max_bytes:
            raise ValueError(f"{name} takes {value.nbytes:,} bytes, more than {max_bytes:,}")
        if size + value.nbytes > max_bytes:
            groups.append({})
            size = 0
        groups[-1][name] = value
        size += value.nbytes
    parts.mkdir(parents=True, exist_ok=True)
    for old in parts.glob("weights-*.safetensors"):
        old.unlink()
    for number, group in enumerate(groups, start=1):
        save_tensors(group, parts / f"weights-{number}-of-{len(groups)}.safetensors")
    shutil.copy(network / CONFIG_FILE, parts / CONFIG_FILE)
    return len(groups)


def join_weights(parts: Path, network: Path) -> int:
    """Make a network folder of parts, float32; returns how many there were.

    Raises:
        ValueError: if there are none, or one is missing or damaged.
    """
    paths = sorted(parts.glob("weights-*-of-*.safetensors"))
    if not paths or len(paths) != int(paths[0].stem.rsplit("-", 1)[1]):
        raise ValueError(f"{parts} does not hold all parts of a network, only {len(paths)}")
    weights = {name: value.float() for path in paths for name, value in _read(path).items()}
    network.mkdir(parents=True, exist_ok=True)
    save_tensors(weights, network / WEIGHTS_FILE, {"format": "pt"})
    shutil.copy(parts / CONFIG_FILE, network / CONFIG_FILE)
    return len(paths)


def _read(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(description="Cut weights into small files, or join them.")
    parser.add_argument("way", choices=("cut", "join"))
    parser.add_argument("source", type=Path, help="folder to read")
    parser.add_argument("target", type=Path, help="folder to write")
    return run_quietly(lambda: _run(parser.parse_args(argv)))


def _run(arguments: argparse.Namespace) -> int:
    work = cut_weights if arguments.way == "cut" else join_weights
    try:
        count = work(arguments.source, arguments.target)
        print(f"{arguments.target}: {count} parts")
    except ValueError as error:
        return fail(str(error), EXIT_BAD_INPUT)
    except BrokenPipeError:
        raise  # ends the command quietly
    except OSError as error:
        return fail_to_write(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
