"""A hub on this machine: as much of the Hugging Face hub as uploads need."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


class LocalHub(ThreadingHTTPServer):
    """Keeps repositories in memory; takes requests with one token alone.

    Attributes:
        files: content of each file of each repository.
        commits: what each commit was called.
        private: repositories that were made private.
    """

    token = "hf_secret"
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, dict[str, bytes]] = {}
        self.commits: list[str] = []
        self.private: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: LocalHub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: Any) -> None: ...

    def _answer(self, content: object, status: int = 200) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Authorization") != f"Bearer {self.server.token}":
            return self._answer({"error": "Invalid credentials"}, 401)
        if self.path == "/api/repos/create":
            return self._create(json.loads(body))
        if self.path == "/api/validate-yaml":
            return self._answer({"errors": [], "warnings": []})
        name, action, _ = self.path.removeprefix("/api/models/").rsplit("/", 2)
        if action == "preupload":
            wanted = [one["path"] for one in json.loads(body)["files"]]
            modes = {"uploadMode": "regular", "shouldIgnore": False}
            return self._answer({"files": [{"path": path, **modes} for path in wanted]})
        assert action == "commit", self.path
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "header":
                self.server.commits.append(value["summary"])
            else:
                self.server.files[name][value["path"]] = base64.b64decode(value["content"])
        return self._answer({"commitOid": "0" * 40, "commitUrl": f"{self.server.address}/{name}"})

    def _create(self, asked: dict[str, Any]) -> None:
        name = (
            asked["name"]
            if not asked.get("organization")
            else (f"{asked['organization']}/{asked['name']}")
        )
        if name in self.server.files:
            return self._answer({"error": "exists", "url": f"{self.server.address}/{name}"}, 409)
        self.server.files[name] = {}
        if asked.get("private") or asked.get("visibility") == "private":
            self.server.private.append(name)
        return self._answer({"url": f"{self.server.address}/{name}", "name": name})


@contextmanager
def local_hub() -> Iterator[LocalHub]:
    """A running hub."""
    with LocalHub() as hub:
        thread = Thread(target=hub.serve_forever)
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()
