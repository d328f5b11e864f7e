"""Bounds the open connections of a server, so that it never runs out of file descriptors."""

import asyncio
import os
import resource
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

MAX_CONNECTIONS = 1000
MIN_CONNECTIONS = 8
SILENT_SECONDS = 15.0  # time for the first request
ROUND_SECONDS = 0.5


def room_for_connections() -> int:
    """How many connections leave half of the free file descriptors for everything else."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = MAX_CONNECTIONS * 2 if soft == resource.RLIM_INFINITY else soft - _num_open()
    return max(MIN_CONNECTIONS, min(MAX_CONNECTIONS, free // 2))


def _num_open() -> int:
    """Number of open file descriptors; 0 where the system does not tell."""
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


@dataclass(eq=False)
class Connection:
    """An open connection.

    Attributes:
        client: address that opened it.
        since: time when it was opened.
        protocol: answers its requests.
        transport: carries its bytes; None until the protocol has it.
    """

    client: str
    since: float
    protocol: asyncio.Protocol
    transport: asyncio.BaseTransport | None = None

    def is_closed(self) -> bool:
        """Whether it has ended."""
        return self.transport is not None and self.transport.is_closing()

    def is_silent(self) -> bool:
        """Whether no request has come for too long; such a connection is of no use to anybody."""
        is_old = time.monotonic() - self.since > SILENT_SECONDS
        return is_old and getattr(self.protocol, "cycle", self) is None


class ConnectionLimit:
    """Accepts connections in place of the event loop, as many as there may be.

    Those above the limit wait in the system's backlog until others end. An address gets at most
    its share, and what has brought no request for some seconds is closed.

    Args:
        listeners: listening sockets.
        make_protocol: function that returns what answers the requests of a connection.
        most: number of open connections.
        share: number of open connections of one address.
    """

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        make_protocol: Callable[[], asyncio.Protocol],
        most: int,
        share: int,
    ) -> None:
        self.most, self.share = most, share
        self._listeners = listeners
        self._make_protocol = make_protocol
        self._open: set[Connection] = set()
        self._tasks: set[asyncio.Task] = set()

    def start(self) -> None:
        """Begin to accept; to be called in the event loop."""
        self._loop = asyncio.get_running_loop()
        self._round()

    def _prune(self) -> None:
        self._open -= {one for one in self._open if one.is_closed()}

    def _round(self) -> None:
        self._prune()
        for one in self._open:
            if one.is_silent() and isinstance(one.transport, asyncio.Transport):
                one.transport.abort()
        for listener in self._listeners:
            if listener.fileno() < 0:  # the server has ended
                return
            self._loop.remove_reader(listener)
            if len(self._open) < self.most:
                self._loop.add_reader(listener, self._accept, listener)
        self._loop.call_later(ROUND_SECONDS, self._round)

    def _accept(self, listener: socket.socket) -> None:
        while len(self._open) < self.most:
            try:
                accepted, address = listener.accept()
            except OSError as error:
                if not isinstance(error, BlockingIOError | InterruptedError):
                    self._loop.remove_reader(listener)  # until the next round
                return
            accepted.setblocking(False)
            client = str(address[0]) if isinstance(address, tuple) else ""
            self._prune()  # else who asks often would be shut out by what has ended
            if sum(one.client == client for one in self._open) >= self.share:
                accepted.close()
                continue
            connection = Connection(client, time.monotonic(), self._make_protocol())
            self._open.add(connection)
            task = self._loop.create_task(self._serve(connection, accepted))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._loop.remove_reader(listener)

    async def _serve(self, connection: Connection, accepted: socket.socket) -> None:
        try:
            connection.transport, _ = await self._loop.connect_accepted_socket(
                lambda: connection.protocol, accepted
            )
        except OSError:  # it went at once
            accepted.close()
            self._open.discard(connection)
