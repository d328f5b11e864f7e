"""The package: what its wheel holds, and that its two commands work where nothing else lies."""

import email
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from PIL import Image

import app
from tests.clients import Client
from tests.conftest import EMBEDDED_MODEL
from tests.patience import LIMIT_SECONDS
from tests.server import ROOT, running_app
from var_core import locations, page_command
from var_core.official.catalogue import EMBEDDED_FOLDER, models_folder


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of this checkout."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=LIMIT_SECONDS)
    (path,) = out.iterdir()
    return zipfile.ZipFile(path)


def test_the_wheel_holds_what_runs_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    sources = {str(path.relative_to(ROOT)) for path in ROOT.glob("var_core/**/*.py")}
    assets = [path for path in (ROOT / "assets").iterdir() if path.is_file()]
    assets += (ROOT / "assets" / "styles").iterdir()
    looks = {str(path.relative_to(ROOT)) for path in assets}
    assert {"var_core/app.py", "var_core/py.typed", *sources} <= names
    assert {f"var_core/{name}" for name in looks} <= names
    assert wheel.read("var_core/app.py") == (ROOT / "app.py").read_bytes()
    models = {str(path.relative_to(ROOT)) for path in EMBEDDED_MODEL.rglob("*") if path.is_file()}
    assert {f"var_core/{name}" for name in models} <= names
    assert {name.split("/")[0] for name in names} == {"var_core"}
    assert not any("screenshots" in name or "samples" in name for name in names)


def test_dependencies_are_those_of_the_requirements_files(wheel: zipfile.ZipFile) -> None:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    metadata = email.message_from_bytes(wheel.read(name))
    found = [Requirement(line) for line in metadata.get_all("Requires-Dist", [])]

    def wanted(extra: str) -> set[str]:
        environments = [{"extra": extra, "python_version": "3.12"}]
        return {
            f"{one.name.replace('_', '-')}{one.specifier}"
            for one in found
            if one.marker is None or any(map(one.marker.evaluate, environments))
        }

    def listed(file: str) -> set[str]:
        lines = [line.split(";")[0].strip() for line in (ROOT / file).read_text().split("\n")]
        names = [re.sub(r"\[.*\]", "", line) for line in lines if not line.startswith("-r")]
        return {name.replace("_", "-") for name in names if name}

    always = listed("requirements.txt")
    training = always | listed("training/requirements.txt")
    assert wanted("") == always
    assert wanted("training") == training
    assert wanted("text") == always | listed("var_core/text/requirements.txt")
    assert wanted("mcp") == always | listed("var_core/serving/requirements.txt")
    assert wanted("mp4") == always | listed("var_core/jobs/requirements.txt")
    replicas = listed("var_core/serving/cluster/requirements.txt")
    assert wanted("ray") == always | replicas
    tools = listed("var_core/serving/requirements.txt") | listed("var_core/jobs/requirements.txt")
    assert wanted("test") == training | tools | replicas | listed("tests/requirements.txt")


def test_a_checkout_uses_its_own_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VAR_STUDIO_MODELS", raising=False)
    assert locations.assets_folder() == ROOT / "assets"
    assert EMBEDDED_FOLDER == EMBEDDED_MODEL
    assert models_folder() == ROOT / "models"
    assert locations.checkout_folder() == ROOT


def test_an_installed_package_uses_its_own_assets_and_the_users_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site-packages" / "var_core"
    (package / "assets").mkdir(parents=True)
    monkeypatch.setattr(locations, "PACKAGE", package)
    monkeypatch.delenv("VAR_STUDIO_MODELS", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    assert locations.assets_folder() == package / "assets"
    assert models_folder() == tmp_path / "share" / "var-studio" / "models"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert models_folder() == tmp_path / ".local" / "share" / "var-studio" / "models"
    with pytest.raises(ValueError, match="needs a checkout of the repository"):
        locations.checkout_folder()


def test_the_page_command_runs_app_py_in_a_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "main", lambda: 7)
    assert page_command.main() == 7


@pytest.mark.network
def test_installed_in_a_fresh_environment_both_commands_draw(
    tmp_path: Path, url: str, small_scenes: Path
) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    scripts = tmp_path / "venv" / "bin"
    subprocess.run([scripts / "pip", "install", "-q", str(ROOT)], check=True, timeout=LIMIT_SECONDS)
    log, options = tmp_path / "log.txt", {"folder": Path("/"), "program": scripts / "var-studio"}
    with running_app(
        log, "--model", str(small_scenes), python=scripts / "python", **options
    ) as address:
        assert Client(address).draw(3) == Client(url).draw(3)
    words = ["generate", "--thing", "apple", "--style", "noto", "--seed", "7", "--out"]
    for command, out in (
        ([scripts / "var-core"], tmp_path / "installed.png"),
        ([sys.executable, "-m", "var_core"], tmp_path / "checkout.png"),
    ):
        folder = Path("/") if out.stem == "installed" else ROOT
        subprocess.run([*command, *words, str(out)], cwd=folder, check=True, timeout=LIMIT_SECONDS)
    pictures = [np.asarray(Image.open(tmp_path / f"{n}.png")) for n in ("installed", "checkout")]
    assert np.array_equal(*pictures)
