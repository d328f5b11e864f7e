"""Model folders are pushed to a hub, whole, and what nobody could load is not."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.local_hub import LocalHub, local_hub
from tests.patience import LIMIT_SECONDS
from tests.server import ROOT
from var_core import VARPipeline, generators_from_seeds
from var_core.command_line.main import main
from var_core.hub import push_folder


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    with local_hub() as found:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", found.address)
        monkeypatch.setattr("huggingface_hub.hf_api.constants.ENDPOINT", found.address)
        yield found


def test_a_pushed_model_draws_the_same_where_it_is_fetched(
    pipeline: VARPipeline, hub: LocalHub, tmp_path: Path
) -> None:
    address = pipeline.push_to_hub("me/mine", token=hub.token, private=True)
    assert address.endswith("/me/mine") and hub.private == ["me/mine"]
    assert hub.commits == ["Upload model"]  # all files at once
    for name, content in hub.files["me/mine"].items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    fetched = VARPipeline.from_pretrained(tmp_path)
    ours, theirs = (
        one.draw([{"emoji": "cat"}], generator=generators_from_seeds([1])).token_maps
        for one in (pipeline, fetched)
    )
    assert all(map(torch.equal, ours, theirs))


def test_the_command_pushes_a_folder_with_its_card(
    pipeline: VARPipeline, hub: LocalHub, tmp_path: Path
) -> None:
    pipeline.save_pretrained(tmp_path)
    (tmp_path / "README.md").write_text("# Mine\n")
    command = [sys.executable, "-m", "var_core", "push", str(tmp_path), "me/mine"]
    environment = {"HF_ENDPOINT": hub.address, "HF_TOKEN": hub.token, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("/me/mine")
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert hub.files["me/mine"].keys() == files
    assert hub.files["me/mine"]["README.md"] == b"# Mine\n"


def test_a_second_push_changes_the_same_repository(pipeline: VARPipeline, hub: LocalHub) -> None:
    pipeline.push_to_hub("me/mine", token=hub.token)
    pipeline.push_to_hub("me/mine", token=hub.token, commit_message="Train longer")
    assert hub.commits == ["Upload model", "Train longer"] and len(hub.files) == 1


def test_a_hub_that_refuses_is_told_in_a_sentence(pipeline: VARPipeline, hub: LocalHub) -> None:
    with pytest.raises(ValueError, match=r"me/mine cannot be pushed to http://127\.0\.0\.1"):
        pipeline.push_to_hub("me/mine", token="hf_wrong")
    with pytest.raises(ValueError, match="a b c cannot be pushed"):
        pipeline.push_to_hub("a b c", token=hub.token)
    assert hub.files == {}


def test_pickles_are_not_pushed(hub: LocalHub, tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"")
    with pytest.raises(ValueError, match="only safetensors are loaded"):
        push_folder(tmp_path, "me/mine", token=hub.token)
    assert hub.files == {}


def test_a_damaged_folder_is_not_pushed(
    hub: LocalHub, pipeline: VARPipeline, tmp_path: Path
) -> None:
    pipeline.save_pretrained(tmp_path)
    (tmp_path / "transformer" / "diffusion_pytorch_model.safetensors").write_bytes(b"")
    assert main(["push", str(tmp_path), "me/mine"]) == 2
    assert hub.files == {}
