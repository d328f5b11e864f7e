"""What strangers throw at the really started app, and what it must survive."""

import functools
import http.client
import io
import json
import os
import signal
import subprocess
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.clients import API, Client
from tests.server import ROOT, app_process, running_app
from tests.serving.test_http_guard import spellings
from var_core.images import read_image

ODD = (
    *("NaN", "1e400", "-Infinity", "true", "null", "[]", "{}", "-1", "1.5", '"x"', '"\\u0000"'),
    *("18446744073709551616", "[[[[[]]]]]", '{"a": {"b": 1}}', "[null]", '"/etc/passwd"'),
    '{"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}',
)
ENDPOINTS = {  # how many values they take; the last ones may be left out
    "generate": 6,
    "stream": 6,
    "compare": 8,
    "redraw": 7,
    "tokenize": 1,
    "edit": 10,
    "outpaint": 13,
    "vary": 8,
    "look_inside": 5,
    "exchange": 6,
}
MARKER = "planted-6b1f"


def endless(client: Client, name: str, body: bytes) -> tuple[int, str]:
    """A raw call, and all that comes of it."""
    status, text = client.ask("POST", f"{API}/call/{name}", body)
    if status == 200:
        event = json.loads(text)["event_id"]
        text = "".join(f"{kind} {said}" for kind, said in client.events(name, event))
    return status, text


