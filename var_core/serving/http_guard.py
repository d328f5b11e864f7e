"""Stands before the server: only known paths, bounded bodies, no foreign addresses."""

import asyncio
import contextlib
import json
import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext

from var_core.serving.asgi import App, Headers, Message, Receive, Send
from var_core.serving.bodies import Body, GoneError, RefusedError
from var_core.serving.calls import FORM_TYPE, JSON_TYPE, SiteMap, media_type, read_call
from var_core.serving.client_budget import ClientBudget
from var_core.serving.fair_queue import BusyError
from var_core.serving.json_body import read_json, write_json
from var_core.serving.machine_troubles import is_misnamed, words_for
from var_core.serving.origins import NOT_MEANT, Surroundings, is_own
from var_core.serving.uploads import Uploads

Tools = Callable[[Message, Receive, Send, str], Awaitable[None]]
DirectCalls = Callable[[str, int], AbstractContextManager[None]]

MAX_BODY_BYTES = 14_000_000  # a picture of 10 MB as base64, and the JSON around it
MAX_HELD_BYTES = 18 * MAX_BODY_BYTES  # of all bodies that come at the moment
MAX_CLIENT_HELD_BYTES = 4 * MAX_BODY_BYTES
MAX_ADDRESS_BYTES = 20_000  # gradio fails at 65,536, and writes signs in a path as three
API = "/gradio_api/"
PROGRESS = "/gradio_api/upload_progress"
PLAIN_TYPE = b"text/plain; charset=utf-8"
TOOLS = "/mcp"  # of assistants
GUIDE = "/agents.md"
UPLOAD = re.compile(r"/gradio_api/upload/?")
PATHS = {
    "GET": re.compile(
        r"/|/(assets|static|svelte)/.+|/(theme\.css|favicon\.ico|manifest\.json|robots\.txt)"
        r"|/pwa_icon(/\d+)?|/config/?"
        r"|/gradio_api/(startup-events|info|app_id|user|token|login_check)/?"
        r"|/gradio_api/(queue/(data|status)|upload_progress|heartbeat/.+|call/.+)"
        r"|/gradio_api/file=(?!\w\w+:|[/\\]{2}).+"
    ),
    "POST": re.compile(r"/gradio_api/(queue/join|upload|cancel|reset)/?|/gradio_api/(run|call)/.+"),
}
PATHS["HEAD"] = PATHS["GET"]
ONE_PART = re.compile(rb"bytes=([0-9]{1,18})-([0-9]{0,18})")
REWRITTEN = (b"content-type", b"content-length", b"transfer-encoding")
POLICY = (  # gradio's page holds scripts and makes functions of texts; nothing comes from elsewhere
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; "
    "frame-src 'none'; object-src 'none'; base-uri 'self'; form-action 'self'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)


class HttpGuard:
    """ASGI middleware between the network and the application.

    It answers `/healthz` (the process runs) and `/readyz` (it can draw), refuses requests for
    another server (421), addresses that are too long (414), every path that the page and its
    endpoints do not need (404), posts of foreign pages (403), bodies above the cap (413) or of
    another kind than the path takes (415), more bodies at once than there is room for (503), and
    calls that are malformed, of nothing that there is, too large to be parsed quickly, or name a
    file by an address that the server would have to fetch (400). What it has read and judged is
    written anew for the application, so that both see the same.

    Args:
        app: the next application.
        is_ready: whether the engine can draw.
        uploads: writes the files of forms.
        site: pages and functions that there are.
        surroundings: place of the server, behind a proxy or not.
        find_client: function from a scope to the address of the visitor.
        refused: called for every request that is refused.
        fault: called with every unforeseen error; returns a reference for the visitor.
        page_calls: called with the address of the visitor before a call of a page is passed on.
        direct_calls: called with the address of the visitor and the bytes of a call that takes no
            queue; what it returns is held until the call is answered, or it raises BusyError.
        guide: text for programs, at `/agents.md`.
        tools: answers assistants at `/mcp`; None leaves this door closed.
        max_body: size of the largest body in bytes.
    """

    def __init__(
        self,
        app: App,
        is_ready: Callable[[], bool],
        uploads: Uploads,
        site: SiteMap,
        surroundings: Surroundings,
        find_client: Callable[[Message], str] = lambda scope: "",
        refused: Callable[[], None] = lambda: None,
        fault: Callable[[BaseException], str] = lambda error: type(error).__name__,
        page_calls: Callable[[str], None] = lambda client: None,
        direct_calls: DirectCalls = lambda client, size: nullcontext(),
        guide: str = "",
        tools: Tools | None = None,
        max_body: int = MAX_BODY_BYTES,
    ) -> None:
        self.pages = {f"/{name}{end}" for name in site.pages for end in ("", "/")}
        self.site, self.surroundings = site, surroundings
        self.app = app
        self.page_calls, self.direct_calls = page_calls, direct_calls
        self.guide, self.tools = guide, tools
        self.uploads = uploads
        self.find_client = find_client
        self.bodies = ClientBudget("requests", MAX_HELD_BYTES, MAX_CLIENT_HELD_BYTES)
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
        scope = {**scope, "headers": self.surroundings.believed(scope["headers"])}
        if self.surroundings.is_meant(scope["headers"]):
            await self._serve(scope, receive, send)
        else:
            await self._refuse(send, 421, NOT_MEANT)

    async def _serve(self, scope: Message, receive: Receive, send: Send) -> None:
        path, method = str(scope["path"]), str(scope["method"])
        if method not in PATHS:  # after a 200, CONNECT would end the protocol
            await self._refuse(send, 404, "not found")
        elif _address_bytes(scope) > MAX_ADDRESS_BYTES:
            await self._refuse(send, 414, f"an address has at most {MAX_ADDRESS_BYTES} bytes")
        elif answer := self._own_answer(method, path):
            await _answer(send, *answer)
        elif method in ("GET", "HEAD") and path in self.pages:
            await self._pass(scope, receive, send)
        elif path == TOOLS and self.tools is not None and method != "POST":
            await self._refuse(send, 405, "assistants post here")
        elif not (PATHS[method].fullmatch(path) or (path == TOOLS and self.tools)):
            await self._refuse(send, 404, "not found")
        elif method == "POST":
            await self._post(scope, receive, send)
        else:
            await self._pass(_without_odd_ranges(scope), receive, send)

    def _own_answer(self, method: str, path: str) -> tuple[int, str, bytes] | None:
        """Status, text and type of what stands here and not in the application; else None."""
        if path == "/healthz":
            return 200, "alive", PLAIN_TYPE
        if path == "/readyz":
            is_ready = self.is_ready()
            return 200 if is_ready else 503, "ready" if is_ready else "not ready", PLAIN_TYPE
        if path == PROGRESS and method != "POST":  # an upload is over before it could be told
            return 200, 'data: {"msg": "done"}\n\n', b"text/event-stream"
        if path == GUIDE and method != "POST":
            return 200, self.guide, b"text/markdown; charset=utf-8"
        return None

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
            if not begun and is_misnamed(error):
                await self._refuse(send, 404, "not found")
                return
            status = getattr(error.__cause__, "status_code", 500)
            if begun and status < 500:  # there is nothing more to be read, or never was
                self.refused()
                await send({"type": "http.response.body", "body": b""})
                return
            reference = self.fault(error)
            if not begun:
                if (words := words_for(error)) is not None:
                    await _answer(send, 503, words)
                    return
                words = f"this server has nothing like that. Reference: {reference}"
                await _answer(send, 400, words)

    async def _post(self, scope: Message, receive: Receive, send: Send) -> None:
        body = Body(receive, self.max_body)
        with contextlib.suppress(GoneError):
            try:
                await self._take(scope, body, send)
            except RefusedError as error:
                self.refused()
                await _answer(send, error.status, error.words, is_last=False)
                if not _is_asking(scope["headers"]):
                    await body.drop()
                await send({"type": "http.response.body", "body": b""})

    async def _take(self, scope: Message, body: Body, send: Send) -> None:
        """Answer a post, or raise why not."""
        headers = dict(scope["headers"])
        if not is_own(scope["headers"]):
            raise RefusedError(403, "other pages may not use this server")
        is_upload = UPLOAD.fullmatch(str(scope["path"])) is not None
        try:
            kind = media_type(scope["headers"])
        except ValueError as error:
            raise RefusedError(415, str(error)) from error
        if kind != (FORM_TYPE if is_upload else JSON_TYPE):
            raise RefusedError(415, "this door takes no body of that content type")
        declared = headers.get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > self.max_body:
            raise body.too_long()
        client = self.find_client(scope)
        try:
            if is_upload:
                await asyncio.to_thread(self.uploads.check, client, int(declared))
            with self.bodies.hold(client) as held:
                content = await body.read(held)
                if is_upload:
                    await self._upload(client, headers[b"content-type"], content, send)
                else:
                    await self._call(scope, client, content, body.receive, send)
        except BusyError as error:
            raise RefusedError(503, str(error)) from error

    async def _call(
        self, scope: Message, client: str, body: bytes, receive: Receive, send: Send
    ) -> None:
        path = str(scope["path"])
        try:  # in a thread: others are served meanwhile
            name = path.removeprefix(API).rstrip("/")
            if path == TOOLS:
                body = await asyncio.to_thread(_rewrite_plain, body)
            else:
                body = await asyncio.to_thread(_rewrite, name, body, self.site)
        except ValueError as error:
            raise RefusedError(400, str(error)) from error
        headers = [one for one in scope["headers"] if one[0].lower() not in REWRITTEN]
        headers.append((b"content-type", JSON_TYPE))
        headers.append((b"content-length", str(len(body)).encode()))
        scope = {**scope, "headers": headers}
        if path == TOOLS and self.tools is not None:
            await self.tools(scope, _replay(body, receive), _with_headers(send), client)
            return
        is_direct = path.startswith(f"{API}run/")
        if is_direct or path.startswith(f"{API}queue/"):
            self.page_calls(client)
        with self.direct_calls(client, len(body)) if is_direct else nullcontext():
            await self._pass(scope, _replay(body, receive), send)

    async def _upload(self, client: str, kind: bytes, body: bytes, send: Send) -> None:
        try:
            paths = await asyncio.to_thread(self.uploads.store, client, kind, body)
        except BusyError:
            raise
        except ValueError as error:
            raise RefusedError(400, str(error)) from error
        except (OSError, MemoryError) as error:
            self.fault(error)
            await _answer(send, 507, words_for(error) or "the file could not be saved")
        else:
            await _answer(send, 200, json.dumps(paths), JSON_TYPE)

    async def _refuse(self, send: Send, status: int, words: str) -> None:
        self.refused()
        await _answer(send, status, words)


def _address_bytes(scope: Message) -> int:
    """Bytes of what a request asks for, as it was sent."""
    path = scope.get("raw_path") or str(scope["path"]).encode()
    hosts = [value for name, value in scope["headers"] if name.lower().endswith(b"host")]
    return sum(map(len, (path, scope.get("query_string", b""), *hosts)))


def _is_asking(headers: Headers) -> bool:
    """Whether the sender waits for leave to send the body, and reads an answer until then."""
    return any(name == b"expect" for name, _ in headers)


def _rewrite(path: str, body: bytes, site: SiteMap) -> bytes:
    """The body that the application gets: what was judged, and nothing else.

    Raises:
        ValueError: if the call is refused.
    """
    return write_json(read_call(path, body, site))


def _rewrite_plain(body: bytes) -> bytes:
    """As `_rewrite`, for a body that is no call of gradio."""
    return write_json(read_json(body))


def _without_odd_ranges(scope: Message) -> Message:
    """A request that asks for a whole file or for one part of it; gradio fails at all else."""

    def is_kept(name: bytes, value: bytes) -> bool:
        part = ONE_PART.fullmatch(value.strip())
        is_sound = part is not None and (part[2] == b"" or int(part[1]) <= int(part[2]))
        return is_sound or name.lower() != b"range"

    return {**scope, "headers": [one for one in scope["headers"] if is_kept(*one)]}


def _replay(body: bytes, receive: Receive) -> Receive:
    rest = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def replay() -> Message:
        return next(rest, None) or await receive()

    return replay


def _with_headers(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *HEADERS]}
        await send(message)

    return guarded


async def _answer(
    send: Send,
    status: int,
    text: str,
    kind: bytes = PLAIN_TYPE,
    *,
    is_last: bool = True,
) -> None:
    body = text.encode()
    headers = [(b"content-type", kind), *HEADERS]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": not is_last})
