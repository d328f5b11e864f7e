"""Troubles of the machine are said in one true sentence without paths, and readiness falls."""

import errno
import os
import re
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.clients import API, Client, served
from tests.conftest import EMBEDDED_MODEL
from var_core import VARPipeline
from var_core.checkpoints import CheckpointError
from var_core.images import read_image
from var_core.serving.local_engine import LocalEngine
from var_core.serving.machine_troubles import RECOVERY_SECONDS, Health, ModelGoneError, words_for

SECRET = "/srv/secret/model"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device", SECRET), "disk of this server is full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded", SECRET), "disk of this server is full"),
        (OSError(errno.EIO, "Input/output error", SECRET), "files: Input/output error"),
        (OSError(errno.EMFILE, "Too many open files"), "Too many visitors"),
        (MemoryError(), "out of memory"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes"), "out of memory"),
        (torch.OutOfMemoryError("CUDA out of memory"), "out of memory"),
        (RuntimeError("could not create a primitive"), "out of memory"),
        (ModelGoneError(f"{SECRET} is missing"), "model cannot be loaded"),
    ],
)
def test_a_trouble_is_one_true_sentence(error: Exception, words: str) -> None:
    said = words_for(error)
    assert said is not None and words in said and SECRET not in said


def test_other_errors_are_not_blamed_on_the_machine() -> None:
    assert words_for(KeyError("x")) is None and words_for(RuntimeError("shapes differ")) is None


@pytest.mark.parametrize("number", [errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EINVAL])
def test_a_name_that_no_file_can_have_is_no_trouble_of_the_machine(number: int) -> None:
    assert words_for(OSError(number, os.strerror(number), SECRET)) is None


def test_who_asks_for_a_file_that_cannot_be_is_told_that_there_is_none(
    pipeline: VARPipeline, tmp_path: Path
) -> None:
    engine = LocalEngine(pipeline.info, lambda dtype: pipeline)
    with served(engine, tmp_path) as url:
        client = Client(url)
        _, page = client.ask("GET", "/")
        (script, *_) = re.findall(r"assets/[\w.-]+\.js", page)
        for folder in ("assets", "static", "svelte", "static/img", f"{API[1:]}/file=/tmp"):
            for name in ("a" * 300, "a%00b", "a/" * 2_500):
                status, said = client.ask("GET", f"/{folder}/{name}")
                assert status in (403, 404) and "files" not in said, (folder, name, said)
        assert client.ask("GET", f"/{script}/more")[0] == 404
        assert client.ask("GET", "/readyz") == (200, "ready")
        faults = engine.metrics.registry.get_sample_value
        assert not faults("var_studio_refused_total", {"where": "fault"})


def test_readiness_falls_after_a_trouble_and_comes_back(tmp_path: Path) -> None:
    now = 100.0
    health = Health(lambda: now)
    health.note(KeyError("our own fault"))
    assert health.is_well(tmp_path)
    health.note(MemoryError())
    assert not health.is_well(tmp_path)
    now += RECOVERY_SECONDS
    assert health.is_well(tmp_path) and not health.is_well(tmp_path / "gone")


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.EIO, "Input/output error")])
def test_a_trouble_while_reading_is_not_blamed_on_the_picture(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "good.png")

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("var_core.images.upright_layers", fail)
    with pytest.raises(type(error)):
        read_image(tmp_path / "good.png")


def test_visitors_of_a_model_that_is_gone_read_a_sentence_without_its_path(
    pipeline: VARPipeline, tmp_path: Path
) -> None:
    is_there = True

    def load(dtype: torch.dtype) -> VARPipeline:
        if not is_there:
            raise CheckpointError(f"{EMBEDDED_MODEL}/transformer is missing")
        return pipeline

    engine = LocalEngine(pipeline.info, load)
    with served(engine, tmp_path) as url:
        client = Client(url)
        assert client.ask("GET", "/readyz")[0] == 200
        is_there = False
        *_, (kind, said) = client.events("generate", client.call("generate", {}, 1, 1))
        assert kind == "error" and "model cannot be loaded" in str(said)
        assert os.sep + "assets" not in str(said)
        assert client.ask("GET", "/readyz")[0] == 503
        is_there = True
        assert client.draw(1)


def test_a_full_disk_is_said_to_who_uploads(
    pipeline: VARPipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = LocalEngine(pipeline.info, lambda dtype: pipeline)
    head = b'Content-Disposition: form-data; name="files"; filename="a"'
    body = b"--x\r\n" + head + b"\r\n\r\n1\r\n--x--\r\n"

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", SECRET)

    with served(engine, tmp_path) as url:
        monkeypatch.setattr("pathlib.Path.write_bytes", fail)
        form = {"content-type": "multipart/form-data; boundary=x"}
        status, said = Client(url).ask("POST", f"{API}/upload", body, **form)
        assert status == 507 and "disk of this server is full" in said
        assert Client(url).ask("GET", "/readyz")[0] == 503
