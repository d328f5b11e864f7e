"""What hatchling cannot read from pyproject.toml: pins of other files, and the place of app.py."""

from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

EXTRAS = {
    "training": "training/requirements.txt",
    "test": "tests/requirements.txt",
    "text": "var_core/text/requirements.txt",
    "mcp": "var_core/serving/requirements.txt",
    "mp4": "var_core/jobs/requirements.txt",
    "ray": "var_core/serving/cluster/requirements.txt",
}


def pins(path: Path) -> list[str]:
    """The lines of a requirements file, with those of the files that it includes."""
    found = []
    for line in path.read_text("utf-8").split("\n"):
        if line.startswith("-r "):
            found += pins(path.parent / line.removeprefix("-r ").strip())
        elif line.strip():
            found.append(line.strip())
    return found


class RequirementsHook(MetadataHookInterface):
    """Dependencies and extras from the requirements files, so that a pin stands once."""

    def update(self, metadata: dict) -> None:
        """Add them to the metadata of the project."""
        root = Path(self.root)
        always = pins(root / "requirements.txt")
        metadata["dependencies"] = always
        metadata["optional-dependencies"] = {
            name: [pin for pin in pins(root / file) if pin not in always]
            for name, file in EXTRAS.items()
        }


class PageHook(BuildHookInterface):
    """`app.py` as `var_core/app.py`: no other package finds a module named `app`."""

    def initialize(self, version: str, build_data: dict) -> None:
        """Add it to a wheel; an editable install runs the one of the checkout."""
        if version != "editable":
            build_data["force_include"]["app.py"] = "var_core/app.py"
