"""Scripts, styles and templates of the page: files of the folder `assets/`."""

import re
from pathlib import Path

from var_core.locations import assets_folder

# files of assets/styles, in the order in which they are applied: one for each part of the page
STYLES = (
    "frame",
    "header",
    "ask",
    "stage",
    "strip",
    "clip",
    "history",
    "edit",
    "painter",
    "compare",
    "inside",
    "how",
    "widths",
)


def asset_path(name: str) -> Path:
    """The path of a file of the page, for example "page.js"."""
    return assets_folder() / name


def read_asset(name: str) -> str:
    """The text of a file of the page."""
    return asset_path(name).read_text("utf-8")


def read_script(name: str) -> str:
    """The text of a script, with the scripts that it imports in the place of their imports.

    What several of them import stands there once.
    """
    return _script(name, set())


def _script(name: str, known: set[str]) -> str:
    folder = Path(name).parent

    def imported(found: re.Match[str]) -> str:
        path = str(folder / found[1])
        if path in known:
            return ""
        known.add(path)
        return _script(path, known)

    text = re.sub(r'^import .*? from "\./(.+)";\n', imported, read_asset(name), flags=re.MULTILINE)
    return re.sub(r"^export ", "", text, flags=re.MULTILINE)


def style_paths() -> list[Path]:
    """The style sheets of the page, in the order in which they are applied."""
    return [asset_path(f"styles/{name}.css") for name in STYLES]
