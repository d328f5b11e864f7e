"""The hosting manifest, the README and the folder that is pushed say the same."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.clients import Client
from tests.patience import LIMIT_SECONDS
from tests.server import ROOT, running_app
from var_core.command_line.main import main
from var_core.serving.fair_queue import QueueLimits
from var_core.serving.hosting import (
    FIRST,
    HARDWARE,
    PARTS,
    front_matter,
    lock_entries,
    problems,
    write_space,
)
from var_core.web.arguments import parse_arguments

README = (ROOT / "README.md").read_text("utf-8")


def test_spacefile_mirrors_the_front_matter() -> None:
    manifest = yaml.safe_load((ROOT / "Spacefile").read_text("utf-8"))
    assert manifest["space"] == front_matter(README)
    assert {"v", "app_name", "icon", "micros"} <= set(manifest)
    assert (ROOT / manifest["icon"]).is_file()


def test_the_variables_are_those_of_the_app_with_its_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    variables, limits = front_matter(README)["variables"], QueueLimits()
    assert variables == {
        "VAR_STUDIO_PRECISION": "auto",
        "VAR_STUDIO_QUEUE": str(limits.waiting),
        "VAR_STUDIO_PER_CLIENT": str(limits.per_client),
        "VAR_STUDIO_PROXIES": "1",
    }
    monkeypatch.setenv("SPACE_ID", "somebody/var-studio")
    expected = parse_arguments([])
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert parse_arguments([]) == expected
    monkeypatch.setenv("VAR_STUDIO_QUEUE", "7")
    assert parse_arguments([]).limits.waiting == 7


def test_this_repository_can_become_a_space(capsys: pytest.CaptureFixture) -> None:
    assert main(["space", "--check"]) == 0
    assert "can be built" in capsys.readouterr().out


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_space(tmp_path / "space", "cpu")
    return tmp_path / "space"


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("README.md", "sdk: gradio", "sdk: docker", "sdk must be gradio"),
        ("README.md", "6.31.0", "6.31", "sdk_version must be whole"),
        ("README.md", "colorTo: pink", "colorTo: rose", "colorTo must be one of red"),
        ("README.md", "app_file: app.py", "app_file: main.py", "'main.py' is not there"),
        ("README.md", "cpu-basic", "abacus", "suggested_hardware must be one of"),
        ("README.md", "title: VAR Studio\n", "", "the front matter lacks title"),
        ("README.md", "---\ntitle", "title", "does not begin with front matter"),
        ("Spacefile", "v: 0\n", "", "Spacefile lacks v"),
        ("Spacefile", "header: mini", "header: default", "differs from the front matter"),
        ("Spacefile", "v: 0", "v: [", "while parsing"),
        ("requirements.txt", "tqdm==", "tqdm>=", "tqdm>=4.70.1 is not pinned"),
        (FIRST, "tqdm==4.70.1", "tqdm==4.70.0", f"{FIRST} lacks tqdm==4.70.1: run .ci/lock.py"),
        (FIRST, "--hash=", "# ", f"{FIRST} lacks torch==2.10.0"),
    ],
)
def test_what_is_wrong_is_named(folder: Path, name: str, old: str, new: str, words: str) -> None:
    assert problems(folder) == []
    change(folder / name, old, new)
    assert any(words in problem for problem in problems(folder)), problems(folder)


def test_missing_parts_are_named(folder: Path) -> None:
    shutil.rmtree(folder / "var_core")
    assert problems(folder) == ["var_core is missing"]


def test_a_folder_in_use_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "mine.txt").write_text("keep me")
    assert main(["space", "--out", str(tmp_path)]) == 2
    assert "is not an empty folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("variant", HARDWARE)
def test_the_folder_holds_what_the_space_runs_and_nothing_else(
    variant: str, tmp_path: Path
) -> None:
    out = tmp_path / "space"
    assert main(["space", "--out", str(out), "--hardware", variant]) == 0
    assert {path.name for path in out.iterdir()} == {*PARTS, "requirements.txt", FIRST}
    assert not list(out.rglob("__pycache__"))
    assert problems(out) == []
    head = front_matter((out / "README.md").read_text("utf-8"))
    assert head["suggested_hardware"] == HARDWARE[variant]
    pins = (out / "requirements.txt").read_text().split("\n")
    assert "torch==2.10.0" in pins and not any(pin.startswith("gradio") for pin in pins)
    assert any(pin.startswith("spaces==") for pin in pins) == (variant == "zero")
    lock = (out / FIRST).read_text()
    assert lock.startswith("--require-hashes\n")
    locked = {entry.split("==")[0] for entry in lock_entries(lock) if "--hash=sha256:" in entry}
    assert ("xformers" in locked) == (variant == "zero")
    assert {"gradio", "mcp", "authlib", "spaces", "uvicorn", "websockets", "triton"} <= locked
    assert head["python_version"] == ("3.12.12" if variant == "zero" else "3.12")


def run(code: str, **environment: str) -> str:
    """What a fresh interpreter prints."""
    command = [sys.executable, "-c", code]
    found = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
    )
    assert found.returncode == 0, found.stderr[-3000:]
    return found.stdout.strip().split("\n")[-1]


DRAW = """
import hashlib, os, sys
{before}
import torch
torch.set_num_threads(1)  # a fork after OpenMP has started its threads would hang
from tests.conftest import make_labels, make_tokenizer, make_transformer
from var_core.pipeline import VARPipeline
from var_core.serving.executors import pick_executor
from var_core.serving.local_engine import LocalEngine
from var_core.jobs.comparison import parse_axis
from var_core.jobs.parsing import compare, read_settings
executor = pick_executor()
pipeline = VARPipeline(make_tokenizer(), make_transformer(), make_labels())
{after}
engine = LocalEngine(pipeline.info, lambda dtype: pipeline, executor=executor)
info = pipeline.info
sides = parse_axis(info, "style", "flat, round, 3d"), parse_axis(info, "seed", "5")
request = compare(read_settings(info, {{}}, 5, None), info, *sides)
runs = list(engine.generate(request))
assert all(not tokens.is_cuda for tokens in runs[-1].token_maps)
result = engine.tokenize(lambda: runs[-1].frames[-1][0])
content = b"".join(image.tobytes() for image in runs[-1].frames[-1] + result.frames)
print(len(runs), hashlib.sha256(content + engine.code_colours().tobytes()).hexdigest())
{last}
"""
PLAIN = DRAW.format(before="", after="", last="")
WITH = DRAW.format(before="import spaces", after="", last="assert sys.modules['spaces'].GPU")
LENT = DRAW.format(
    before="""
