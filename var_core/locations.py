"""Where files lie: in a checkout of the repository, or in an installed package."""

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
CHECKOUT = PACKAGE.parent  # only if `in_checkout` says so


def in_checkout() -> bool:
    """Whether this runs from a checkout; an installed package carries app.py and assets inside."""
    return not (PACKAGE / "assets").is_dir()


def assets_folder() -> Path:
    """The folder of the embedded model, the class names, and the page's scripts and styles."""
    return (CHECKOUT if in_checkout() else PACKAGE) / "assets"


def data_folder() -> Path:
    """The folder that holds `models`: the checkout, or the user's own data folder."""
    if in_checkout():
        return CHECKOUT
    shared = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(shared) / "var-studio"


def checkout_folder() -> Path:
    """The checkout of the repository.

    Raises:
        ValueError: if the package is installed.
    """
    if not in_checkout():
        raise ValueError("this needs a checkout of the repository, not an installed package")
    return CHECKOUT
