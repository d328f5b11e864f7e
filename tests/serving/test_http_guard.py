"""The doors of the really started server."""

import http.client
import json
import socket
import threading
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.clients import API
from tests.patience import LIMIT_SECONDS
from var_core.serving.http_guard import MAX_ADDRESS_BYTES, MAX_BODY_BYTES

CLOSED = (
    "GET /docs",
    "GET /redoc",
    "GET /openapi.json",
    "GET /monitoring",
    "GET /monitoring/summary",
    "GET /gradio_api/deep_link",
    "GET /gradio_api/vibe-code",
    "POST /gradio_api/vibe-edit",
    "POST /gradio_api/process_recording",
    "POST /gradio_api/api/generate",
    "GET /gradio_api/run-history/x",
    "GET /gradio_api/runs",
    "GET /gradio_api/proxy=http://127.0.0.1:{canary}/",
    "GET /proxy=http://127.0.0.1:{canary}/",
    "GET /gradio_api/file=http://127.0.0.1:{canary}/",
    "GET /gradio_api/file=%68ttp://127.0.0.1:{canary}/",
    "GET /gradio_api/file=HTTPS://127.0.0.1:{canary}/",
    "GET /gradio_api/file=//127.0.0.1:{canary}/",
    "GET /gradio_api/file/http://127.0.0.1:{canary}/",
    "PUT /gradio_api/upload",
    "DELETE /",
)
SECRET = "root:x:0:0"  # the first words of /etc/passwd


