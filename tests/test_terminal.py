"""Commands at a terminal: Ctrl-C at any time, letters it does not know, readers that leave."""

import io
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.patience import LIMIT_SECONDS, until
from tests.server import ROOT
from tests.training.tiny import tokenizer_arguments
from training import export, train_tokenizer
from training.prepare import folder

TRAINING = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "training").rglob("*.py")
    if "sys.exit(main())" in path.read_text("utf-8")
)
COMMANDS = [["app.py"], ["-m", "var_core"], *(["-m", name] for name in TRAINING)]
INSTALLED = [
    f"import sys; from var_core.{name} import main; sys.exit(main())"
    for name in ("page_command", "__main__")
]
HELD = "import os, time\nopen(os.environ['LOADING'], 'w').close()\nwhile True: time.sleep(0.01)\n"


def without_loading(said: str) -> str:
    """What a command said, but for the lines that it is still loading its modules."""
    lines = said.splitlines(keepends=True)
    return "".join(line for line in lines if not re.fullmatch(r"loading: \d+ s so far\n", line))


def hear_ctrl_c() -> None:
    """Take Ctrl-C again: a shell lets what it starts in the background ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(words: list[str], **environment: str) -> subprocess.Popen[str]:
    """Start a command whose output is caught."""
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_ctrl_c,
    )


@pytest.fixture
def held(tmp_path: Path) -> dict[str, str]:
    """An environment in which the loading of networks begins, and never ends."""
    for package in ("torch", "numpy"):
        (tmp_path / f"{package}.py").write_text(HELD)
    return {"PYTHONPATH": str(tmp_path), "LOADING": str(tmp_path / "loading")}


@pytest.mark.parametrize(
    "words", [*COMMANDS, *(["-c", code] for code in INSTALLED)], ids=lambda words: words[-1][:40]
)
def test_ctrl_c_while_a_command_is_loaded_is_quiet(words: list[str], held: dict[str, str]) -> None:
    with start(words, **held) as command:
        until(lambda: Path(held["LOADING"]).exists() or command.poll() is not None)
        command.send_signal(signal.SIGINT)
        out, err = command.communicate(timeout=LIMIT_SECONDS)
    assert (command.returncode, out, without_loading(err)) == (130, "", "")


def test_a_long_command_says_that_it_is_loading(held: dict[str, str]) -> None:
    with start(["-m", "training.recipe"], **held) as command:
        assert command.stderr and command.stderr.readline() == "loading: 2 s so far\n"
        command.send_signal(signal.SIGINT)
        command.communicate(timeout=LIMIT_SECONDS)


def test_training_works_where_letters_are_ascii(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams = {}
    for name in ("stdout", "stderr"):
        streams[name] = io.TextIOWrapper(io.BytesIO(), "ascii", write_through=True)
        monkeypatch.setattr(sys, name, streams[name])

    def printed(name: str) -> str:
        return streams[name].buffer.getvalue().decode("ascii")

    for name in ("äpfel", "birnen"):
        (tmp_path / "größe" / name).mkdir(parents=True)
        for shade in range(8):
            picture = Image.new("RGB", (64, 64), (shade * 30, 90, 200))
            picture.save(tmp_path / "größe" / name / f"{shade}-ü.png")
    data, run = tmp_path / "data-ö", tmp_path / "run-ö"
    assert folder.main(["--images", str(tmp_path / "größe"), "--out", str(data)]) == 0
    assert "data-\\xf6" in printed("stdout")
    assert train_tokenizer.main(tokenizer_arguments(data, run, 2)) == 0
    assert (run / "tokenizer" / "config.json").is_file()
    words = ["--tokenizer", str(run), "--transformer", str(run), "--data", str(data), "--out", "ü"]
    assert export.main(words) == 2
    assert "run-\\xf6" in printed("stderr")


PAGE = ["app.py", "--port", "0"]
ENGINE = ["-m", "var_core", "info"]
RECIPE = ["-m", "training.recipe", "training/recipes/quick.yaml", "--dry-run"]


@pytest.mark.parametrize(
    ("words", "reader"),
    [
        (ENGINE, "is missing"),
        (ENGINE, "leaves"),
        pytest.param(PAGE, "is missing", marks=pytest.mark.slow),
        pytest.param(RECIPE, "leaves", marks=pytest.mark.slow),
    ],
    ids=["engine without", "engine", "page without", "recipe"],
)
def test_a_command_needs_no_reader(words: list[str], reader: str) -> None:
    close = (lambda: os.close(1)) if reader == "is missing" else None
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, stdout=pipe, stderr=pipe, text=True, preexec_fn=close
    ) as command:
        assert command.stdout and command.stderr
        command.stdout.close()
        said = command.stderr.read()
    if words[0] == "app.py":
        assert command.returncode == 2 and said.startswith("error: port ")
    else:
        assert command.returncode == (0 if close else 141) and without_loading(said) == ""