@dataclass(frozen=True)
class Running:
    """A server that one test after the other attacks.

    Attributes:
        url: its address.
        log: file with what it printed.
        files: folder of its temporary files.
        process: it.
    """

    url: str
    log: Path
    files: Path
    process: subprocess.Popen


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The really started app."""
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        with app_process(folder / "log.txt") as (url, process):
            yield Running(url, folder / "log.txt", folder, process)


def test_malformed_calls_leave_no_trace_and_no_path(running: Running) -> None:
    client, replies = Client(running.url), []
    secrets = ("Traceback", "site-packages", str(ROOT), str(Path.home()), "/tmp", 'File "')
    before = client.draw(1)
    for name, count in ENDPOINTS.items():
        for odd in ODD:
            for number in {count, max(1, count - 2), 0 if odd == "null" else count + 1}:
                body = b'{"data": [' + b", ".join([odd.encode()] * number) + b"]}"
                replies.append((name, odd, *endless(client, name, body)))
    for function in ("-1", "999", "null", '"x"', "1.5", "[]", "true", *map(str, range(60))):
        for door in ("queue/join", "run/predict", "call/nothing", "run/nothing", "cancel"):
            body = f'{{"data": [null, 1], "fn_index": {function}, "session_hash": "s"}}'
            replies.append((door, function, *client.ask("POST", f"{API}/{door}", body.encode())))
    assert len(replies) >= 200
    for name, odd, status, text in replies:
        assert 200 <= status < 500, (name, odd, status)
        assert not any(word in text for word in secrets), (name, odd, text)
    assert client.draw(1) == before
    answered = [text for name, *_, status, text in replies if name in ENDPOINTS]
    assert not any(text.startswith("complete") for text in answered)
    assert "Traceback" not in running.log.read_text()


def planted_picture() -> bytes:
    """A picture with a marker in its text chunks, its EXIF and its XMP data."""
    image, info = Image.new("RGB", (90, 70), "teal"), PngInfo()
    info.add_text("Author", MARKER)
    info.add_text("Compressed", MARKER * 9, zip=True)
    info.add_itxt("XML:com.adobe.xmp", f"<x>{MARKER}</x>")
    exif = image.getexif()
    exif[0x010E] = MARKER
    exif.get_ifd(0x8825)[29] = MARKER
    file = io.BytesIO()
    image.save(file, "PNG", pnginfo=info, exif=exif)
    return file.getvalue()


def is_planted(content: bytes) -> bool:
    if MARKER.encode() in content:
        return True
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            return MARKER in str(image.info) + str(dict(image.getexif()))
    except OSError:
        return False


def upload(client: Client, content: bytes) -> str:
    """Send a picture as the page does; the path that it got."""
    mark = b"--x"
    head = b'Content-Disposition: form-data; name="files"; filename="%s.png"' % MARKER.encode()
    body = b"\r\n".join([mark, head, b"Content-Type: image/png", b"", content, mark + b"--", b""])
    kind = {"content-type": "multipart/form-data; boundary=x"}
    status, text = client.ask("POST", f"{API}/upload", body, **kind)
    assert status == 200
    return json.loads(text)[0]


@functools.cache
def config_of(place: str) -> dict:
    """The widgets and events of the page at an address."""
    return json.loads(Client(f"http://{place}").ask("GET", "/config")[1])


def press(
    client: Client, target: str, event: str, values: list | dict, session: str = "s1"
) -> list[dict]:
    """Set off the event of a widget as the page does; all messages until it ends.

    `values` are those of all inputs, or a file for the widget alone.
    """
    config = config_of(client.place)
    ids = {one["id"]: one["props"].get("elem_id") for one in config["components"]}
    (function,) = [
        one
        for one in config["dependencies"]
        if one["backend_fn"]
        and any(ids.get(source) == target and what == event for source, what in one["targets"])
    ][:1]
    if isinstance(values, dict):
        values = [values if ids.get(one) == target else None for one in function["inputs"]]
    body = {"data": values, "fn_index": function["id"], "session_hash": session, "trigger_id": None}
    status, text = client.ask("POST", f"{API}/queue/join", json.dumps(body).encode())
    if status != 200:
        return [{"msg": "refused", "success": False, "output": text}]
    connection = client.connect()
    connection.request("GET", f"{API}/queue/data?session_hash={session}")
    found = []
    for line in connection.getresponse():
        if line.startswith(b"data: "):
            found.append(json.loads(line[6:]))
            if found[-1]["msg"] in ("process_completed", "close_stream"):
                break
    connection.close()
    return found


def test_what_is_planted_in_a_picture_is_found_nowhere(running: Running) -> None:
    client, content = Client(running.url), planted_picture()
    assert is_planted(content)
    path = upload(client, content)
    named = {"path": path, "meta": {"_type": "gradio.FileData"}}
    said = press(client, "source", "upload", named)
    assert said[-1]["success"] is True, said
    for target in ("drop", "open"):
        named["path"] = upload(client, content)
        said.append(press(client, target, "upload", named))
    files = [file for file in running.files.rglob("*") if file.is_file()]
    assert files and not any(is_planted(file.read_bytes()) for file in files)
    assert MARKER not in running.log.read_text()
    assert MARKER not in json.dumps(said).replace(f"{MARKER}.png", "")  # the upload's own name


def test_no_spelling_of_a_path_reaches_a_picture_of_the_server(
    running: Running, tmp_path: Path
) -> None:
    canary = tmp_path / "canary.png"
    Image.new("RGB", (64, 64), "red").save(canary)
    paths = spellings(str(canary))
    assert len(set(paths)) >= 20
    client = Client(running.url)
    for path in [*paths, *spellings("/etc/passwd")]:
        named = {"path": path, "meta": {"_type": "gradio.FileData"}}
        for target, event in (("source", "upload"), ("drop", "upload")):
            last = press(client, target, event, named)[-1]
            assert last["success"] is False, (target, path)
        last = press(client, "open", "upload", named)[-1]
        assert last["success"] is False, path
        for name in ("tokenize", "recipe", "edit"):
            more = [path, {}, 1, 1, None, "closed_loop", 1] if name == "edit" else []
            *_, (kind, said) = client.events(name, client.call(name, path, *more))
            assert kind == "error" and "canary" not in said["error"], (name, path)


def test_what_the_server_keeps_for_itself_is_shown_to_nobody(running: Running) -> None:
    client, (lock,) = Client(running.url), list(running.files.rglob(".lock"))
    for path in (*spellings(str(lock)), str(lock.parent), f"{lock.parent}/"):
        address = urllib.parse.quote(f"{API}/file={path}", safe="/=%?#.:")
        assert client.ask("GET", address)[0] in (403, 404), path
    shown = f"{API}/file={upload(client, planted_picture())}"
    assert client.ask("GET", shown)[0] == 200


def running_files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix in (".png", ".jpeg", ".webp"):
            yield path


def test_a_killed_server_leaves_nothing_broken_and_comes_back(
    running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last test of this server."""
    before = Client(running.url).draw(1)
    clients = [Client(running.url, 20 + number) for number in range(8)]
    streams = []
    for client in clients:
        stream = client.events("stream", client.call("stream", {}, 1, 8, None))
        next(stream)
        streams.append(stream)
    page = Client(running.url)
    press(page, "generate", "click", default_values(page))
    os.kill(running.process.pid, signal.SIGKILL)
    for stream in streams:  # an error, not a hang
        with pytest.raises((http.client.HTTPException, ConnectionError, StopIteration)):
            while True:
                next(stream)
    left = list(running_files(running.files))
    assert left
    for path in left:
        read_image(path)
    monkeypatch.setenv("TMPDIR", str(running.files))
    with running_app(tmp_path / "second.txt") as url:
        assert Client(url).ask("GET", "/readyz") == (200, "ready")
        assert Client(url).draw(1) == before
        assert not any(path.exists() for path in left)  # swept by the new one
    assert list(running_files(running.files)) == []


def default_values(client: Client) -> list:
    """What the page sends with Generate when nothing was changed."""
    config = config_of(client.place)
    values = {one["id"]: one["props"].get("value") for one in config["components"]}
    ids = {one["id"]: one["props"].get("elem_id") for one in config["components"]}
    for one in config["dependencies"]:
        if [ids.get(source) for source, _ in one["targets"]] == ["generate"]:
            return [values[source] for source in one["inputs"]]
    raise AssertionError("there is no button to generate")