import gradio, spaces
from types import SimpleNamespace
from spaces.config import Config
Config.zero_gpu = True  # the real wrappers, with a host that lends nothing but a process
nothing = lambda *_, **__: None
cuda = {name: nothing for name in ("unpatch", "enter_mode", "init", "move")}
sys.modules["spaces.zero.torch"] = SimpleNamespace(**cuda, size=lambda: 0)  # needs a CUDA build
import spaces.zero
spaces.zero.torch = sys.modules["spaces.zero.torch"]
from spaces.zero import client, wrappers
lent = SimpleNamespace(allowToken="t", nvidiaIndex=0, nvidiaUUID="u", idle=True)
calls = []
client.schedule = lambda **asked: calls.append(asked["duration"].total_seconds()) or lent
client.allow = client.release = nothing
client.get_duration_seconds = lambda duration, size: 60
""",
    after="""
here = os.getpid()
def stay_away(*_): assert os.getpid() != here, "a network ran outside the lent process"
for network in (pipeline.transformer, *pipeline.tokenizer.children()):
    for part in network.modules(): part.register_forward_pre_hook(stay_away)
""",
    last="assert len(calls) == 3 and set(calls) == {15.0}, calls",
)


@pytest.mark.parametrize("code", ["LENT", pytest.param("WITH", marks=pytest.mark.slow)])
def test_pictures_are_the_same_without_spaces_and_with_it(
    code: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """With the package alone, and with a GPU that is lent for each picture."""
    monkeypatch.setitem(sys.modules, "spaces", None)
    exec(compile(PLAIN, "plain.py", "exec"), {})
    plain = capsys.readouterr().out.strip()
    assert plain.startswith("4 ")
    assert run({"LENT": LENT, "WITH": WITH}[code]) == plain


def test_a_pin_that_is_not_locked_is_named(tmp_path: Path) -> None:
    for name in (*PARTS, "requirements.txt", ".ci"):
        (tmp_path / name).symlink_to(ROOT / name)
    assert problems(tmp_path) == []
    pins = (ROOT / "requirements.txt").read_text()
    (tmp_path / "requirements.txt").unlink()
    (tmp_path / "requirements.txt").write_text(f"{pins}zzz==1.0\n")
    assert problems(tmp_path) == ["space.txt lacks zzz==1.0: run .ci/lock.py"]
    (tmp_path / ".ci").unlink()
    assert problems(tmp_path) == ["space.txt is missing: .ci/lock.py writes it"]


@pytest.mark.network
@pytest.mark.parametrize("variant", HARDWARE)
def test_the_pins_of_a_space_resolve_to_its_lock(variant: str, tmp_path: Path) -> None:
    write_space(tmp_path / "space", variant)
    entries = lock_entries((tmp_path / "space" / FIRST).read_text())
    versions = tmp_path / "versions.txt"  # without hashes, for which pip would load gigabytes
    versions.write_text("\n".join(entry.split()[0] for entry in entries))
    version = front_matter(README)["sdk_version"]
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "-q"]
    options = ["--python-version", "3.12", "--only-binary", ":all:", "--target", str(tmp_path)]
    wanted = ["-r", str(tmp_path / "space" / "requirements.txt"), "-c", str(versions)]
    wanted += [f"gradio[oauth,mcp]=={version}", "uvicorn", "websockets", "spaces"]
    subprocess.run([*command, *options, *wanted], check=True, timeout=LIMIT_SECONDS)


@pytest.mark.network
def test_the_folder_starts_in_a_fresh_environment_and_draws(
    tmp_path: Path, url: str, small_scenes: Path
) -> None:
    folder, python = tmp_path / "space", tmp_path / "venv" / "bin" / "python"
    write_space(folder, "cpu")
    pins = (folder / "requirements.txt").read_text().replace("torch==2.10.0", "torch==2.13.0")
    (tmp_path / "pins.txt").write_text(f"{pins}gradio=={front_matter(README)['sdk_version']}\n")
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    install = [str(python), "-m", "pip", "install", "-q", "-r", str(tmp_path / "pins.txt")]
    subprocess.run(install, check=True, timeout=LIMIT_SECONDS)
    model = ["--model", str(small_scenes)]
    with running_app(tmp_path / "log.txt", *model, python=python, folder=folder) as address:
        assert Client(address).draw(3) == Client(url).draw(3)
