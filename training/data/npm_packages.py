"""Downloads npm packages that are pinned by the hash of their content."""

import os
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from var_core.files import sha256_of

FETCH_TIMEOUT_SECONDS = 900


class PackageError(ValueError):
    """A package cannot be fetched or is not the expected one; the message is one sentence."""


@dataclass(frozen=True)
class Package:
    """One npm package at one version; the hash pins its content."""

    name: str
    version: str
    sha256: str  # of the .tgz

    @property
    def file_name(self) -> str:
        """Name that `npm pack` gives the archive: scope and name joined by a hyphen."""
        return f"{self.name.lstrip('@').replace('/', '-')}-{self.version}.tgz"


def fetch_package(package: Package, folder: Path) -> Path:
    """Download an archive into a folder and verify it.

    Args:
        package: package to download.
        folder: cache folder, which must exist; a verified archive in it is not downloaded again.

    Returns:
        Path of the archive.

    Raises:
        PackageError: if npm is missing or fails, or the archive is not the pinned one.
    """
    target = folder / package.file_name
    if target.exists() and sha256_of(target) == package.sha256:
        return target
    with tempfile.TemporaryDirectory(dir=folder, prefix="fetch-") as scratch:
        archive = _npm_pack(package, Path(scratch))
        found = sha256_of(archive)
        if found != package.sha256:
            raise PackageError(
                f"{package.name}@{package.version} has sha256 {found}, expected {package.sha256}; "
                "it was not used"
            )
        os.replace(archive, target)
    return target


def _npm_pack(package: Package, folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise PackageError(
            f"npm was not found: install Node.js, which includes npm, to download {package.name}"
        )
    spec = f"{package.name}@{package.version}"
    command = [npm, "pack", spec, "--ignore-scripts", "--loglevel=error"]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=FETCH_TIMEOUT_SECONDS
        )
    except OSError as error:
        raise PackageError(f"npm could not be started: {error}") from error
    except subprocess.TimeoutExpired as error:
        raise PackageError(
            f"npm pack {spec} was stopped after {FETCH_TIMEOUT_SECONDS} s: check the network"
        ) from error
    archives = sorted(folder.glob("*.tgz"))
    if done.returncode != 0 or len(archives) != 1:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        reason = lines[0] if lines else f"exit code {done.returncode}"
        raise PackageError(f"npm pack {spec} failed: {reason}")
    return archives[0]


def read_members(archive: Path, prefixes: tuple[str, ...]) -> dict[str, bytes]:
    """Read plain files of an npm archive into memory; nothing is written to disk.

    Args:
        archive: verified .tgz whose content lies under `package/`.
        prefixes: beginnings of the paths to keep, below `package/`.

    Returns:
        Content of each file by its path below `package/`.
    """
    members = {}
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            name = member.name.removeprefix("package/")
            file = tar.extractfile(member) if member.isfile() else None
            if file is not None and name.startswith(prefixes):
                members[name] = file.read()
    return members
