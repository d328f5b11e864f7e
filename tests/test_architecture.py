"""The shape of the repository: what imports what, what lies where, and how long it may be."""

import ast
import shutil
import subprocess
from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path

import pytest

import var_core
from tests.house_rules import markdown, sizes, words

ROOT = Path(__file__).parent.parent
TOP_LEVEL = {
    "LICENSE",
    "README.md",
    "Spacefile",
    "app.py",
    "assets",
    "pyproject.toml",
    "requirements.txt",
    "tests",
    "training",
    "var_core",
}
IGNORED = {"data", "runs", "models", "out", "space", "__pycache__", "venv", "var_studio.egg-info"}
ORDER = [
    (
        "var_core.condition",
        "var_core.counted_json",
        "var_core.menus",
        "var_core.ranges",
        "var_core.scales",
        "var_core.animations",
        "var_core.picture_headers",
        "var_core.images",
        "var_core.own_settings",
        "var_core.devices",
        "var_core.exit_codes",
        "var_core.files",
        "var_core.option_fields",
        "var_core.locations",
        "var_core.packing",
        "var_core.terminal",
        "var_core.weight_files",
    ),
    ("var_core.labels", "var_core.text", "var_core.tokenizer", "var_core.transformer"),
    ("var_core.sampling",),
    (
        "var_core.adapters",
        "var_core.checkpoints",
        "var_core.clip_options",
        "var_core.doors",
        "var_core.editing",
        "var_core.hub",
        "var_core.inspection",
        "var_core.outputs",
        "var_core.wishes",
        "var_core.scenery",
    ),
    (
        "var_core.clip_parts",
        "var_core.edit_methods",
        "var_core.edit_previews",
        "var_core.inspect_methods",
        "var_core.model_info",
        "var_core.network_methods",
        "var_core.pipeline_parts",
        "var_core.add_sketch",
    ),
    ("var_core.clip_pipeline", "var_core.pipeline"),
    ("var_core.official",),
    ("var_core.jobs",),
    ("var_core.serving",),
    ("var_core.web",),
    ("var_core.command_line",),
    ("var_core.__main__", "var_core.page_command"),
]


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found.add(node.module)
    return found


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def layer_of(module: str) -> int | None:
    for layer, names in enumerate(ORDER):
        if any(module == name or module.startswith(name + ".") for name in names):
            return layer
    return None


def top_level_names() -> set[str]:
    """What git tracks, as photos and drawings may lie beside the sources; else all there is."""
    if (ROOT / ".git").exists() and (git := shutil.which("git")):
        listed = subprocess.run([git, "ls-files"], cwd=ROOT, capture_output=True, text=True)
        if listed.returncode == 0:
            return {line.strip('"').partition("/")[0] for line in listed.stdout.splitlines()}
    return {path.name for path in ROOT.iterdir()}


def test_top_level_names() -> None:
    found = {name for name in top_level_names() if not name.startswith(".")}
    assert found - IGNORED <= TOP_LEVEL


def test_imports_in_the_engine_only_point_down() -> None:
    for path in (ROOT / "var_core").rglob("*.py"):
        module = module_of(path)
        if module == "var_core":
            continue
        layer = layer_of(module)
        assert layer is not None, f"{module} has no place in the order"
        for imported in imports_of(path):
            if imported.startswith("var_core."):
                assert layer_of(imported) <= layer, f"{module} imports {imported}"
            assert not imported.startswith(("training", "app"))


def test_tokenizer_transformer_and_text_never_meet() -> None:
    for name, other in permutations(("tokenizer", "transformer", "text"), 2):
        for path in (ROOT / "var_core" / name).rglob("*.py"):
            found = [one for one in imports_of(path) if one.startswith(f"var_core.{other}")]
            assert found == [], f"{path} imports {found}"


def test_tests_mirror_the_sources() -> None:
    """Apart from the benchmarks and the browser, whose tests belong to no single room."""
    for path in (ROOT / "tests").rglob("test_*.py"):
        room = path.parent.relative_to(ROOT / "tests")
        if room.parts[:1] not in (("benchmarks",), ("browser",)):
            places = [ROOT / "var_core" / room, ROOT / room]
            assert any(place.is_dir() for place in places), f"there is no room for {room}"


def test_third_party_packages_stay_where_they_belong() -> None:
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT).parts
        if parts[0] in IGNORED or parts[0].startswith("."):
            continue
        packages = {name.split(".")[0] for name in imports_of(path)}
        assert "torchvision" not in packages
        assert (
            "gradio" not in packages
            or parts[0] in ("app.py", "tests")
            or parts[:2] == ("var_core", "web")
        )
        assert "accelerate" not in packages or parts[0] in ("training", "tests")


def test_weights_are_written_in_one_way_that_lets_others_read_them() -> None:
    for path in (ROOT / "var_core").rglob("*.py"):
        is_writer = path.name == "weight_files.py"
        assert ("save_file(" in path.read_text("utf-8")) == is_writer, path


def test_no_pickle_is_loaded_by_the_engine() -> None:
    for path in [*(ROOT / "var_core").rglob("*.py"), ROOT / "app.py"]:
        text = path.read_text("utf-8")
        if path.parts[-2:] == (
            "official",
            "convert.py",
        ):  # reads what others published, and runs none of it
            assert text.count("torch.load(") == 1 and "weights_only=True" in text
            assert "pickle.load" not in text
            continue
        assert "import pickle" not in text and "torch.load(" not in text, path


def test_public_names_are_complete_and_sorted() -> None:
    assert var_core.__all__ == sorted(var_core.__all__)
    assert all(hasattr(var_core, name) for name in var_core.__all__)


@pytest.mark.parametrize("rule", [sizes, words, markdown])
def test_a_rule_of_the_house_holds(rule: Callable[[Path], Iterator[str]]) -> None:
    assert list(rule(ROOT)) == []


def test_the_rules_find_what_breaks_them(tmp_path: Path) -> None:
    for folder in ("var_core", "training"):
        (tmp_path / folder).mkdir()
    (tmp_path / "app.py").write_text("x = 1\n" * 121)
    long = 'def f(a):\n    """F.\n\n    Args:\n        a: of the page.\n    """\n' + "    a\n" * 60
    (tmp_path / "var_core/long.py").write_text(long)
    (tmp_path / "wide.md").write_text("x" * 121 + "\n| " + "x" * 121 + "\n")
    assert list(sizes(tmp_path)) == [
        "app.py: 121 lines, at most 120",
        "var_core/long.py:1: f has 66 lines, at most 60",
    ]
    assert list(words(tmp_path)) == ["var_core/long.py:1: `a: of the page.`"]
    assert list(markdown(tmp_path)) == ["wide.md:1: 121 columns"]
