"""Checks what a Hugging Face Space needs, and writes the folder to push."""

import re
import shutil
from pathlib import Path

import yaml

from var_core.checkpoints import CheckpointError
from var_core.locations import checkout_folder
from var_core.model_info import INDEX_FILE, read_model_info

MANIFEST = "Spacefile"
HARDWARE = {"cpu": "cpu-basic", "zero": "zero-a10g"}  # variants and their names on the Hub
TORCH = "torch==2.10.0"  # ZeroGPU accepts it, and xformers 0.0.35 is built for it
SPACES = "spaces==0.51.3"
PYTHON = {"cpu": "3.12", "zero": "3.12.12"}  # ZeroGPU has only this one
PARTS = ("app.py", "var_core", "assets", "README.md", "LICENSE", MANIFEST)
LOCK = ".ci/locks/space.txt"  # versions and hashes of all packages of the "zero" variant
FIRST = "pre-requirements.txt"  # the Hub installs it before, and apart from, what it adds itself
LEFT_OUT = ("__pycache__", "*.pyc", ".*")
HEAD = ("v", "app_name", "icon", "micros")  # keys of a Deta Spacefile
NEEDED = ("title", "emoji", "colorFrom", "colorTo", "sdk", "sdk_version", "app_file", "license")
COLOURS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
MAX_SHORT_DESCRIPTION = 60  # characters
MAX_BYTES = 1_000_000_000


def front_matter(readme: str) -> dict:
    """The YAML at the top of a README, which the Hub reads.

    Raises:
        ValueError: if there is none.
    """
    found = re.match(r"---\n(.*?)\n---\n", readme, re.DOTALL)
    content = yaml.safe_load(found[1]) if found else None
    if not isinstance(content, dict):
        raise ValueError("README.md does not begin with front matter between two lines of ---")
    return content


def problems(root: Path | None = None) -> list[str]:
    """What would stop a Space from being built, one sentence each.

    Args:
        root: a checkout, or a folder that `write_space` has written; None is this checkout.

    Raises:
        ValueError: if `root` is None and the package is installed.
    """
    root = root or checkout_folder()
    missing = [name for name in (*PARTS, "requirements.txt") if not (root / name).exists()]
    if missing:
        return [f"{name} is missing" for name in missing]
    try:
        head = front_matter((root / "README.md").read_text("utf-8"))
        manifest = yaml.safe_load((root / MANIFEST).read_text("utf-8"))
        if not isinstance(manifest, dict):
            raise ValueError(f"{MANIFEST} holds no mapping")
    except (ValueError, yaml.YAMLError) as error:
        return [str(error).replace("\n", " ")]
    found = [f"{MANIFEST} lacks {name}" for name in HEAD if name not in manifest]
    space = manifest.get("space")
    if space != head:
        found.append(f"the space block of {MANIFEST} differs from the front matter of README.md")
    return (
        found
        + _front_matter_problems(root, head)
        + _pin_problems(root, head)
        + _lock_problems(root)
        + _model_problems(root)
    )


def _front_matter_problems(root: Path, head: dict) -> list[str]:
    found = [f"the front matter lacks {name}" for name in NEEDED if not head.get(name)]
    if head.get("sdk") != "gradio":
        found.append(f"sdk must be gradio, not {head.get('sdk')!r}")
    if not re.fullmatch(r"\d+\.\d+\.\d+", str(head.get("sdk_version"))):
        found.append(f"sdk_version must be whole, as in 6.31.0, not {head.get('sdk_version')!r}")
    if not re.fullmatch(r"3\.\d+(\.\d+)?", str(head.get("python_version"))):
        found.append(f"python_version must be like 3.12, not {head.get('python_version')!r}")
    found += [
        f"{name} must be one of {', '.join(COLOURS)}, not {head[name]!r}"
        for name in ("colorFrom", "colorTo")
        if name in head and head[name] not in COLOURS
    ]
    if not (root / str(head.get("app_file"))).is_file():
        found.append(f"app_file {head.get('app_file')!r} is not there")
    if len(str(head.get("short_description", ""))) > MAX_SHORT_DESCRIPTION:
        found.append(f"short_description has more than {MAX_SHORT_DESCRIPTION} characters")
    if head.get("suggested_hardware") not in HARDWARE.values():
        known = ", ".join(HARDWARE.values())
        found.append(f"suggested_hardware must be one of {known}")
    return found


