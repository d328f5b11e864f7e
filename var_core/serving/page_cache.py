"""Keeps what is the same for every visitor: rendered and compressed once, not at every request."""

import asyncio
import gzip
import hashlib
import re
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import parse_qs

from var_core.serving.asgi import App, Headers, Message, Receive, Send

SAME = re.compile(r"/|/config/?|/gradio_api/info/?|/theme\.css|/(assets|static|svelte)/.+")
PLACE = b"page.invalid"  # where a page that is kept names its server; nobody can have this name
ORIGIN = b"http://" + PLACE
HOST = re.compile(rb"([\w.-]{1,253}|\[[0-9a-f:.]{2,45}\])(:[0-9]{1,5})?", re.IGNORECASE)
MAX_ORIGINS = 16  # answers of which copies with the name of the server are kept
MAX_KEPT_BYTES = 16_000_000
PACKED_SHARE = 0.9  # of its size; what does not get smaller is sent as it is
GZIP = re.compile(rb"\s*gzip\s*(;\s*q=(?!0(\.0*)?\s*$).*)?", re.IGNORECASE)
FOR_EVER = (b"cache-control", b"public, max-age=31536000, immutable")  # names hold a hash
ASK_AGAIN = (b"cache-control", b"no-cache")
REPLACED = (b"cache-control", b"content-length", b"etag", b"accept-ranges")


class PageCache:
    """ASGI middleware that asks an application once for each page and file of the page.

    The application gets nothing of a request but the path, so what it answers can be kept for
    others. A page says which server it came from; that is put in afterwards, so that a visitor who
    makes up names makes it work no more than others.

    Args:
        app: the application.
        pages: names of the further pages of the site.
        max_bytes: size of everything that is kept.
    """

    def __init__(
        self, app: App, pages: Collection[str] = (), max_bytes: int = MAX_KEPT_BYTES
    ) -> None:
        self.app, self.pages, self.max_bytes = app, pages, max_bytes
        self._kept: OrderedDict[object, Answer] = OrderedDict()  # what was asked for last is last
        self._named: OrderedDict[object, Answer] = OrderedDict()
        self._asking: dict[object, asyncio.Task[Answer]] = {}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        path = str(scope.get("path", ""))
        is_read = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        if is_read and (path.removeprefix("/") in self.pages or SAME.fullmatch(path)):
            answer = await self._answer(self._without_visitor(scope))
            if answer.is_named:
                answer = await self._from(_origin(scope), answer)
            await answer.give(scope, send)
        else:
            await self.app(scope, receive, send)

    def _without_visitor(self, scope: Message) -> Message:
        """The request as anybody could have sent it."""
        query = b""
        if str(scope["path"]).startswith("/config"):
            asked = parse_qs(scope["query_string"].decode("latin-1")).get("page", [""])[0]
            query = f"page={asked}".encode() if asked in self.pages else b""
        plain = {**scope, "method": "GET", "scheme": "http", "query_string": query}
        plain["headers"] = [(b"host", PLACE)]
        plain.pop("extensions", None)  # by which files could be sent past this
        return plain

    async def _answer(self, scope: Message) -> "Answer":
        """What the application answers; those who ask at once wait for the same answer."""
        key = (scope["path"], scope["query_string"])
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        if key not in self._asking:
            self._asking[key] = asyncio.create_task(self._ask(scope))
            self._asking[key].add_done_callback(lambda _: self._asking.pop(key))
        answer = await asyncio.shield(self._asking[key])  # others wait for it too
        if answer.status == 200:
            self._kept[key] = answer
            while sum(len(one.body) for one in self._kept.values()) > self.max_bytes:
                self._kept.popitem(last=False)
        return answer

    async def _from(self, origin: bytes, answer: "Answer") -> "Answer":
        """The same answer, of a server that goes by an origin."""
        key = (origin, answer.tag)
        if key not in self._named:
            self._named[key] = await asyncio.to_thread(answer.with_origin, origin)
        self._named.move_to_end(key)
        found = self._named[key]
        while len(self._named) > MAX_ORIGINS:
            self._named.popitem(last=False)
        return found

    async def _ask(self, scope: Message) -> "Answer":
        status, headers, parts = 500, [], []

        async def note(message: Message) -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status, headers = message["status"], list(message.get("headers", []))
            parts.append(message.get("body", b""))

        async def wait() -> Message:
            await asyncio.Event().wait()  # there is no body, and nobody who could leave
            raise AssertionError

        await self.app(scope, wait, note)
        kept = [one for one in headers if one[0].lower() not in REPLACED]
        return await asyncio.to_thread(_packed, status, kept, b"".join(parts))


@dataclass(frozen=True)
class Answer:
    """An answer that is the same for everybody.

    Attributes:
        status: HTTP status.
        headers: headers of the application, without those that depend on how the body is sent.
        body: content, compressed if that helps.
        is_packed: whether it is.
        tag: hash of the content, for those who may have it already.
        is_named: whether it says which server it came from.
    """

    status: int
    headers: Headers
    body: bytes
    is_packed: bool
    tag: bytes
    is_named: bool

    def with_origin(self, origin: bytes) -> "Answer":
        """The same with the origin of the server where that has its place."""
        headers = [(name, value.replace(ORIGIN, origin)) for name, value in self.headers]
        body = gzip.decompress(self.body) if self.is_packed else self.body
        return _packed(self.status, headers, body.replace(ORIGIN, origin))

    async def give(self, scope: Message, send: Send) -> None:
        """Send it to a visitor, compressed to those who can read that."""
        given = [(name.lower(), value) for name, value in scope["headers"]]
        status, body, headers = self.status, self.body, list(self.headers)
        if status == 200:
            how_long = FOR_EVER if scope["path"].startswith("/assets/") else ASK_AGAIN
            headers += [(b"etag", self.tag), (b"vary", b"accept-encoding"), how_long]
        if status == 200 and any(n == b"if-none-match" and self.tag in v for n, v in given):
            status, body = 304, b""
        elif self.is_packed and _reads_gzip(given):
            headers.append((b"content-encoding", b"gzip"))
        elif self.is_packed:
            body = gzip.decompress(body)
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": body})


def _packed(status: int, headers: Headers, body: bytes) -> Answer:
    packed = gzip.compress(body, 6, mtime=0)
    is_packed = len(packed) < PACKED_SHARE * len(body)
    tag = b'W/"%s"' % hashlib.sha256(body).hexdigest()[:32].encode()
    is_named = ORIGIN in body or any(ORIGIN in value for _, value in headers)
    return Answer(status, headers, packed if is_packed else body, is_packed, tag, is_named)


def _origin(scope: Message) -> bytes:
    """What comes before the path in the address of a page, as browsers see it."""
    forwarded = _first(scope, b"x-forwarded-host")
    host = forwarded or _first(scope, b"host")
    own = b"http" if forwarded else str(scope.get("scheme", "http")).encode()
    scheme = b"https" if _first(scope, b"x-forwarded-proto") == b"https" else own
    return scheme + b"://" + (host if HOST.fullmatch(host) else PLACE).lower()


def _first(scope: Message, header: bytes) -> bytes:
    """The first value of a header; "" if there is none."""
    values = [value for name, value in scope["headers"] if name.lower() == header]
    return values[0].split(b",")[0].strip() if values else b""


def _reads_gzip(headers: Headers) -> bool:
    lines = [value for name, value in headers if name == b"accept-encoding"]
    return any(GZIP.fullmatch(one) for line in lines for one in line.split(b","))