def ask(url: str, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(
        urllib.parse.urlsplit(url).netloc, timeout=LIMIT_SECONDS
    )
    kind = {"content-type": "application/json"} if body else {}
    connection.request(method, path, body, {**kind, **headers})
    reply = connection.getresponse()
    text = reply.read(1_000_000).decode("utf-8", "replace")
    if reply.status != 404 or text == "not found":
        assert reply.getheader("x-content-type-options") == "nosniff"
        assert reply.getheader("referrer-policy") == "no-referrer"
    connection.close()
    return reply.status, text


@pytest.fixture
def canary() -> Iterator[tuple[int, list[str]]]:
    """The port of a server that nobody should visit, and its visitors."""
    visits: list[str] = []

    class Canary(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            visits.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Canary)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, visits
    server.shutdown()
    server.server_close()


def test_health_and_readiness(url: str) -> None:
    assert ask(url, "GET", "/healthz") == (200, "alive")
    assert ask(url, "GET", "/readyz") == (200, "ready")


def test_doors_that_nobody_needs_are_closed(url: str, canary: tuple) -> None:
    port, visits = canary
    for line in CLOSED:
        method, path = line.format(canary=port).split(" ", 1)
        assert ask(url, method, path)[0] in (404, 405), line
    assert visits == []


def test_health_is_told_to_ordinary_requests_alone(url: str) -> None:
    for method in ("CONNECT", "TRACE", "PRI"):  # CONNECT would leave HTTP after the answer
        assert ask(url, method, "/healthz") == (404, "not found")


@pytest.mark.parametrize(
    ("part", "status", "shown"),
    [
        ("bytes=2-3", 206, "cd"),
        ("bytes=4-", 206, "ef"),
        ("bytes=4-1", 200, "abcdef"),
        ("bytes=0-0,2-2", 200, "abcdef"),
        ("bytes=\u00b2-3", 200, "abcdef"),
        ("lines=1-2", 200, "abcdef"),
    ],
)
def test_a_part_of_a_file_is_that_part_or_the_whole(
    url: str, part: str, status: int, shown: str
) -> None:
    form = b'--b\r\ncontent-disposition: form-data; name="files"; filename="x.png"\r\n\r\n'
    kind = {"content-type": "multipart/form-data; boundary=b"}
    done, text = ask(url, "POST", "/gradio_api/upload", form + b"abcdef\r\n--b--\r\n", **kind)
    assert done == 200, text
    path = f"/gradio_api/file={json.loads(text)[0]}"
    assert ask(url, "GET", path, range=part) == (status, shown)


def test_the_bypass_of_the_queue_is_closed(url: str) -> None:
    body = json.dumps({"data": [{}, 7, 1, None]}).encode()
    for name in ("generate", "stream", "compare", "redraw", "tokenize"):
        assert ask(url, "POST", f"/gradio_api/run/{name}", body)[0] == 404


@pytest.mark.parametrize(
    "path",
    [
        "http://127.0.0.1:{canary}/a.png",
        " HTTP://127.0.0.1:{canary}/a.png",
        "//127.0.0.1:{canary}/a.png",
        "\\\\127.0.0.1\\a.png",
        "ftp://127.0.0.1:{canary}/a.png",
        "file:///etc/passwd",
        "data:text/plain;base64,cm9vdA==",
    ],
)
def test_a_file_named_by_an_address_is_refused(url: str, canary: tuple, path: str) -> None:
    port, visits = canary
    named = {"path": path.format(canary=port), "meta": {"_type": "gradio.FileData"}}
    for door in ("queue/join", "run/predict", "call/tokenize"):
        body = json.dumps({"data": [named], "fn_index": 1, "session_hash": "x"}).encode()
        status, text = ask(url, "POST", f"/gradio_api/{door}", body)
        assert status == 400 and "not by addresses" in text
    assert visits == []


TYPES = (  # what a framework may take for JSON, and what it may not
    ("Application/JSON",),
    ("application/json; charset=utf-8",),
    (" application/json",),
    ("application/vnd.api+json",),
    ("text/json",),
    ("text/plain",),
    ("",),
    (),
    ("text/plain", "application/json"),
    ("application/json", "text/plain"),
    ("multipart/form-data; boundary=x",),
)


@pytest.mark.parametrize("kinds", TYPES)
def test_no_spelling_of_the_content_type_passes_the_guard_by(
    url: str, canary: tuple, kinds: tuple[str, ...]
) -> None:
    port, visits = canary
    named = {"path": f"http://127.0.0.1:{port}/x.png", "meta": {"_type": "gradio.FileData"}}
    for content in ([named], [float("nan")], [[]] * 70_000):
        body = json.dumps({"data": content, "fn_index": 1, "session_hash": "x"}).encode()
        for door in ("queue/join", "run/predict", "call/tokenize", "component_server", "cancel"):
            connection = http.client.HTTPConnection(
                urllib.parse.urlsplit(url).netloc, timeout=LIMIT_SECONDS
            )
            connection.putrequest("POST", f"/gradio_api/{door}")
            for kind in kinds:
                connection.putheader("Content-Type", kind)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            assert connection.getresponse().status in (400, 404, 415)
            connection.close()
    assert visits == []


def test_a_body_of_millions_of_values_is_refused_at_once(url: str) -> None:
    body = b'{"data":[' + b"[]," * 4_500_000 + b"[]]}"
    for door in ("queue/join", "run/predict", "call/generate", "call/v2/generate"):
        status, text = ask(url, "POST", f"/gradio_api/{door}", body)
        assert status == 400 and ("values" in text or "outside" in text), (door, text)


def spellings(path: str) -> list[str]:
    """Ways to write a path of this machine, as people try them."""
    dots = ["/.." * n + path for n in (1, 4, 9)]
    encoded = [urllib.parse.quote(one, safe="") for one in (path, *dots)]
    twice = [urllib.parse.quote(one, safe="") for one in encoded]
    odd = [f"/{path}", f"/.{path}", path + "/.", path + "%00.png", path.upper(), path + "?x=.png"]
    odd += [path.replace("/", "%2f"), path.replace("/", "/./"), path.replace("/", "\\"), path + "#"]
    return [path, *dots, *encoded, *twice, *odd, f"/tmp/../{path}", f"/proc/self/root{path}"]


def test_no_spelling_of_a_path_shows_a_file_of_the_server(url: str) -> None:
    asked = [one for path in ("/etc/passwd", "/proc/self/environ") for one in spellings(path)]
    assert len(asked) >= 40
    for path in asked:
        for door in (f"/gradio_api/file={path}", f"/static/{path}", f"/assets/{path}"):
            status, text = ask(url, "GET", urllib.parse.quote(door, safe="/=%?#.:"))
            assert SECRET not in text and "PATH=" not in text, (door, status)


def test_a_path_of_the_server_is_no_upload(url: str) -> None:
    body = {"fn_index": 0, "session_hash": "x", "trigger_id": None, "event_data": None}
    for path in spellings("/etc/passwd"):
        named = {"path": path, "meta": {"_type": "gradio.FileData"}}
        for index in range(30):
            content = json.dumps({**body, "fn_index": index, "data": [named]}).encode()
            _, text = ask(url, "POST", "/gradio_api/run/predict", content)
            assert SECRET not in text and "Traceback" not in text


def test_addresses_are_bounded(url: str) -> None:
    long = "a" * MAX_ADDRESS_BYTES
    for path in ("/", "/config", f"{API}/queue/data", f"{API}/info", "/healthz", f"{API}/file=/x"):
        assert ask(url, "GET", f"{path}?x={long}")[0] == 414, path
        assert ask(url, "GET", f"{path}/{long}")[0] in (404, 414), path
    for door in ("queue/join", "call/v2/about", "run/predict", "cancel"):
        assert ask(url, "POST", f"{API}/{door}?x={long}", b"{}")[0] == 414, door
    assert ask(url, "GET", f"/?x={long[:10_000]}")[0] == 200
    assert ask(url, "GET", "/", host=f"{long}.localhost")[0] == 414


def test_bodies_are_bounded(url: str) -> None:
    large = b"[" + b" " * MAX_BODY_BYTES + b"]"
    status, text = ask(
        url, "POST", "/gradio_api/queue/join", large[:100], **{"content-length": str(len(large))}
    )
    assert status == 413 and str(MAX_BODY_BYTES) in text
    place = urllib.parse.urlsplit(url)
    with socket.create_connection(
        (place.hostname, place.port), timeout=LIMIT_SECONDS
    ) as connection:
        connection.sendall(
            b"POST /gradio_api/queue/join HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
        try:
            for _ in range(MAX_BODY_BYTES // 0x100000 + 2):
                connection.sendall(chunk)
            reply = connection.recv(64)
        except ConnectionError:
            reply = b"HTTP/1.1 413"  # it did not even listen to the end
    assert reply.startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    "body", [b"[" * 3000 + b"]" * 3000, b"{", b"\xff", b"null", b"1e400", b"[]", b'{"data": [NaN]}']
)
def test_json_that_is_none_or_too_deep_is_refused(url: str, body: bytes) -> None:
    for door in ("queue/join", "run/predict", "call/generate"):
        status, text = ask(url, "POST", f"/gradio_api/{door}", body)
        assert 400 <= status < 500, (door, status)
        assert "Traceback" not in text and "site-packages" not in text


def test_a_foreign_page_cannot_post_to_a_local_server(url: str) -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n1\r\n--x--\r\n'
    )
    form = {"content-type": "multipart/form-data; boundary=x"}
    upload = "/gradio_api/upload"
    assert ask(url, "POST", upload, body, **form)[0] == 200
    assert ask(url, "POST", upload, body, origin="https://evil.example", **form)[0] == 403
    foreign = {"origin": url, "sec-fetch-site": "cross-site"}
    assert ask(url, "POST", upload, body, **foreign, **form)[0] == 403
    assert ask(url, "POST", "/gradio_api/call/about", b'{"data":[]}', origin="null")[0] == 403
    assert ask(url, "POST", "/gradio_api/call/about", b'{"data":[]}', origin=url)[0] == 200
