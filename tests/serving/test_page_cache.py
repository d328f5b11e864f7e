"""What is the same for everybody is rendered once, and sent compressed."""

import asyncio
import gzip
import json

import pytest

from tests.clients import Client
from var_core.serving.asgi import Message, Receive, Send
from var_core.serving.page_cache import MAX_ORIGINS, ORIGIN, PLACE, PageCache

PAGE = b"<p>hello</p>" * 1_000


class Counting:
    """An application that notes what it was asked, and answers with the same page."""

    def __init__(self) -> None:
        self.asked: list[Message] = []
        self.status, self.page = 200, PAGE
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        self.asked.append(scope)
        await self.go.wait()
        headers = [(b"content-type", b"text/html"), (b"content-length", b"12000")]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.page[:5_000], "more_body": True})
        await send({"type": "http.response.body", "body": self.page[5_000:]})


async def ask(
    cache: PageCache, path: str = "/", query: bytes = b"", method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer."""
    given = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "query_string": query}
    said: list[Message] = []

    async def send(message: Message) -> None:
        said.append(message)

    async def receive() -> Message:
        raise AssertionError("nobody asked for a body")

    await cache({**scope, "headers": [(b"host", b"a.org"), *given]}, receive, send)
    head = {name.decode(): value.decode() for name, value in said[0]["headers"]}
    return said[0]["status"], head, b"".join(one.get("body", b"") for one in said[1:])


def test_a_page_is_asked_for_once_and_packed_for_those_who_can_read_that() -> None:
    async def scenario() -> None:
        app = Counting()
        cache = PageCache(app, pages=["second"])
        status, head, body = await ask(cache, accept_encoding="br, gzip;q=0.5")
        assert status == 200 and head["content-encoding"] == "gzip" and head["etag"]
        assert gzip.decompress(body) == PAGE and int(head["content-length"]) == len(body) < 1_000
        for encoding in ("", "br", "gzip;q=0", "identity"):
            _, plain, body = await ask(cache, accept_encoding=encoding)
            assert "content-encoding" not in plain and body == PAGE
        status, _, body = await ask(cache, if_none_match=head["etag"])
        assert (status, body) == (304, b"")
        _, seen, body = await ask(cache, method="HEAD")
        assert (seen["content-length"], body) == ("12000", b"")
        assert len(app.asked) == 1
        await ask(cache, "/second")
        assert len(app.asked) == 2

    asyncio.run(scenario())


def test_nothing_of_a_visitor_reaches_what_others_get() -> None:
    async def scenario() -> None:
        app = Counting()
        cache = PageCache(app)
        await ask(cache, query=b"page=nothing&deep_link=x", cookie="mine", range="bytes=0-1")
        await ask(cache, query=b"seed=7", cookie="yours")
        (asked,) = app.asked
        assert asked["headers"] == [(b"host", PLACE)] and asked["query_string"] == b""

    asyncio.run(scenario())


def test_a_page_names_the_server_that_its_visitor_asked() -> None:
    async def scenario() -> None:
        app = Counting()
        app.page = b"<p>" * 5_000 + ORIGIN + b"/config"
        cache = PageCache(app)
        for named, origin in (
            ({}, b"http://a.org"),
            ({"x_forwarded_host": "B.org:80, c.org"}, b"http://b.org:80"),
            (
                {"x_forwarded_host": "[::1]:7860", "x_forwarded_proto": "https"},
                b"https://[::1]:7860",
            ),
            ({"x_forwarded_proto": "https"}, b"https://a.org"),
            ({"x_forwarded_host": '"><script>'}, ORIGIN),
        ):
            _, head, body = await ask(cache, **named)
            assert body == app.page.replace(ORIGIN, origin)
            assert (await ask(cache, **named, if_none_match=head["etag"]))[0] == 304
        assert len(app.asked) == 1

    asyncio.run(scenario())


def test_names_that_a_visitor_makes_up_neither_ask_again_nor_fill_the_memory() -> None:
    async def scenario() -> None:
        app = Counting()
        app.page = ORIGIN
        cache = PageCache(app)
        for number in range(100):
            host = f"x{number}.localhost"
            _, _, body = await ask(cache, x_forwarded_host=host)
            assert body == b"http://" + host.encode()
        assert len(app.asked) == 1 and len(cache._kept) == 1
        assert len(cache._named) == MAX_ORIGINS

    asyncio.run(scenario())


def test_those_who_ask_at_once_wait_for_one_answer() -> None:
    async def scenario() -> None:
        app = Counting()
        app.go.clear()
        cache = PageCache(app)
        waiting = [asyncio.create_task(ask(cache)) for _ in range(5)]
        while not app.asked:
            await asyncio.sleep(0)
        waiting[0].cancel()  # the first one gives up
        app.go.set()
        answers = await asyncio.gather(*waiting[1:])
        assert len(app.asked) == 1 and all(body == PAGE for _, _, body in answers)

    asyncio.run(scenario())


def test_what_failed_is_not_kept_and_what_is_kept_is_bounded() -> None:
    async def scenario() -> None:
        app = Counting()
        cache = PageCache(app, max_bytes=300)
        app.status = 404
        for _ in range(2):
            status, head, _ = await ask(cache, "/assets/a.js")
            assert status == 404 and "etag" not in head
        assert len(app.asked) == 2
        app.status = 200
        for number in range(20):
            await ask(cache, f"/assets/{number}.js")
        assert 1 <= len(cache._kept) < 10
        assert sum(len(one.body) for one in cache._kept.values()) <= 300

    asyncio.run(scenario())


def test_what_is_no_page_is_passed_on_as_it_is() -> None:
    async def scenario() -> None:
        app = Counting()
        cache = PageCache(app)
        for _ in range(2):
            _, _, body = await ask(cache, "/gradio_api/file=/tmp/a.png", cookie="mine")
            assert body == PAGE and (b"cookie", b"mine") in app.asked[-1]["headers"]
        await ask(cache, "/", method="POST")
        assert len(app.asked) == 3

    asyncio.run(scenario())


@pytest.mark.parametrize("path", ["/", "/config", "/gradio_api/info"])
def test_the_page_is_small_on_its_way(url: str, path: str) -> None:
    _, text = Client(url).ask("GET", path)
    connection = Client(url).connect()
    connection.request("GET", path, headers={"accept-encoding": "gzip, br"})
    reply = connection.getresponse()
    body = reply.read()
    connection.close()
    assert reply.getheader("content-encoding") == "gzip" and len(body) < len(text) / 3
    assert gzip.decompress(body).decode() == text
    if path == "/config":
        assert json.loads(text)["root"] == url
    assert PLACE.decode() not in text
    assert Client(url).ask("GET", f"{path}?page=nothing&deep_link=..%2f..") == (200, text)
