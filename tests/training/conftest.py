"""A handful of made-up pictures to train on."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.training.tiny_clips import write_motion


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Twenty pictures of four emoji in two categories and five styles."""
    folder = tmp_path / "data"
    folder.mkdir()
    generator = np.random.default_rng(0)
    small = generator.integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    np.save(folder / "images.npy", small.repeat(8, axis=1).repeat(8, axis=2))
    rows = [
        {"style": f"s{i % 5}", "key": str(i // 5), "label": f"e{i // 5}", "group": "g",
         "subgroup": f"c{i // 10}", "tags": []}
        for i in range(20)
    ]  # fmt: skip
    (folder / "rows.json").write_text(json.dumps(rows))
    splits = {"train": list(range(16)), "validation": [16, 17], "held_out": [18, 19]}
    (folder / "splits.json").write_text(json.dumps(splits))
    names = {
        "attributes": [
            {"name": "category", "values": ["c0", "c1"]},
            {"name": "emoji", "values": [f"e{i}" for i in range(4)]},
            {"name": "style", "values": [f"s{i}" for i in range(5)]},
        ],
        "implies": {"emoji": {"category": [0, 0, 1, 1]}},
        "emoji": {"characters": list("abcd"), "tags": [[]] * 4},
    }
    (folder / "labels.json").write_text(json.dumps(names))
    return folder


@pytest.fixture(scope="session")
def motion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of motions of a few coloured shapes."""
    return write_motion(tmp_path_factory.mktemp("moving"))
