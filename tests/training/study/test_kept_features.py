"""Features of real scenes are made once."""

from pathlib import Path

import pytest
import torch

from training.study.kept_features import kept_features


def never() -> torch.Tensor:
    raise AssertionError("features were made again")


def test_features_are_made_once_and_again_if_they_depend_on_something_else(tmp_path: Path) -> None:
    path = tmp_path / "references.safetensors"
    first, second = torch.ones(3, 2), torch.zeros(3, 2)
    assert kept_features(path, {"side": 64}, lambda: first) is first
    assert torch.equal(kept_features(path, {"side": 64}, never), first)
    assert kept_features(path, {"side": 32}, lambda: second) is second
    assert torch.equal(kept_features(path, {"side": 32}, never), second)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "references.safetensors"
    path.write_bytes(b"damaged")
    with pytest.raises(ValueError, match="is damaged: delete it"):
        kept_features(path, {}, never)
