"""Drawing as tools of the Model Context Protocol, for assistants; `--mcp` opens its door.

Every request is answered on its own, so that nothing is kept for an assistant.
"""

import contextvars
import importlib
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any

from anyio.to_thread import run_sync

from var_core.jobs.parsing import DEFAULT_SEED, MAX_COUNT
from var_core.sampling import MAX_SEED
from var_core.serving.all_endpoints import Api
from var_core.serving.engine import Engine
from var_core.serving.machine_troubles import words_for

MISSING = "--mcp needs the package mcp: pip install 'var-studio[mcp]'"
MAX_NAMES = 40  # names of one attribute that a description lists
Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]

TEXT = {"type": "string"}
WISH = {
    "prompt": {**TEXT, "description": "what to draw: phrases or names with commas between them"},
    "labels": {
        "type": "object",
        "description": "attribute names to value names, as describe tells them",
        "additionalProperties": TEXT,
    },
    "seed": {"type": "integer", "minimum": 0, "maximum": MAX_SEED, "default": DEFAULT_SEED},
    "count": {"type": "integer", "minimum": 1, "maximum": MAX_COUNT, "default": 1},
}
BASE64 = "as base64, with or without the head of a data URL"
TOOLS: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "generate": ("Draw pictures, with seeds counting up. Returns PNG pictures.", WISH, []),
    "edit": (
        "Redraw what is under a mask; elsewhere the picture stays. Returns PNG pictures.",
        {
            "picture": {**TEXT, "description": f"PNG, JPEG or WebP {BASE64}"},
            "mask": {
                **TEXT,
                "description": f"picture of the same size {BASE64}; what is light is redrawn",
            },
            **WISH,
        },
        ["picture", "mask"],
    ),
    "describe": (
        "What the model can draw: its labels, scales and limits.",
        {"search": {**TEXT, "description": "only names that hold this word"}},
        [],
    ),
}


class ToolServer:
    """An ASGI application that answers assistants.

    Args:
        engine: engine that draws.
        fault: called with every unforeseen error; returns a reference for the assistant.

    Raises:
        ValueError: if the package mcp is missing.
    """

    def __init__(self, engine: Engine, fault: Callable[[BaseException], str]) -> None:
        try:
            self._mcp = importlib.import_module("mcp")
            lowlevel = importlib.import_module("mcp.server.lowlevel")
            self._manager = importlib.import_module("mcp.server.streamable_http_manager")
        except ImportError as error:
            raise ValueError(MISSING) from error
        self._client = contextvars.ContextVar("tool_client", default="")
        self._api = Api(engine, self._client.get)
        self._fault = fault
        self._server = lowlevel.Server("VAR Studio")
        self._server.list_tools()(self._list)
        self._server.call_tool()(self._call)

    async def __call__(self, scope: Message, receive: Receive, send: Send, client: str) -> None:
        """Answer one request of an assistant at an address."""
        self._client.set(client)
        manager = self._manager.StreamableHTTPSessionManager(
            self._server, json_response=True, stateless=True
        )
        async with manager.run():
            await manager.handle_request(scope, receive, send)

    async def _list(self) -> list[Any]:
        return [
            self._mcp.types.Tool(
                name=name,
                description=words,
                inputSchema={"type": "object", "properties": fields, "required": required},
            )
            for name, (words, fields, required) in TOOLS.items()
        ]

    async def _call(self, name: str, arguments: dict[str, Any]) -> list[Any]:
        try:
            return await run_sync(lambda: [*self._answer(name, arguments)])
        except ValueError:
            raise  # its words are for people
        except Exception as error:
            words = words_for(error) or f"this server failed. Reference: {self._fault(error)}"
            raise ValueError(words) from error

    def _answer(self, name: str, arguments: dict[str, Any]) -> Iterator[Any]:
        types = self._mcp.types
        if name == "describe":
            yield types.TextContent(type="text", text=self._describe(**arguments))
            return
        if name not in TOOLS:
            raise ValueError(f"there is no tool {name!r:.40}")
        drawn: Any = None
        values = {"labels": {}, **arguments}
        for drawn in getattr(self._api, name)(**values):  # noqa: B007
            pass
        for picture in drawn["pictures"]:
            data = picture.partition(",")[2]
            yield types.ImageContent(type="image", data=data, mimeType="image/png")
        words = [
            f"seed {seed}: {', '.join([*phrases, *filter(None, labels.values())]) or 'anything'}"
            for seed, phrases, labels in zip(
                drawn["seeds"], drawn["prompts"], drawn["labels"], strict=True
            )
        ]
        yield types.TextContent(type="text", text="\n".join(words))

    def _describe(self, search: str = "") -> str:
        about = self._api.about()
        lines = [
            f"{about['model']} draws pictures of {about['pixels']} pixels in {len(about['scales'])}"
            f" scales; at most {MAX_COUNT} at once, seeds 0 to {MAX_SEED}"
        ]
        for name, values in {**about["menus"], **about["labels"]}.items():
            found = [value for value in values if search.lower() in value.lower()]
            shown = ", ".join(found[:MAX_NAMES]) or "none fits"
            more = f" and {len(found) - MAX_NAMES} more" if len(found) > MAX_NAMES else ""
            lines.append(f"{name} ({len(values)}): {shown}{more}")
        if about["phrases"]:
            lines.append(f"A prompt has at most {about['phrases']} phrases.")
        return "\n".join(lines)
