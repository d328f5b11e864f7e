"""Inception's figures: an extra whose weights are a file, read without running code of it."""

import importlib.util
import json
import math
import pickle
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from training import evaluate
from training.evaluation import inception
from training.evaluation.inception import (
    NETWORK,
    inception_figures,
    inception_score,
    load_inception,
)

CLASSES = 3
FEW = 4


class TinyInception(nn.Module):
    """What torch-fidelity's network takes and returns, with one small layer."""

    def __init__(self, name: str, outputs: list[str], feature_extractor_weights_path: Path) -> None:
        super().__init__()
        assert outputs == ["2048", "logits_unbiased"]
        self.layer = nn.Linear(3, inception.NUM_FEATURES + CLASSES)
        # as the package does, so nothing but our own bytes may come here
        self.load_state_dict(torch.load(feature_extractor_weights_path, weights_only=False))

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        assert pixels.dtype == torch.uint8
        return self.layer(pixels.float().mean(dim=(2, 3))).split(
            [inception.NUM_FEATURES, CLASSES], dim=1
        )


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType(NETWORK)
    module.FeatureExtractorInceptionV3 = TinyInception
    monkeypatch.setitem(sys.modules, "torch_fidelity", ModuleType("torch_fidelity"))
    monkeypatch.setitem(sys.modules, NETWORK, module)


def weights() -> dict[str, Tensor]:
    return {
        "layer.weight": torch.ones(inception.NUM_FEATURES + CLASSES, 3),
        "layer.bias": torch.zeros(inception.NUM_FEATURES + CLASSES),
    }


class Harmful:
    def __reduce__(self) -> tuple:
        return (pytest.fail, ("code of the file ran",))


@pytest.mark.parametrize("kind", ["safetensors", "pth"])
def test_weights_of_a_file_describe_pictures(package: None, tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"weights.{kind}"
    if kind == "pth":
        torch.save(weights(), path)
    else:
        save_file(weights(), path)
    found = load_inception(path)(torch.ones(2, 3, 8, 8))
    assert torch.equal(found, torch.full((2, inception.NUM_FEATURES + CLASSES), 765.0))


def test_a_missing_file_or_package_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="there are no Inception weights at"):
        load_inception(tmp_path / "none.pth")
    torch.save(weights(), tmp_path / "weights.pth")
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    monkeypatch.delitem(sys.modules, NETWORK, raising=False)
    with pytest.raises(ValueError, match="pip install torch-fidelity, or leave out --inception"):
        load_inception(tmp_path / "weights.pth")


@pytest.mark.parametrize("content", ["text", "code", "others", "list"])
def test_other_files_are_refused_and_their_code_never_runs(
    package: None, tmp_path: Path, content: str
) -> None:
    path = tmp_path / "weights.pth"
    if content == "text":
        path.write_text("no weights")
    elif content == "code":
        path.write_bytes(pickle.dumps(Harmful(), protocol=2))
    else:
        torch.save({"a": torch.ones(1)} if content == "others" else [1], path)
    with pytest.raises(ValueError, match=r"weights\.pth holds no weights"):
        load_inception(path)


def test_the_score_is_one_for_a_guess_and_the_number_of_classes_at_best() -> None:
    assert inception_score(torch.zeros(40, 4)) == pytest.approx(1)
    sure = torch.eye(4).repeat(1000, 1) * 1000
    assert inception_score(sure) == pytest.approx(4, rel=0.01)
    assert inception_score(sure[:3]) == pytest.approx(1)  # parts of one picture each


def test_the_score_does_not_depend_on_how_pictures_are_sorted() -> None:
    sure = torch.eye(4).repeat(1000, 1) * 1000
    by_class = sure[sure.argmax(dim=1).argsort()]
    assert inception_score(by_class) == pytest.approx(4, rel=0.01)


@pytest.fixture
def few_features(monkeypatch: pytest.MonkeyPatch) -> None:
    """Square roots of large matrices take seconds."""
    monkeypatch.setattr(inception, "NUM_FEATURES", FEW)


def test_drawings_that_are_real_are_as_far_as_these(few_features: None) -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 8, FEW + CLASSES, generator=generator)
    found = inception_figures(first, first, second)
    assert found["drawn_to_real"] == found["real_to_real"] > 0
    assert found["score_of_drawn"] == found["score_of_real"]
    assert all(math.isfinite(value) for value in found.values())


def test_the_command_adds_its_figures(
    package: None, few_features: None, data: Path, model: Path, nets: Path, tmp_path: Path
) -> None:
    torch.save(weights(), tmp_path / "weights.pth")
    out = tmp_path / "figures.json"
    places = f"--model {model} --data {data} --nets {nets} --out {out}"
    few = "--pictures 4 --labels 1 --seeds 2"
    words = f"{places} {few} --inception {tmp_path}/weights.pth".split()
    assert evaluate.main(words) == 0
    found = json.loads(out.read_text())["inception"]
    assert found["n"] == 4 and found["drawn_to_real"] > 0


@pytest.mark.slow
@pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("torch_fidelity", "torchvision")),
    reason="torch-fidelity or torchvision is not installed",
)
def test_the_network_of_the_package_takes_such_a_file(tmp_path: Path) -> None:
    make = importlib.import_module(NETWORK).FeatureExtractorInceptionV3
    bare = make.__new__(make)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "load", lambda *_, **__: {})
        patch.setattr(make, "load_state_dict", lambda *_: None)
        bare.__init__("inception", ["2048"], feature_extractor_weights_path="none")
    torch.save(bare.state_dict(), tmp_path / "weights.pth")
    found = load_inception(tmp_path / "weights.pth")(torch.zeros(2, 3, 32, 32))
    assert found.shape == (2, inception.NUM_FEATURES + 1008)
