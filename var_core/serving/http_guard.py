"""Stands before the server: only known paths, bounded bodies, no foreign addresses."""

import json
import math
import re
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

MAX_BODY_BYTES = 14_000_000  # a picture of 10 MB as base64, and the JSON around it
MAX_JSON_DEPTH = 64
PATHS = {
    "GET": re.compile(
        r"/|/(assets|static|svelte)/.+|/(theme\.css|favicon\.ico|manifest\.json|robots\.txt)"
        r"|/pwa_icon(/\d+)?|/config/?"
        r"|/gradio_api/(startup-events|info|app_id|user|token|login_check)/?"
        r"|/gradio_api/(queue/(data|status)|upload_progress|heartbeat/.+|call/.+)"
        r"|/gradio_api/file=(?!\w\w+:|[/\\]{2}).+"
    ),
    "POST": re.compile(
        r"/gradio_api/(queue/join|upload|cancel|reset)/?|/gradio_api/(run|call|component_server)/.+"
    ),
}
PATHS["HEAD"] = PATHS["GET"]
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)


class HttpGuard:
    """ASGI middleware between the network and the application.

    It answers `/healthz` (the process runs) and `/readyz` (it can draw), refuses every path that
    the page and its endpoints do not need (404), bodies above the cap (413), and requests that
    name a file by an address that the server would have to fetch (400).

    Args:
        app: the next application.
        is_ready: whether the engine can draw.
        refused: called for every request that is refused.
        fault: called with every unforeseen error; returns a reference for the visitor.
        pages: names of the further pages of the site.
        max_body: size of the largest body in bytes.
    """

    def __init__(
        self,
        app: App,
        is_ready: Callable[[], bool],
        refused: Callable[[], None] = lambda: None,
        fault: Callable[[BaseException], str] = lambda error: type(error).__name__,
        pages: Sequence[str] = (),
        max_body: int = MAX_BODY_BYTES,
    ) -> None:
        self.pages = {f"/{name}{end}" for name in pages for end in ("", "/")}
        self.app = app
        self.refused = refused
        self.fault = fault
        self.is_ready = is_ready
        self.max_body = max_body

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        if scope["type"] != "http":
            if scope["type"] != "websocket":  # websockets are not used
                await self.app(scope, receive, send)
            return
        path, method = str(scope["path"]), str(scope["method"])
        if path == "/healthz":
            await _answer(send, 200, "alive")
        elif path == "/readyz":
            ready = self.is_ready()
            await _answer(send, 200 if ready else 503, "ready" if ready else "not ready")
        elif method in ("GET", "HEAD") and path in self.pages:
            await self._pass(scope, receive, send)
        elif method not in PATHS or not PATHS[method].fullmatch(path):
            await self._refuse(send, 404, "not found")
        elif method == "POST":
            await self._post(scope, receive, send)
        else:
            await self._pass(scope, receive, send)

    async def _pass(self, scope: Message, receive: Receive, send: Send) -> None:
        """Let the application answer; answer in its place if it fails before it began to."""
        begun = False
        is_call = str(scope["path"]).startswith("/gradio_api/run/")

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            if is_call and message.get("status") == 500:  # gradio's status of a refused value
                message = {**message, "status": 400}
            await send(message)

        try:
            await self.app(scope, receive, _with_headers(watched))
        except Exception as error:
            reference = self.fault(error)
            if not begun:
                words = f"this server has nothing like that. Reference: {reference}"
                await _answer(send, 400, words)

    async def _post(self, scope: Message, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        declared = headers.get(b"content-length", b"0")
        fits = declared.isdigit() and int(declared) <= self.max_body
        body = await self._read(receive) if fits else None
        if body is None:
            await self._refuse(send, 413, f"a request has at most {self.max_body} bytes")
            return
        is_json = headers.get(b"content-type", b"").startswith(b"application/json")
        if is_json and (reason := _refusal(body)):
            await self._refuse(send, 400, reason)
            return
        rest = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def replay() -> Message:
            return next(rest, None) or await receive()

        await self._pass(scope, replay, send)

    async def _refuse(self, send: Send, status: int, words: str) -> None:
        self.refused()
        await _answer(send, status, words)

    async def _read(self, receive: Receive) -> bytes | None:
        """The whole body, or None if it is too long or its sender has gone."""
        parts, size = [], 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return None
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self.max_body:
                return None
            if not message.get("more_body"):
                return b"".join(parts)


def _refusal(body: bytes) -> str | None:
    """Why a JSON body is refused, or None; what is no JSON is left to the server."""
    too_deep = f"JSON is nested at most {MAX_JSON_DEPTH} deep"
    try:
        content = json.loads(body)
    except RecursionError:
        return too_deep
    except ValueError:
        return None
    waiting = [(content, 0)]
    while waiting:
        value, depth = waiting.pop()
        if depth > MAX_JSON_DEPTH:
            return too_deep
        if isinstance(value, float) and not math.isfinite(value):
            return "numbers must be finite"
        if isinstance(value, dict):
            path = value.get("path")
            if isinstance(path, str) and _is_address(path):
                return "files are named by what was uploaded here, not by addresses"
            waiting += [(one, depth + 1) for one in value.values()]
        elif isinstance(value, list):
            waiting += [(one, depth + 1) for one in value]
    return None


def _is_address(path: str) -> bool:
    return re.match(r"\s*([a-z][a-z0-9+.-]+:|[/\\]{2})", path, re.IGNORECASE) is not None


def _with_headers(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *HEADERS]}
        await send(message)

    return guarded


async def _answer(send: Send, status: int, text: str) -> None:
    body = text.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), *HEADERS]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
