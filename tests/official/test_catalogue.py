"""Models by name: the list, and downloads from a server that speaks as the hub does."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.official.test_convert import sides_of, write_pair
from var_core import VARPipeline
from var_core.command_line.main import main
from var_core.official.catalogue import (
    MODELS,
    TOKENIZER_FILE,
    ModelCard,
    download,
    find_model,
)

CARD = ModelCard("var-tiny", 64, 1, "MIT", "var_tiny.pth", sides_of("tiny"))


@dataclass
class Hub:
    """Files, and how the server behaves.

    Attributes:
        cut: how many bytes of each file's first reply come before the line is cut; 0: all.
        lie: whether the promised hash is another one.
        ranges: the ranges that were asked for.
    """

    files: dict[str, bytes]
    url: str = ""
    cut: int = 0
    lie: bool = False
    ranges: list[str] = field(default_factory=list)


class HubServer(BaseHTTPRequestHandler):
    """Answers as the hub does for files kept apart from their repository."""

    protocol_version = "HTTP/1.1"

    def __init__(self, hub: Hub, *arguments: object) -> None:
        self.hub = hub
        super().__init__(*arguments)

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        content, start = self.answer()
        if self.headers.get("range"):
            self.hub.ranges.append(self.headers["range"])
        elif self.hub.cut:
            content, self.close_connection = content[: self.hub.cut], True
        self.wfile.write(content[start:])

    def answer(self) -> tuple[bytes, int]:
        """Send the headers; the file, and where it is to begin."""
        content = self.hub.files.get(self.path.rsplit("/", 1)[-1])
        asked = self.headers.get("range")
        self.send_response(404 if content is None else 206 if asked else 200)
        content = content or b""
        start = int(asked.removeprefix("bytes=").split("-")[0]) if asked else 0
        digest = hashlib.sha256(content + b"!" * self.hub.lie).hexdigest()
        for name, value in {
            "etag": f'"{digest}"',
            "x-linked-etag": f'"{digest}"',
            "x-linked-size": len(content),
            "x-repo-commit": "0" * 40,
            "accept-ranges": "bytes",
            "content-length": len(content) - start,
        }.items():
            self.send_header(name, str(value))
        if asked:
            last = len(content) - 1
            self.send_header("content-range", f"bytes {start}-{last}/{len(content)}")
        self.end_headers()
        return content, start

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A local hub with a tiny official pair."""
    folder = tmp_path / "official"
    folder.mkdir()
    pair = write_pair(folder)
    hub = Hub(
        {
            TOKENIZER_FILE: pair["tokenizer"].read_bytes(),
            CARD.file: pair["transformer"].read_bytes(),
        }
    )

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(HubServer, hub))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield hub
    server.shutdown()
    server.server_close()


def test_a_model_is_fetched_converted_and_not_fetched_again(hub: Hub, tmp_path: Path) -> None:
    models = tmp_path / "models"
    assert not CARD.is_installed(models) and CARD.size(models) == 0
    folder = download(CARD, models, hub.url)
    assert VARPipeline.from_pretrained(folder).transformer.config.depth > 0
    assert CARD.is_installed(models) and CARD.size(models) > 100_000
    assert [path.name for path in models.iterdir()] == [CARD.name]  # nothing is left over
    hub.files.clear()
    assert download(CARD, models, hub.url) == folder


def test_a_download_that_is_cut_goes_on_where_it_was(hub: Hub, tmp_path: Path) -> None:
    hub.cut = 12_000_000  # the client writes in pieces of ten megabytes
    folder = download(CARD, tmp_path / "models", hub.url)
    assert VARPipeline.from_pretrained(folder)
    assert any(asked.startswith("bytes=") and asked != "bytes=0-" for asked in hub.ranges)


def test_a_file_with_another_hash_is_refused(hub: Hub, tmp_path: Path) -> None:
    hub.lie = True
    with pytest.raises(ValueError, match="another SHA-256"):
        download(CARD, tmp_path / "models", hub.url)
    assert not (CARD.downloads(tmp_path / "models") / TOKENIZER_FILE).exists()
    hub.lie = False
    assert download(CARD, tmp_path / "models", hub.url)


def test_without_a_network_it_says_what_is_missing_and_where_to_put_it(
    hub: Hub, tmp_path: Path
) -> None:
    models = tmp_path / "models"
    with pytest.raises(ValueError, match="cannot be fetched") as caught:
        download(CARD, models, "http://127.0.0.1:9")
    words = str(caught.value)
    assert TOKENIZER_FILE in words and CARD.file in words and str(CARD.downloads(models)) in words
    for name, content in hub.files.items():
        (CARD.downloads(models) / name).write_bytes(content)
    assert download(CARD, models, "http://127.0.0.1:9") == CARD.folder(models)


def test_a_download_leaves_that_of_another_model_alone(hub: Hub, tmp_path: Path) -> None:
    models = tmp_path / "models"
    half_done = replace(CARD, name="var-other").downloads(models) / TOKENIZER_FILE
    half_done.parent.mkdir(parents=True)
    half_done.write_bytes(b"half of it")
    assert download(CARD, models, hub.url)
    assert half_done.read_bytes() == b"half of it"


def test_a_file_that_the_hub_does_not_have_is_said(hub: Hub, tmp_path: Path) -> None:
    del hub.files[CARD.file]
    with pytest.raises(ValueError, match=f"{CARD.file} of FoundationVision/var"):
        download(CARD, tmp_path / "models", hub.url)
    assert (CARD.downloads(tmp_path / "models") / TOKENIZER_FILE).exists()  # for the next try


def test_no_space_keeps_what_was_fetched(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    models = tmp_path / "models"
    with monkeypatch.context() as patch:
        patch.setattr("var_core.weight_files.save_file", full)
        with pytest.raises(OSError, match="No space left"):
            download(CARD, models, hub.url)
    assert list(models.iterdir()) == [CARD.downloads(models)]
    hub.files.clear()
    assert download(CARD, models, hub.url)  # from what is there


def test_the_list_names_every_model_and_its_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("VAR_STUDIO_MODELS", str(tmp_path))
    assert main(["models"]) == 0
    said = capsys.readouterr().out
    assert all(card.name in said for card in MODELS)
    assert said.count("not installed") == len(MODELS) - 1
    assert "python -m var_core download var-d16" in said
    assert main(["download", "var-d99"]) == 2
    assert "known are scenes256, var-d16" in capsys.readouterr().err
    assert main(["download", "scenes256"]) == 0  # it is there
    assert find_model("var-d36").sides[-1] * 16 == 512
