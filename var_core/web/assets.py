"""Scripts, styles and templates of the page: files of the folder `assets/`."""

from pathlib import Path

from var_core.locations import assets_folder


def asset_path(name: str) -> Path:
    """The path of a file of the page, for example "style.css"."""
    return assets_folder() / name


def read_asset(name: str) -> str:
    """The text of a file of the page."""
    return asset_path(name).read_text("utf-8")
