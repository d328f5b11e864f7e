"""Settings of a short lesson."""

from pathlib import Path

from training.adapter.settings import AdapterRunSettings


def settings(images: Path, out: Path, **more: object) -> AdapterRunSettings:
    """Some steps on tiny models, with a thing called "my cat"."""
    usual = {"steps": 30, "batch_size": 8, "kept_pictures": 8, "num_views": 2, "rank": 2}
    names = {"model": "", "images": str(images), "name": "my cat", "like": "cat", "out": str(out)}
    return AdapterRunSettings(**{**names, **usual, **more})