def _pin_problems(root: Path, head: dict) -> list[str]:
    lines = (root / "requirements.txt").read_text("utf-8").split("\n")
    wanted = [line.split(";")[0].strip() for line in lines if line.strip()]
    found = [f"{line} is not pinned" for line in wanted if "==" not in line]
    pins = dict(line.split("==") for line in wanted if "==" in line)
    if pins.get("gradio", head.get("sdk_version")) != head.get("sdk_version"):
        found.append(f"gradio is pinned to {pins['gradio']}, sdk_version {head.get('sdk_version')}")
    return found


def _lock_problems(root: Path) -> list[str]:
    """Pins that the lock of a checkout, or of a folder for a Space, does not have."""
    is_space = (root / FIRST).exists()
    lock = root / (FIRST if is_space else LOCK)
    if not lock.exists():
        return [f"{lock.name} is missing: .ci/lock.py writes it"]
    lines = (root / "requirements.txt").read_text("utf-8").split("\n")
    pins = [line for line in lines if line] if is_space else space_pins(lines, "zero")
    wanted = {pin.split(";")[0].strip() for pin in pins}
    locked = {
        entry.split()[0]
        for entry in lock_entries(lock.read_text("utf-8"))
        if "--hash=sha256:" in entry
    }
    return [f"{lock.name} lacks {pin}: run .ci/lock.py" for pin in sorted(wanted - locked)]


def lock_entries(lock: str) -> list[str]:
    """The entries of a lock, each `name==version` with its hashes in the lines below."""
    return re.findall(r"^[\w.-]+==.*\n(?:[ \t].*\n)*", lock, re.MULTILINE)


def _model_problems(root: Path) -> list[str]:
    found, files = [], [path for path in root.glob("assets/**/*") if path.is_file()]
    folders = [path.parent for path in files if path.name == INDEX_FILE]
    if not folders:
        found.append("there is no model in assets")
    for folder in folders:
        try:
            read_model_info(folder)
        except CheckpointError as error:
            found.append(str(error))
    size = sum(path.stat().st_size for path in files)
    if size > MAX_BYTES:
        found.append(f"the assets have {size} bytes, a Space holds {MAX_BYTES}")
    return found


def write_space(out: Path, variant: str, root: Path | None = None) -> None:
    """Write a folder that is ready to be pushed to a Space.

    Args:
        out: folder to write; must not exist, or be empty.
        variant: "cpu" or "zero" (ZeroGPU).
        root: a checkout; None is this one.

    Raises:
        ValueError: if the folder is not empty, if something that a build needs is missing, or if
            `root` is None and the package is installed.
        OSError: if it cannot be written.
    """
    if variant not in HARDWARE:
        raise ValueError(f"hardware must be one of {', '.join(HARDWARE)}, got {variant!r}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} is not an empty folder")
    root = root or checkout_folder()
    if found := problems(root):
        raise ValueError("; ".join(found))
    for name in PARTS:
        source = root / name
        if source.is_dir():
            ignore = shutil.ignore_patterns(*LEFT_OUT)
            shutil.copytree(source, out / name, ignore=ignore, dirs_exist_ok=True)
        else:
            out.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, out / name)
    for name in ("README.md", MANIFEST):
        path = out / name
        path.write_text(_for_variant(path.read_text("utf-8"), variant), "utf-8")
    pins = (root / "requirements.txt").read_text("utf-8").split("\n")
    (out / "requirements.txt").write_text("\n".join(space_pins(pins, variant)) + "\n", "utf-8")
    entries = lock_entries((root / LOCK).read_text("utf-8"))
    needed = [entry for entry in entries if variant == "zero" or not entry.startswith("xformers==")]
    (out / FIRST).write_text("".join(["--require-hashes\n", *needed]), "utf-8")


def _for_variant(text: str, variant: str) -> str:
    for name, value in (
        ("suggested_hardware", HARDWARE[variant]),
        ("python_version", f'"{PYTHON[variant]}"'),
    ):
        text = re.sub(rf"^( *{name}): .*$", rf"\1: {value}", text, count=1, flags=re.MULTILINE)
    return text


def space_pins(lines: list[str], variant: str) -> list[str]:
    """Requirements without gradio, which comes with the Space, and with ZeroGPU's torch."""
    left_out = ("gradio",) if variant == "zero" else ("gradio", "xformers")
    kept = [line for line in lines if line and line.split("==")[0] not in left_out]
    pins = [TORCH if line.startswith("torch==") else line for line in kept]
    return sorted([*pins, SPACES]) if variant == "zero" else pins
