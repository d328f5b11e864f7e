"""Drawings for a page outside the cluster, at an address `ray://`: Ray's client knows no streams.

An actor in the cluster reads the streams, and the page fetches what the actor has read.
"""

import secrets
from collections.abc import Iterator
from typing import Any

import ray
from ray import serve
from ray.serve.handle import DeploymentHandle

from var_core.jobs.progress import Request
from var_core.serving.progress_parts import Part

Parts = list[Part | Exception]
MOST_AT_ONCE = 1000  # calls of the page


class EndedError(Exception):
    """A drawing was cancelled, or was begun before the actor came back."""


class Door:
    """The actor.

    Args:
        app: name of the application of the replicas.
    """

    def __init__(self, app: str) -> None:
        self._draw = serve.get_app_handle(app).options(method_name="draw", stream=True)
        self._streams: dict[str, Any] = {}  # Ray's, by their tickets

    async def begin(self, model: str, request: Request) -> str:
        """Begin a drawing; its ticket."""
        ticket = secrets.token_hex(8)
        self._streams[ticket] = self._draw.remote(model, request)
        return ticket

    async def more(self, ticket: str) -> Parts | None:
        """What comes next; None at the end.

        Raises:
            EndedError: if it ended before its end.
        """
        stream = self._streams.get(ticket)
        if stream is None:
            raise EndedError(ticket)
        try:
            return await anext(stream)
        except StopAsyncIteration:
            if self._streams.pop(ticket, None) is None:  # cancelled meanwhile
                raise EndedError(ticket) from None
            return None
        except BaseException:
            self._streams.pop(ticket, None)
            raise

    async def cancel(self, ticket: str) -> None:
        """End a drawing; one that has ended stays so."""
        stream = self._streams.pop(ticket, None)
        if stream is not None:
            stream.cancel()


class DoorHandle:
    """As Ray's handle, for a page outside the cluster.

    The actor comes back where its machine ends. Calls are not repeated by Ray: what was being drawn
    is begun again by the engine.

    Args:
        handle: handle of the replicas, which has no streams here.
        app: name of the application of the replicas.
    """

    def __init__(self, handle: DeploymentHandle, app: str) -> None:
        self._handle = handle
        actor: Any = ray.remote(Door)
        how = {"num_cpus": 0, "max_concurrency": MOST_AT_ONCE, "max_restarts": -1}
        self._door = actor.options(**how).remote(app)

    def options(self, method_name: str, stream: bool = False) -> Any:
        """What calls a method."""
        return self if stream else self._handle.options(method_name=method_name)

    def remote(self, model: str, request: Request) -> "DoorSteps":
        """Begin a drawing.

        Raises:
            RayError: if the actor cannot be reached.
        """
        return DoorSteps(self._door, model, request)


class DoorSteps:
    """A drawing behind the door.

    Args:
        door: the actor.
        model: name of the model.
        request: what to draw.
    """

    def __init__(self, door: Any, model: str, request: Request) -> None:
        self._door = door
        self._ticket = ray.get(door.begin.remote(model, request))

    def __iter__(self) -> Iterator[Parts]:
        while (parts := ray.get(self._door.more.remote(self._ticket))) is not None:
            yield parts

    def cancel(self) -> None:
        """End it."""
        self._door.cancel.remote(self._ticket)
