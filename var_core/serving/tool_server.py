"""Drawing as tools of the Model Context Protocol, for assistants; `--mcp` opens its door.

Every request is answered on its own, so that nothing is kept for an assistant.
"""

import asyncio
import contextvars
import importlib
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from var_core.jobs.parsing import MAX_COUNT
from var_core.sampling import MAX_SEED
from var_core.serving.all_endpoints import Api
from var_core.serving.asgi import Message, Receive, Send
from var_core.serving.bodies import GoneError, RefusedError
from var_core.serving.engine import Engine
from var_core.serving.fair_queue import BusyError, LateError, QueueLimits
from var_core.serving.machine_troubles import words_for
from var_core.serving.tools import MAX_VALUES, TOOLS, is_small

MISSING = "--mcp needs the package mcp: pip install '.[mcp]' in VAR Studio's checkout"
MAX_NAMES = 40  # names of one attribute that a description lists
SPARE_THREADS = 8  # for calls that answer at once; every job holds one more


@dataclass(frozen=True)
class Visit:
    """One request of an assistant.

    Attributes:
        client: address of the assistant.
        has_ended: set as soon as nobody waits for an answer.
    """

    client: str
    has_ended: threading.Event = field(default_factory=threading.Event)


class ToolServer:
    """An ASGI application that answers assistants.

    Args:
        engine: engine that draws.
        fault: called with every unforeseen error; returns a reference for the assistant.
        refused: called for every call that is refused, but for want of room or time.
        limits: limits of the queue of the engine.

    Raises:
        ValueError: if the package mcp is missing.
    """

    def __init__(
        self,
        engine: Engine,
        fault: Callable[[BaseException], str],
        refused: Callable[[], None] = lambda: None,
        limits: QueueLimits | None = None,
    ) -> None:
        try:
            self._types = importlib.import_module("mcp").types
            lowlevel = importlib.import_module("mcp.server.lowlevel")
            self._manager = importlib.import_module("mcp.server.streamable_http_manager")
        except ImportError as error:
            raise ValueError(MISSING) from error
        self._visit: contextvars.ContextVar[Visit] = contextvars.ContextVar("tool_visit")
        self._api = Api(engine, lambda: self._visit.get().client)
        self._fault, self._refused = fault, refused
        limits = limits or QueueLimits()
        # threads of its own: files of the page are sent from those that all others share
        self._threads = CapacityLimiter(limits.running + limits.waiting + SPARE_THREADS)
        self._server = lowlevel.Server("VAR Studio")
        self._server.list_tools()(self._list)
        # not by the library's decorator: that checks arguments while everybody waits
        self._server.request_handlers[self._types.CallToolRequest] = self._call

    async def __call__(self, scope: Message, receive: Receive, send: Send, client: str) -> None:
        """Answer one request of an assistant at an address; its first message is the whole body.

        Raises:
            RefusedError: if it holds too many values.
        """
        whole = await receive()
        body = whole.get("body", b"")
        if not await run_sync(is_small, body):
            raise RefusedError(400, f"a message to a tool has at most {MAX_VALUES} values")
        visit = Visit(client)
        self._visit.set(visit)
        gone = asyncio.create_task(_wait_for_end(receive, visit))
        unread = [whole]

        async def listen() -> Message:
            return unread.pop() if unread else await asyncio.shield(gone)

        manager = self._manager.StreamableHTTPSessionManager(
            self._server,
            json_response=True,
            stateless=True,
            max_request_body_size=len(body) + 1,  # its size was judged at the door
        )
        try:
            async with manager.run():
                try:
                    await manager.handle_request(scope, listen, send)
                finally:
                    visit.has_ended.set()
        finally:
            gone.cancel()

    async def _list(self) -> list[Any]:
        return [
            self._types.Tool(name=tool.name, description=tool.words, inputSchema=tool.schema)
            for tool in TOOLS.values()
        ]

    async def _call(self, request: Any) -> Any:
        """Answer one call of a tool, in a thread."""
        name, arguments = request.params.name, request.params.arguments or {}
        content, is_error = [], False
        try:
            content = await run_sync(
                lambda: [*self._answer(name, arguments)], limiter=self._threads
            )
        except GoneError:
            is_error = True
        except Exception as error:
            content, is_error = [self._text(self._words(error))], True
        return self._types.ServerResult(
            self._types.CallToolResult(content=content, isError=is_error)
        )

    def _words(self, error: Exception) -> str:
        """One sentence for an error, which is counted, and logged if it is none of the call."""
        if isinstance(error, ValueError):
            if not isinstance(error, BusyError | LateError):
                self._refused()
            return str(error)
        reference = self._fault(error)
        return words_for(error) or f"this server failed. Reference: {reference}"

    def _text(self, words: str) -> Any:
        return self._types.TextContent(type="text", text=words)

    def _answer(self, name: str, arguments: dict[str, Any]) -> Iterator[Any]:
        if name not in TOOLS:
            raise ValueError(f"there is no tool {name!r:.40}")
        TOOLS[name].check(arguments)
        if name == "describe":
            yield self._text(self._describe(**arguments))
            return
        drawn = self._draw(name, {"labels": {}, **arguments})
        for picture in drawn["pictures"]:
            data = picture.partition(",")[2]
            yield self._types.ImageContent(type="image", data=data, mimeType="image/png")
        words = [
            f"seed {seed}: {', '.join([*phrases, *filter(None, labels.values())]) or 'anything'}"
            for seed, phrases, labels in zip(
                drawn["seeds"], drawn["prompts"], drawn["labels"], strict=True
            )
        ]
        yield self._text("\n".join(words))

    def _draw(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The last result of an endpoint; it stops within one scale when its assistant leaves."""
        visit, drawn = self._visit.get(), {}
        with closing(getattr(self._api, name)(**arguments)) as steps:
            for drawn in steps:  # noqa: B007
                if visit.has_ended.is_set():
                    raise GoneError
        return drawn

    def _describe(self, search: str = "") -> str:
        about, word = self._api.about(), search.lower()
        lines = [
            f"{about['model']} draws pictures of {about['pixels']} pixels in {len(about['scales'])}"
            f" scales; at most {MAX_COUNT} at once, seeds 0 to {MAX_SEED}"
        ]
        for name, values in {**about["menus"], **about["labels"]}.items():
            found = [value for value in values if word in value.lower()]
            shown = ", ".join(found[:MAX_NAMES]) or "none fits"
            more = f" and {len(found) - MAX_NAMES} more" if len(found) > MAX_NAMES else ""
            lines.append(f"{name} ({len(values)}): {shown}{more}")
        if about["phrases"]:
            lines.append(f"A prompt has at most {about['phrases']} phrases.")
        return "\n".join(lines)


async def _wait_for_end(receive: Receive, visit: Visit) -> Message:
    """The message that says that the connection has ended."""
    while (message := await receive())["type"] != "http.disconnect":
        pass
    visit.has_ended.set()
    return message
