"""Visitors of a server, each with an own address, who speak HTTP as pages and programs do."""

import base64
import http.client
import io
import json
import re
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from PIL import Image

from tests.patience import LIMIT_SECONDS
from var_core.editing import read_mask
from var_core.images import read_image
from var_core.jobs.inside import InsideRequest
from var_core.jobs.late_request import edit_later
from var_core.jobs.parsing import count_up, read_settings
from var_core.jobs.progress import Request
from var_core.serving.engine import Engine

API = "/gradio_api"
LABELS, PHRASE = {"style": "noto"}, "an apple"
PAGE = "page, one prompt"
COUNTS = {  # drawn pictures, by kind of job
    PAGE: 1,
    "one prompt": 1,
    "open": 1,
    "four pictures": 4,
    "edit": 1,
    "tokenize": 0,
    "look inside": 0,
}
KINDS = tuple(COUNTS)
SIDE = 256  # pixels of the picture that is edited
WORDS = 70  # characters of a refusal


@cache
def small_picture() -> bytes:
    """A PNG to edit: a colour that runs from corner to corner."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    pixels = np.stack([columns, rows, 255 - columns], axis=2).astype(np.uint8)
    return _png(Image.fromarray(pixels))


@cache
def small_mask() -> bytes:
    """A PNG whose middle is to be redrawn."""
    mask = Image.new("L", (SIDE, SIDE))
    mask.paste(255, (SIDE // 4, SIDE // 4, SIDE * 3 // 4, SIDE * 3 // 4))
    return _png(mask)


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def run_alone(engine: Engine, kind: str, seed: int) -> None:
    """Do a job of a kind with an engine of this process, at its own speed."""
    if kind == "tokenize":
        engine.tokenize(lambda: read_image(small_picture()))
        return
    labels, prompt = (LABELS, PHRASE) if kind in (PAGE, "one prompt") else ({}, None)
    settings = read_settings(engine.info, labels, seed, None, prompt)
    picture = partial(read_image, small_picture())
    if kind == "look inside":
        engine.answer(InsideRequest(settings.wish, (), picture, settings.precision))
        return
    if kind == "edit":
        request: Request = edit_later(
            settings, picture, lambda _: read_mask(small_mask()), 1, "closed_loop", 1
        )
    else:
        request = count_up(settings, COUNTS[kind])
    for _ in engine.generate(request):
        pass


@dataclass(frozen=True)
class Answer:
    """How a job ended.

    Attributes:
        kind: kind of the job.
        visitor: number of the visitor.
        seconds: from the request to the result.
        refusal: what the server said in place of a result; "" if there is one.
    """

    kind: str
    visitor: int
    seconds: float
    refusal: str = ""


@dataclass(frozen=True)
class PageCall:
    """What the page sends when somebody presses Generate.

    Attributes:
        function: number of the function.
        values: values of its widgets.
        places: positions of widgets among them, by their ids.
    """

    function: int
    values: list
    places: dict[str, int]


def read_page(url: str) -> PageCall:
    """What the front page of a server sends, from its description, which begins with it."""
    connection = http.client.HTTPConnection(
        urllib.parse.urlsplit(url).netloc, timeout=LIMIT_SECONDS
    )
    connection.request("GET", "/config")
    config = json.loads(connection.getresponse().read())
    connection.close()
    ids = {one["id"]: one["props"].get("elem_id") for one in config["components"]}
    values = {one["id"]: one["props"].get("value") for one in config["components"]}
    found, *_ = [
        one
        for one in config["dependencies"]
        if [ids.get(source) for source, _ in one["targets"]] == ["generate"]
    ]
    places = {ids[source]: place for place, source in enumerate(found["inputs"]) if ids[source]}
    return PageCall(found["id"], [values[source] for source in found["inputs"]], places)


class Visitor:
    """Somebody who asks one thing after the other.

    Args:
        url: address of the server, which trusts one proxy.
        number: number of the visitor, of which the address is made.
        page: what the page of the server sends.
    """

    def __init__(self, url: str, number: int, page: PageCall) -> None:
        self.place = urllib.parse.urlsplit(url).netloc
        self.number, self.page = number, page
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        self.headers = {"content-type": "application/json", "x-forwarded-for": address}

    def ask(self, kind: str, seed: int) -> Answer:
        """Ask for a job of a kind, and wait for its result."""
        started = time.perf_counter()
        refusal = self._page(seed) if kind == PAGE else self._call(kind, seed)
        return Answer(kind, self.number, time.perf_counter() - started, refusal)

    def _call(self, kind: str, seed: int) -> str:
        """Call an endpoint for programs; returns the refusal."""
        picture = base64.b64encode(small_picture()).decode()
        name, data = "stream", [{}, seed, COUNTS[kind]]
        if kind == "tokenize":
            name, data = "tokenize", [picture]
        elif kind == "look inside":
            name, data = "look_inside", [{}, None, picture]
        elif kind == "one prompt":
            name, data = "stream", [LABELS, seed, 1, None, PHRASE]
        elif kind == "edit":
            name, data = "edit", [picture, base64.b64encode(small_mask()).decode(), {}, seed]
        status, text = self._post(f"/call/{name}", {"data": data})
        if status != 200:
            return _reason(text)
        event = json.loads(text)["event_id"]
        word = ""
        for line in self._lines(f"/call/{name}/{event}"):
            if line.startswith(b"event: "):
                word = line[7:].decode().strip()
            elif line.startswith(b"data: ") and word == "error":
                return _reason(line[6:].decode())
        return "" if word == "complete" else f"ended with {word!r}"

    def _page(self, seed: int) -> str:
        """Press Generate on a page of one's own; returns the refusal."""
        values = list(self.page.values)
        wish = json.dumps({"labels": LABELS, "phrases": [PHRASE]})
        for name, value in {"wish": wish, "seed": seed, "keep-seed": True}.items():
            values[self.page.places[name]] = value
        session = f"page{self.number}"
        body = {"data": values, "fn_index": self.page.function, "session_hash": session}
        status, text = self._post("/queue/join", body)
        if status != 200:
            return _reason(text)
        for line in self._lines(f"/queue/data?session_hash={session}"):
            if line.startswith(b"data: ") and b'"process_completed"' in line[:60]:
                said = json.loads(line[6:])
                return "" if said["success"] else _reason(json.dumps(said["output"]))
        return "the stream ended early"

    def _post(self, path: str, body: dict) -> tuple[int, str]:
        connection = http.client.HTTPConnection(self.place, timeout=LIMIT_SECONDS)
        try:
            connection.request("POST", API + path, json.dumps(body).encode(), self.headers)
            reply = connection.getresponse()
            return reply.status, reply.read().decode()
        finally:
            connection.close()

    def _lines(self, path: str) -> Iterator[bytes]:
        """The lines of a stream, until it ends."""
        connection = http.client.HTTPConnection(self.place, timeout=LIMIT_SECONDS)
        try:
            connection.request("GET", API + path, headers=self.headers)
            yield from connection.getresponse()
        finally:
            connection.close()


def _reason(text: str) -> str:
    """A refusal without its numbers, so that like ones can be counted together."""
    return re.sub(r"\d+", "N", text)[:WORDS]
