"""The hosting manifest and the README say the same."""

from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent


def front_matter() -> dict:
    _, head, _ = (ROOT / "README.md").read_text("utf-8").split("---\n", 2)
    return yaml.safe_load(head)


def test_spacefile_mirrors_the_front_matter() -> None:
    manifest = yaml.safe_load((ROOT / "Spacefile").read_text("utf-8"))
    assert manifest["space"] == front_matter()
    assert {"v", "app_name", "icon", "micros"} <= set(manifest)
    assert (ROOT / manifest["icon"]).is_file()


def test_gradio_is_pinned_to_the_version_of_the_space() -> None:
    pinned = (ROOT / "requirements.txt").read_text()
    assert f"gradio=={front_matter()['sdk_version']}\n" in pinned
