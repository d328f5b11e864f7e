"""The documents: links lead somewhere, commands and snippets work, and the README stays short."""

import importlib.util
import re
import shlex
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

from tests.server import ROOT
from var_core.command_line.main import main
from var_core.web.arguments import parse_arguments

README = ROOT / "README.md"
IGNORED = {"data", "runs", "models", "node_modules", "venv", ".venv"}
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)
DOCUMENTS = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not IGNORED & set(path.relative_to(ROOT).parts[:1]) and ".pytest_cache" not in path.parts
)


def anchors(path: Path) -> set[str]:
    """The names under which the headings of a document can be linked."""
    titles = re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles}


def blocks(path: Path, language: str) -> list[str]:
    """The code of one language in a document."""
    found = CODE.findall(path.read_text("utf-8"))
    return [code for name, code in found if name == language]


def commands(path: Path) -> list[list[str]]:
    """The words of every `python -m` command in a document's shell code."""
    lines = "\n".join(blocks(path, "bash")).replace("\\\n", " ").split("\n")
    return [shlex.split(line, comments=True) for line in lines if line.startswith("python -m ")]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for link in LINK.findall(CODE.sub("", document.read_text("utf-8"))):
        if link.startswith(("http://", "https://")):
            continue
        name, _, anchor = unquote(link).partition("#")
        target = (document.parent / name).resolve() if name else document
        assert target.exists(), f"{document.name} links to {link}"
        assert not anchor or anchor in anchors(target), f"{document.name} links to {link}"


def test_every_option_of_the_page_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(["--help"])
    options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) - {"--help"}
    assert len(options) > 7
    text = (ROOT / "var_core" / "serving" / "README.md").read_text("utf-8")
    rows = [line for line in text.split("\n") if line.startswith("| `--")]
    assert options == set(re.findall(r"--[a-z-]+", "\n".join(rows)))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_name_modules_that_exist(document: Path) -> None:
    for words in commands(document):
        assert importlib.util.find_spec(words[2]) is not None, " ".join(words)


def test_the_readme_is_short_and_begins_with_a_command() -> None:
    lines = README.read_text("utf-8").split("\n")
    assert len(lines) <= 201  # the last one is empty
    body = lines[lines.index("---", 1) + 1 :]
    assert body.index("```bash") < 25
    picture = next(line for line in body if line.startswith("!["))
    assert LINK.findall(picture)[0].endswith(".webp")


def test_the_moving_pictures_of_the_readme_are_small() -> None:
    names = {link for link in LINK.findall(README.read_text("utf-8")) if link.endswith(".webp")}
    assert names
    assert sum((ROOT / name).stat().st_size for name in names) < 600_000
    for name in names:
        with Image.open(ROOT / name) as picture:
            assert picture.n_frames > 1


def test_the_python_of_the_readme_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    monkeypatch.chdir(tmp_path)
    (code,) = blocks(README, "python")
    exec(compile(code, "README.md", "exec"), {})
    with Image.open("fox.png") as picture:
        assert picture.size == (256, 256)


def test_the_command_line_of_the_readme_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("in.png")
    Image.fromarray(pixels).save("photo.jpg")
    mask = Image.new("L", (64, 64))
    mask.paste(255, (16, 16, 48, 48))
    mask.save("mask.png")
    drawing = [words for words in commands(README) if words[2] == "var_core"]
    drawing = [words for words in drawing if words[3] not in ("download", "space")]
    assert len(drawing) >= 7
    for words in drawing:
        assert main(words[3:]) == 0, " ".join(words)
        if "--out" in words and "--count" not in words:
            assert Path(words[words.index("--out") + 1]).is_file()
    assert len(list(Path("scales").iterdir())) == 8 * 2
