"""What `--replicas` and `--address` say, and what is said where there can be no replicas."""

import ast
import sys

import pytest

import app
from tests.server import ROOT
from tests.test_architecture import module_of
from var_core.serving.fair_queue import QueueLimits
from var_core.serving.replica_settings import ReplicaSettings
from var_core.web.arguments import parse_arguments

RAY_MODULES = {f"var_core.serving.{name}" for name in ("ray_cluster", "ray_door", "ray_engine")}


@pytest.fixture(autouse=True)
def no_engine_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but the command line says which engine draws."""
    monkeypatch.delenv("VAR_STUDIO_ENGINE", raising=False)


def test_replicas_are_a_number_or_a_range() -> None:
    assert parse_arguments([]).replicas is None
    one = parse_arguments(["--engine", "ray"])
    assert one.replicas == ReplicaSettings(1, 1, None) and one.limits == QueueLimits()
    many = parse_arguments(["--engine", "ray", "--replicas", "0-4", "--address", "10.0.0.1:6379"])
    assert many.replicas == ReplicaSettings(0, 4, "10.0.0.1:6379")
    assert many.limits.running == 4 and not many.replicas.is_fixed
    assert parse_arguments(["--engine", "ray", "--replicas", "3"]).replicas == ReplicaSettings(3, 3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--replicas", "2"], "--replicas needs --engine ray"),
        (["--address", "auto"], "--address needs --engine ray"),
        (["--engine", "ray", "--replicas", "0"], "replicas must be a whole number from 1 to 1000"),
        (["--engine", "ray", "--replicas", "4-2"], "replicas must be a whole number from 0 to 2"),
        (["--engine", "ray", "--replicas", "9999"], "from 1 to 1000, got 9999"),
        (["--engine", "ray", "--replicas", "two"], 'a number as "2", or a range as "0-4"'),
    ],
)
def test_what_cannot_be_is_one_sentence(words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_arguments(words)


def test_a_bad_engine_in_a_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAR_STUDIO_ENGINE", "rey")
    with pytest.raises(ValueError, match="engine must be one of local, ray"):
        parse_arguments([])


def test_without_ray_the_option_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "var_core.serving.ray_engine", None)
    assert app.main(["--engine", "ray"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: --engine ray needs the package Ray: pip install '.[ray]' in VAR")
    assert said.count("\n") == 1


def test_a_page_of_its_own_never_imports_ray() -> None:
    """Modules that import Ray are imported where `--engine ray` asks for them alone."""
    need_ray: set[str] = set()
    for path in [*(ROOT / "var_core").rglob("*.py"), ROOT / "app.py"]:
        names = set()
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(node.module)
        if any(name.split(".")[0] == "ray" or name in RAY_MODULES for name in names):
            need_ray.add(module_of(path))
    assert need_ray == RAY_MODULES
