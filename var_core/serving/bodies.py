"""Reads the bodies of requests: bounded, and to their end also where they are refused."""

import asyncio
import contextlib

from var_core.serving.asgi import Receive
from var_core.serving.client_budget import Held

DROP_SECONDS = 30.0  # for the rest of a body that was refused
BODY_SECONDS = 300.0  # in which a body must come; a slow line needs a minute for a photo
MAX_DROPPED_BYTES = 64_000_000  # read of a body that is refused; what is longer is cut off


class RefusedError(Exception):
    """A request is refused.

    Attributes:
        status: HTTP status.
        words: one sentence for the visitor.
    """

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status, self.words = status, words


class GoneError(Exception):
    """The sender of a request has gone."""


class Body:
    """The body of one request.

    Args:
        receive: ASGI's function for the next message.
        most: size of the largest body in bytes.
    """

    def __init__(self, receive: Receive, most: int) -> None:
        self.receive, self.most = receive, most
        self._is_whole = False

    async def read(self, held: Held) -> bytes:
        """The whole body.

        Args:
            held: counts its bytes as they come.

        Raises:
            BusyError: if there is no room for more bodies.
            RefusedError: if it is too long, or takes too long to come.
            GoneError: if its sender has gone.
        """
        parts: list[bytes] = []
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while not self._is_whole:
                    parts.append(await self._part())
                    held.take(len(parts[-1]))
                    if held.size > self.most:
                        raise self.too_long()
        except TimeoutError as error:
            self._is_whole = True  # nobody waits for the rest
            raise RefusedError(408, "the request took too long to come") from error
        return b"".join(parts)

    def too_long(self) -> RefusedError:
        """The refusal of a body that is too long."""
        return RefusedError(413, f"a request has at most {self.most} bytes")

    async def drop(self) -> None:
        """Read what is left and forget it: if the line broke now, the answer would be lost.

        Raises:
            GoneError: if the sender has gone.
        """
        left = MAX_DROPPED_BYTES
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DROP_SECONDS):
                while not self._is_whole and left > 0:
                    left -= len(await self._part())

    async def _part(self) -> bytes:
        message = await self.receive()
        if message["type"] != "http.request":
            raise GoneError
        self._is_whole = not message.get("more_body")
        return message.get("body", b"")
