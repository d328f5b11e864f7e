"""Gradio's inner workings: who calls a handler, and which errors its callers see."""

import contextvars
import ipaddress
import re
from collections.abc import MutableMapping
from typing import Any

import fastapi
import gradio as gr
from gradio.block_function import BlockFunction
from gradio.utils import get_function_params
from starlette.datastructures import Headers

from var_core.serving.fair_queue import BusyError, LateError
from var_core.serving.machine_troubles import words_for
from var_core.serving.metrics import JobMetrics
from var_core.web.call_queue import CallQueue
from var_core.web.html import plain_html

BAD_VALUE = "A value does not fit the page. Reload the page and try again."
WITH_PORT = re.compile(r"\[([^]]*)\](?::\d*)?|([^:]*):\d*")  # as some proxies write addresses
IPV6_BITS = 64  # of an address, those that a provider gives to one customer


class ClientAddress:
    """The address of the client whose handler is running; call it to read it.

    Args:
        num_proxies: number of trusted proxies in front of the server. With proxies, the address is
            the one that the outermost of them has seen; with 0, the address of the connection.
    """

    def __init__(self, num_proxies: int = 0) -> None:
        self.num_proxies = num_proxies
        self._current = contextvars.ContextVar("client_address", default="")

    def __call__(self) -> str:
        """The address, or "" outside of a handler."""
        return self._current.get()

    def remember(self, request: object) -> None:
        """Take the address of a gradio request, for the handler that answers it."""
        self._current.set(self.find(request))

    def find_in(self, scope: MutableMapping[str, Any]) -> str:
        """The address in the ASGI scope of a request."""
        return self.find(gr.Request(fastapi.Request(scope)))

    def find(self, request: object) -> str:
        """The address in a gradio request, or "" if it has none.

        Each trusted proxy appends the address that it has seen to the header X-Forwarded-For.
        What stands before these addresses, in the same line or in others, may be made up by the
        client.
        """
        if not isinstance(request, gr.Request) or request.client is None:
            return ""
        if self.num_proxies:
            seen = ",".join(_forwarded_lines(request)).split(",")
            if len(seen) >= self.num_proxies and seen[-self.num_proxies].strip():
                return network_of(without_port(seen[-self.num_proxies].strip()))
        return network_of(str(request.client.host))


def without_port(address: str) -> str:
    """An address without its port, and without the brackets around it."""
    found = WITH_PORT.fullmatch(address)
    return address if found is None else (found[1] or found[2] or address)


def network_of(address: str) -> str:
    """An address, or the network of an IPv6 address, all of which belongs to one visitor."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:  # a proxy may write what it likes
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, IPV6_BITS), strict=False))


def _forwarded_lines(request: gr.Request) -> list[str]:
    """All lines of the header X-Forwarded-For, in their order."""
    headers = getattr(request.request, "headers", None)
    if isinstance(headers, Headers):
        return headers.getlist("x-forwarded-for")
    return [str(request.headers.get("x-forwarded-for", ""))]


def fill_defaults(function: BlockFunction, values: list[Any]) -> list[Any]:
    """The values of a call; those that it leaves out at the end take their defaults in Python.

    Only endpoints for programs have defaults: a page sends the values of all its widgets.

    Args:
        function: gradio's record of what is called.
        values: values of the call, in the order of the function's parameters.

    Raises:
        ValueError: if there are too many or too few values.
    """
    most = len(function.inputs)
    defaults: list[Any] = []
    if function.api_visibility == "public" and function.fn is not None:
        parameters = get_function_params(function.fn)[:most]
        defaults = [default for _, has_default, default, _ in parameters if has_default]
    least = most - len(defaults)
    if not least <= len(values) <= most:
        expected = f"{most}" if least == most else f"{least} to {most}"
        raise ValueError(f"This call takes {expected} values, not {len(values)}.")
    return [*values, *defaults[len(values) - least :]]


def _without_events(update: Any) -> Any:
    """An update in which every property stands once.

    A script that watches a property names it between quotes, so gradio finds an event of that name
    too, and would send the words of a Python object.
    """
    if not isinstance(update, dict) or update.get("__type__") != "update":
        return update
    twice = {*(update.get("props") or ())} - {"__type__"}
    return {name: value for name, value in update.items() if name not in twice}


class GuardedBlocks(gr.Blocks):
    """Blocks that count the values of a call, note its client, and hide internal errors.

    Args:
        metrics: counts refused calls and logs errors.
        client: receives the address of the client of each call.
        title: title of the browser's tab.
    """

    def __init__(self, metrics: JobMetrics, client: ClientAddress, title: str) -> None:
        super().__init__(analytics_enabled=False, title=title)
        self.metrics = metrics
        self.client = client

    def queue(self, *values: Any, **named: Any) -> "GuardedBlocks":
        """As in `gr.Blocks`, with bounds for each visitor and without statistics of all calls."""
        super().queue(*values, **named)
        made = self._queue
        self._queue = CallQueue(
            self._find_client,
            live_updates=made.live_updates,
            concurrency_count=made.max_thread_count,
            update_intervals=made.update_intervals,
            max_size=made.max_size,
            blocks=self,
            default_concurrency_limit=made.default_concurrency_limit,
        )
        self._queue.ANALYTICS_MAX_EVENTS = 0
        return self

    def _find_client(self, request: fastapi.Request) -> str:
        return self.client.find(gr.Request(request))

    async def preprocess_data(self, *values: Any, **named: Any) -> list[Any]:
        """As in `gr.Blocks`; a value that a component refuses becomes one sentence."""
        try:
            return await super().preprocess_data(*values, **named)
        except Exception as error:
            if words_for(error) is not None:
                raise
            self.metrics.refuse("handler")
            raise gr.Error(BAD_VALUE, print_exception=False) from error

    async def postprocess_data(self, *values: Any, **named: Any) -> list[Any]:
        """As in `gr.Blocks`, without what gradio takes for properties of HTML that are events."""
        return list(map(_without_events, await super().postprocess_data(*values, **named)))

    async def call_function(self, *values: Any, **named: Any) -> dict[str, Any]:
        """As in `gr.Blocks`; a ValueError becomes one sentence."""
        try:
            return await super().call_function(*values, **named)
        except ValueError as error:
            if not isinstance(error, BusyError | LateError):
                self.metrics.refuse("handler")
            raise gr.Error(str(error), print_exception=False) from error

    async def process_api(
        self, block_fn: BlockFunction | int, inputs: list[Any], *rest: Any, **named: Any
    ) -> dict[str, Any]:
        """As in `gr.Blocks`; every error becomes a new one, as the caller may see it.

        The old one would keep the values of the call in memory. The page shows errors as HTML.
        """
        function = self.fns[block_fn] if isinstance(block_fn, int) else block_fn
        self.client.remember(named.get("request"))
        try:
            if named.get("iterator") is None:  # later calls of a generator have no values
                inputs = self._filled(function, inputs)
            return await super().process_api(block_fn, inputs, *rest, **named)
        except gr.Error as error:
            words = str(error.message)
        except Exception as error:
            reference = self.metrics.fault(error)
            words = words_for(error) or f"Something went wrong here. Reference: {reference}"
        inputs = []
        is_program = function.api_visibility == "public"
        raise gr.Error(words if is_program else plain_html(words), print_exception=False)

    def _filled(self, function: BlockFunction, values: list[Any]) -> list[Any]:
        try:
            return fill_defaults(function, values)
        except ValueError as error:
            self.metrics.refuse("handler")
            raise gr.Error(str(error), print_exception=False) from error
