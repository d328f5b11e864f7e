"""Where the emoji pictures come from: pinned packages, their hashes, and how they are fetched."""

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

FETCH_TIMEOUT_SECONDS = 900


class PrepareError(RuntimeError):
    """The emoji set could not be built; the message is one sentence meant for people."""


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


@dataclass(frozen=True)
class Pack:
    """The pictures of one drawing style."""

    style: str
    package: Package
    title: str
    authors: str
    source: str
    licence: str
    is_raster: bool = False  # pictures instead of an iconify set of SVG icons
    has_sequences: bool = True  # False: match icon names, the pack's own code points are not used


METADATA = Package(
    "emojibase-data",
    "17.0.0",
    "d01d0e2ca4e22cb402679532155342c71e2e871f25c32223c013b8b166ebdf5a",
)

PACKS = (  # this order is the build order and the order of the style labels
    Pack(
        style="noto",
        package=Package(
            "@iconify-json/noto",
            "1.2.9",
            "3e918d88fc945c0bb3d468dbace6f88caef67f01c9f0e7bcae0915a042e8f1ad",
        ),
        title="Noto Emoji",
        authors="Google Inc.",
        source="https://github.com/googlefonts/noto-emoji",
        licence="Apache-2.0",
    ),
    Pack(
        style="noto-v1",
        package=Package(
            "@iconify-json/noto-v1",
            "1.2.5",
            "2bf62c26c2c2884aa99e90aec942cdaee17a5921f05690694f4978ad4b017c37",
        ),
        title="Noto Emoji (v1)",
        authors="Google Inc.",
        source="https://github.com/googlefonts/noto-emoji",
        licence="Apache-2.0",
        has_sequences=False,
    ),
    Pack(
        style="twemoji",
        package=Package(
            "@iconify-json/twemoji",
            "1.2.5",
            "19046dff7d8707ce96212ec86468b36ac5f8e60409629dd13f809265c6d0ebb7",
        ),
        title="Twemoji",
        authors="Twitter, Inc. and other contributors",
        source="https://github.com/jdecked/twemoji",
        licence="CC-BY-4.0",
    ),
    Pack(
        style="fluent-3d",
        package=Package(
            "@lobehub/fluent-emoji-3d",
            "1.1.0",
            "c1bb7eee7de090205a232518a9ab4adb3df458bfbe8a1f78232991194c8b2e58",
        ),
        title="Fluent Emoji, 3D",
        authors="Microsoft Corporation (art), LobeHub (package)",
        source="https://github.com/lobehub/fluent-emoji",
        licence="MIT",
        is_raster=True,
    ),
    Pack(
        style="fluent-flat",
        package=Package(
            "@iconify-json/fluent-emoji-flat",
            "1.2.6",
            "7d064769dee690815f823bc5bcc511d957198caf9f5edd8dd9c1aa48a6aeb175",
        ),
        title="Fluent Emoji, flat",
        authors="Microsoft Corporation",
        source="https://github.com/microsoft/fluentui-emoji",
        licence="MIT",
    ),
    Pack(
        style="emojitwo",
        package=Package(
            "@iconify-json/emojione",
            "1.2.3",
            "26a14f44284407e8bcde91799388dca2bfd91dbcd55a97f425524a1c5b73610e",
        ),
        title="Emoji One 2.3.0, continued as EmojiTwo",
        authors="Emoji One and the EmojiTwo contributors",
        source="https://github.com/EmojiTwo/emojitwo",
        licence="CC-BY-4.0",
        has_sequences=False,
    ),
    Pack(
        style="fxemoji",
        package=Package(
            "@iconify-json/fxemoji",
            "1.2.2",
            "f3e72b3c59d05e1db03b7e308d55c0d05bd7ba3f625a90da1b79313c12858eef",
        ),
        title="Firefox OS Emoji",
        authors="Mozilla",
        source="https://github.com/mozilla/fxemoji",
        licence="Apache-2.0",
        has_sequences=False,
    ),
)

STYLES = tuple(pack.style for pack in PACKS)


def file_sha256(path: Path) -> str:
    """Return the hex sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch_package(package: Package, folder: Path) -> Path:
    """Make sure the verified archive of `package` lies in `folder`.

    Args:
        package: what to fetch.
        folder: cache folder; must exist. An archive that is there and verified is not fetched.

    Returns:
        Path of the archive.

    Raises:
        PrepareError: if npm is missing or fails, or the archive is not the pinned one.
    """
    target = folder / package.file_name
    if target.exists() and file_sha256(target) == package.sha256:
        return target
    with tempfile.TemporaryDirectory(dir=folder, prefix="fetch-") as scratch:
        archive = _npm_pack(package, Path(scratch))
        found = file_sha256(archive)
        if found != package.sha256:
            raise PrepareError(
                f"{package.name}@{package.version} has sha256 {found}, expected {package.sha256}; "
                "it was not used."
            )
        os.replace(archive, target)
    return target


def _npm_pack(package: Package, folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise PrepareError(
            "npm was not found: install Node.js (it brings npm) to fetch the emoji packages."
        )
    spec = f"{package.name}@{package.version}"
    command = [npm, "pack", spec, "--ignore-scripts", "--loglevel=error"]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=FETCH_TIMEOUT_SECONDS
        )
    except OSError as error:
        raise PrepareError(f"npm could not be started: {error}.") from error
    except subprocess.TimeoutExpired as error:
        raise PrepareError(
            f"npm pack {spec} gave up after {FETCH_TIMEOUT_SECONDS} s: check the network."
        ) from error
    archives = sorted(folder.glob("*.tgz"))
    if done.returncode != 0 or len(archives) != 1:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        reason = lines[0] if lines else f"exit code {done.returncode}"
        raise PrepareError(f"npm pack {spec} failed, is the network up? ({reason})")
    return archives[0]


def read_members(archive: Path, prefixes: tuple[str, ...]) -> dict[str, bytes]:
    """Read plain files of an npm archive into memory; nothing is written to disk.

    Args:
        archive: a verified .tgz; its content lies under `package/`.
        prefixes: files to keep, as the start of their path below `package/`.

    Returns:
        Path below `package/` -> content.
    """
    members = {}
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            name = member.name.removeprefix("package/")
            if member.isfile() and name.startswith(prefixes):
                members[name] = tar.extractfile(member).read()
    return members
