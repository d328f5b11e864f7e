"""The locks: version and hashes of every package, so that a changed file is never installed."""

import hashlib
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.patience import LIMIT_SECONDS
from tests.server import ROOT
from var_core.serving.hosting import lock_entries

LOCKS = ROOT / ".ci" / "locks"
NAMES = ("app.txt", "torch-cuda.txt", "torch-cpu.txt", "ray.txt", "tests.txt", "space.txt")


def pins(*names: str) -> dict[str, Requirement]:
    """What the locks hold for this Python and platform, by name."""
    found = {}
    for name in names:
        for entry in lock_entries((LOCKS / name).read_text("utf-8")):
            one = Requirement(entry.split(" \\\n")[0])
            if one.marker is None or one.marker.evaluate():
                assert one.name not in found, f"{one.name} is locked twice"
                found[canonicalize_name(one.name)] = one
    return found


def version(pin: Requirement) -> Version:
    return Version(str(pin.specifier).removeprefix("=="))


def wanted(path: Path) -> Iterator[Requirement]:
    """Lines of a requirements file, with those of the files that it includes."""
    for line in filter(None, path.read_text("utf-8").split("\n")):
        if line.startswith("-r "):
            yield from wanted(path.parent / line.removeprefix("-r "))
        else:
            yield Requirement(line)


@pytest.mark.parametrize(
    ("file", "locks"),
    [
        ("requirements.txt", ["app.txt", "torch-cuda.txt"]),
        ("var_core/serving/cluster/requirements.txt", ["app.txt", "ray.txt"]),
        ("training/requirements.txt", ["app.txt", "torch-cuda.txt", "ray.txt", "tests.txt"]),
        ("tests/requirements.txt", ["app.txt", "torch-cuda.txt", "ray.txt", "tests.txt"]),
    ],
)
def test_every_requirement_is_locked_in_its_version(file: str, locks: list[str]) -> None:
    locked = pins(*locks)
    for requirement in wanted(ROOT / file):
        if requirement.marker is None or requirement.marker.evaluate():
            assert locked[canonicalize_name(requirement.name)].specifier == requirement.specifier


def test_whatever_a_locked_package_needs_is_locked_too() -> None:
    """Read off the packages that are installed here in their locked version."""
    locked, checked = pins("app.txt", "ray.txt", "tests.txt", "torch-cuda.txt"), 0
    for distribution in distributions():
        own = locked.get(canonicalize_name(distribution.name))
        if own is None or not own.specifier.contains(distribution.version, prereleases=True):
            continue
        checked += 1
        for requirement in map(Requirement, distribution.requires or []):
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                found = locked[canonicalize_name(requirement.name)]
                allowed = requirement.specifier.contains(version(found), prereleases=True)
                assert allowed, f"{distribution.name} needs {requirement}, locked is {found}"
    assert checked


@pytest.mark.parametrize("name", NAMES)
def test_a_lock_holds_nothing_but_versions_and_hashes(name: str) -> None:
    text = (LOCKS / name).read_text("utf-8")
    assert text.startswith("# ") and "://" not in text
    entries = lock_entries(text)
    assert "".join(entries) == text.split("\n", 1)[1]
    for entry in entries:
        first, *hashes = entry.rstrip("\n").split(" \\\n")
        assert re.fullmatch(r"[a-z0-9-]+==[\w.]+(\+cpu)?( ; [^#]+)?", first)
        assert hashes and all(re.fullmatch(r" +--hash=sha256:[0-9a-f]{64}", one) for one in hashes)
        assert len(hashes) == len(set(hashes))


def test_both_builds_of_torch_have_one_version() -> None:
    (on_cpu,), cuda = pins("torch-cpu.txt").values(), pins("torch-cuda.txt")
    assert str(on_cpu.specifier) == f"{cuda['torch'].specifier}+cpu"


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    entry = next(e for e in lock_entries((LOCKS / "app.txt").read_text()) if e.startswith("tqdm="))
    number = entry.split()[0].removeprefix("tqdm==")
    wheel, info = tmp_path / f"tqdm-{number}-py3-none-any.whl", f"tqdm-{number}.dist-info"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("tqdm/__init__.py", "print('something else')")
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tqdm\nVersion: {number}\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
        file.writestr(f"{info}/RECORD", "")
    own = hashlib.sha256(wheel.read_bytes()).hexdigest()
    options = re.search(r'^locked="(.*)"$', (ROOT / ".ci/run").read_text(), re.MULTILINE)
    assert options
    known = f"{entry.rstrip()} \\\n    --hash=sha256:{own}\n"
    for lock, code in ((entry, 1), (known, 0)):
        (tmp_path / "lock.txt").write_text(lock)
        command = [sys.executable, "-m", "pip", "install", "--target", str(tmp_path / "out")]
        source = ["--no-index", "--find-links", str(tmp_path), "-r", str(tmp_path / "lock.txt")]
        found = subprocess.run(
            [*command, *options[1].split(), *source],
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
        )
        assert found.returncode == code, found.stderr
        assert ("DO NOT MATCH THE HASHES" in found.stderr) == bool(code)
