"""The models that have a name: a fixed list, what is installed, how to get the rest."""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

from var_core.files import sha256_of
from var_core.locations import assets_folder, data_folder
from var_core.model_info import INDEX_FILE
from var_core.official.convert import convert
from var_core.scales import SIDES_256, SIDES_512

EMBEDDED = "scenes256"
SHIPPED = assets_folder() / "models"
EMBEDDED_FOLDER = SHIPPED / EMBEDDED
REPOSITORY = "FoundationVision/var"
TOKENIZER_FILE = "vae_ch160v4096z32.pth"
DOWNLOADS = ".downloads"
TRIES = 5  # attempts at a download; each goes on where the last one stopped


@dataclass(frozen=True)
class ModelCard:
    """A model of the list.

    Attributes:
        name: name on the command line and in links.
        pixels: side of its pictures.
        parameters: number of parameters of the transformer, in millions.
        licence: licence of its weights.
        file: file of the transformer in the official repository; None for the models that ship
            with VAR Studio.
        sides: sides of the token maps of an official model.
    """

    name: str
    pixels: int
    parameters: int
    licence: str
    file: str | None = None
    sides: tuple[int, ...] = SIDES_256

    def folder(self, models: Path) -> Path:
        """The model folder, which may not exist yet."""
        return (SHIPPED if self.file is None else models) / self.name

    def downloads(self, models: Path) -> Path:
        """Where its files are until they are converted; no other model's are there."""
        return models / f"{DOWNLOADS}-{self.name}"

    def is_installed(self, models: Path) -> bool:
        """Whether it can be loaded."""
        return (self.folder(models) / INDEX_FILE).is_file()

    def size(self, models: Path) -> int:
        """Size on disk in bytes; 0 if it is not installed."""
        files = self.folder(models).rglob("*") if self.is_installed(models) else ()
        return sum(path.stat().st_size for path in files if path.is_file())


MODELS = (
    ModelCard(EMBEDDED, 256, 23, "MIT; artwork: see the model card"),
    ModelCard("var-d16", 256, 310, "MIT", "var_d16.pth"),
    ModelCard("var-d20", 256, 600, "MIT", "var_d20.pth"),
    ModelCard("var-d24", 256, 1000, "MIT", "var_d24.pth"),
    ModelCard("var-d30", 256, 2000, "MIT", "var_d30.pth"),
    ModelCard("var-d36", 512, 2300, "MIT", "var_d36.pth", SIDES_512),
)


def models_folder() -> Path:
    """Where models are installed: `VAR_STUDIO_MODELS`, else `models` in the data folder."""
    return Path(os.environ.get("VAR_STUDIO_MODELS") or data_folder() / "models")


def find_model(name: str) -> ModelCard:
    """Find a model by its name.

    Raises:
        ValueError: if there is no model of that name.
    """
    for card in MODELS:
        if card.name == name:
            return card
    raise ValueError(
        f"there is no model {name!r:.40}; known are {', '.join(m.name for m in MODELS)}"
    )


def how_to_get(card: ModelCard) -> str:
    """The command that installs a model."""
    return f"python -m var_core download {card.name}"


def download(card: ModelCard, models: Path, endpoint: str | None = None) -> Path:
    """Fetch, check and convert an official model; an interrupted download goes on.

    Args:
        card: the model.
        models: folder of installed models.
        endpoint: address of the hub; None takes the public one.

    Returns:
        The model folder; at once if it exists already.

    Raises:
        ValueError: if the hub cannot be reached, or a file has another hash than announced.
        OSError: if there is no space; what was fetched is kept for the next try.
    """
    folder = card.folder(models)
    if card.is_installed(models):
        return folder
    assert card.file is not None
    downloads = card.downloads(models)
    downloads.mkdir(parents=True, exist_ok=True)
    files = [_fetch(name, downloads, card, endpoint) for name in (TOKENIZER_FILE, card.file)]
    convert(files[0], files[1], folder, card.sides)
    shutil.rmtree(downloads)
    return folder


def _fetch(name: str, downloads: Path, card: ModelCard, endpoint: str | None) -> Path:
    """One file of the repository; a file that was put into the folder by hand is taken as it is."""
    path = downloads / name
    if path.is_file():
        return path
    try:
        promised = get_hf_file_metadata(hf_hub_url(REPOSITORY, name, endpoint=endpoint)).etag
        for tries_left in reversed(range(TRIES)):
            try:
                hf_hub_download(REPOSITORY, name, local_dir=downloads, endpoint=endpoint)
                break
            except Exception as error:
                if _is_disk_error(error) or not tries_left:
                    raise
    except Exception as error:  # the hub's client raises errors of many types
        if _is_disk_error(error):
            raise
        raise ValueError(
            f"{name} of {REPOSITORY} on Hugging Face cannot be fetched ({type(error).__name__}): "
            f"try again, or put {TOKENIZER_FILE} and {card.file} into {downloads} by hand"
        ) from error
    if re.fullmatch(r"[0-9a-f]{64}", promised or "") and sha256_of(path) != promised:
        path.unlink()
        raise ValueError(f"{name} came with another SHA-256 than {promised}: try again")
    return path


def _is_disk_error(error: Exception) -> bool:
    return isinstance(error, OSError) and bool(error.errno)
