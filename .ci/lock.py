#!/usr/bin/env python3
"""Writes `.ci/locks/`: version and hashes of every package that the requirements files draw in.

Run it after a pin has changed: `.venv/bin/python .ci/lock.py`. `uv` asks the registry; what is
locked already keeps its version, with `--upgrade` all but the pins move. pip refuses a file whose
hash is not listed:

    pip install --no-deps --require-hashes -r .ci/locks/app.txt -r .ci/locks/torch-cuda.txt

- `app.txt`: what `requirements.txt` draws in but torch, for every platform and Python of
  pyproject.toml.
- `torch-cuda.txt`: torch as the registry has it, with the libraries of CUDA where it needs them.
- `torch-cpu.txt`: torch's own build for Linux without CUDA, which the registry does not have.
- `ray.txt`: what `var_core/serving/cluster/requirements.txt` adds to `app.txt`.
- `tests.txt`: what `tests/requirements.txt` adds to both.
- `space.txt`: a Hugging Face Space, which has torch and Python of its own.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOCKS = ROOT / ".ci" / "locks"
sys.path.insert(0, str(ROOT))

from var_core.serving.hosting import front_matter, lock_entries, space_pins  # noqa: E402

TORCH_ON_CPU = {  # hashes that torch's own index shows, for Python 3.11 and x86_64
    "torch==2.13.0": "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b",
}
CUDA = re.compile(r"(torch|nvidia|cuda|triton)\b")
ANYWHERE = ("--universal", "--python-version", "3.11")
SPACE = ("--python-version", "3.12", "--python-platform", "x86_64-manylinux_2_28")


def compiled(wanted: Path, kept: list[str], options: tuple[str, ...]) -> dict[str, str]:
    """Ask the registry.

    Args:
        wanted: requirements file.
        kept: `name==version` of what keeps its version where that still fits.
        options: platforms and Python versions, as uv takes them.

    Returns:
        Entries of a lock by their first line, `name==version`, in order.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "lock.txt"
        out.write_text("\n".join(kept), "utf-8")
        command = ["uv", "pip", "compile", str(wanted), "--output-file", str(out), *options]
        quiet = ["--generate-hashes", "--no-header", "--no-annotate", "--no-config", "--quiet"]
        subprocess.run([sys.executable, "-m", *command, *quiet], check=True)
        entries = lock_entries(out.read_text("utf-8"))
    return {pin(entry): entry for entry in entries}


def pin(entry: str) -> str:
    """An entry without its hashes."""
    return entry.split(" \\\n")[0]


def write(name: str, about: str, entries: dict[str, str]) -> None:
    """Write one lock."""
    head = f"# {about}; written by .ci/lock.py\n"
    (LOCKS / name).write_text(head + "".join(entries.values()), "utf-8")


def locked(*names: str) -> list[str]:
    """What some locks hold now, without hashes."""
    paths = [LOCKS / name for name in names if (LOCKS / name).exists()]
    return [pin(entry) for path in paths for entry in lock_entries(path.read_text("utf-8"))]


def main() -> None:
    """Write all locks."""
    parser = argparse.ArgumentParser(description="Write the locks in .ci/locks.")
    parser.add_argument("--upgrade", action="store_true", help="newest that the pins allow")
    upgrade = parser.parse_args().upgrade
    LOCKS.mkdir(exist_ok=True)
    old = [] if upgrade else locked("app.txt", "torch-cuda.txt", "ray.txt", "tests.txt")
    # the tests' requirements contain the app's: in this order both get the same versions
    everything = compiled(ROOT / "tests/requirements.txt", old, ANYWHERE)
    app = compiled(ROOT / "requirements.txt", list(everything), ANYWHERE)
    cuda = {line: entry for line, entry in app.items() if CUDA.match(line)}
    app = {line: entry for line, entry in app.items() if line not in cuda}
    ray = compiled(ROOT / "var_core/serving/cluster/requirements.txt", list(everything), ANYWHERE)
    ray = {line: entry for line, entry in ray.items() if line not in app}
    tests = {k: v for k, v in everything.items() if k not in {**app, **cuda, **ray}}
    (torch,) = (line for line in cuda if line.startswith("torch=="))
    on_cpu = f"{torch}+cpu \\\n    --hash=sha256:{TORCH_ON_CPU[torch]}\n"
    write("app.txt", "What requirements.txt draws in, but torch", app)
    write("torch-cuda.txt", "torch, with the libraries of CUDA", cuda)
    write("torch-cpu.txt", "torch for Linux without CUDA", {torch: on_cpu})
    write("ray.txt", "What var_core/serving/cluster/requirements.txt adds to app.txt", ray)
    write("tests.txt", "What tests/requirements.txt adds to app.txt and ray.txt", tests)
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "space.txt"
        pins = space_pins((ROOT / "requirements.txt").read_text("utf-8").split("\n"), "zero")
        version = front_matter((ROOT / "README.md").read_text("utf-8"))["sdk_version"]
        besides = [f"gradio[oauth,mcp]=={version}", "uvicorn", "websockets"]  # the Hub's own
        wanted.write_text("\n".join([*pins, *besides]), "utf-8")
        old = [] if upgrade else locked("space.txt") or list(everything)
        write("space.txt", "What a Hugging Face Space installs", compiled(wanted, old, SPACE))


if __name__ == "__main__":
    main()
