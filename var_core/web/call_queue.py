"""Gradio's queue of calls, with bounds for what it keeps of each visitor."""

import asyncio
import gc
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import fastapi
from gradio.block_function import BlockFunction
from gradio.data_classes import PredictBodyInternal
from gradio.queueing import Event, Queue
from gradio.server_messages import EventMessage, HeartbeatMessage
from gradio.utils import run_coro_in_background

from var_core.serving.fair_queue import BusyError

MAX_CALLS = 24  # of one address, waiting and running
MAX_CALL_BYTES = 64_000_000  # bodies of the calls of one address
MAX_HELD_BYTES = 256_000_000  # bodies of the calls of all addresses
LARGE_BYTES = 1_000_000  # of a body that is worth a search for garbage
UNREAD_SECONDS = 60.0  # how long a result waits for somebody to read it
MAX_UNREAD_BYTES = 256_000_000  # of all results together
ROUND_SECONDS = 5.0


class CallQueue(Queue):
    """Bounds the calls of each address, and drops what nobody fetches.

    Args:
        find_client: function that returns the address of a request.
        named: arguments of gradio's queue.
    """

    def __init__(self, find_client: Callable[[fastapi.Request], str], **named: Any) -> None:
        super().__init__(**named)
        self.find_client = find_client
        self._direct: list[tuple[str, int]] = []  # client and bytes of calls that take no queue
        self._unread: dict[str, tuple[float, int]] = {}  # since when, and how many bytes

    def start(self) -> None:
        """Start to work, and to drop results that nobody fetches."""
        super().start()
        run_coro_in_background(self._drop_unread)

    async def push(
        self, body: PredictBodyInternal, request: fastapi.Request, username: str | None
    ) -> tuple[bool, Any, Any]:
        """Take a call into the queue, unless its address has too many there already."""
        if refusal := self._refusal(self.find_client(request), _body_size(request)):
            return False, refusal, "queue_full"
        pushed = await super().push(body, request, username)
        for name in ("_body", "_json"):  # the content is in the body that is queued
            vars(request).pop(name, None)
        return pushed

    @contextmanager
    def direct(self, client: str, size: int) -> Iterator[None]:
        """Count a call that takes no queue for as long as it runs.

        Args:
            client: address of its visitor.
            size: bytes of its body.

        Raises:
            BusyError: if its address has too many calls under way already.
        """
        if refusal := self._refusal(client, size):
            raise BusyError(refusal)
        self._direct.append((client, size))
        try:
            yield
        finally:
            self._direct.remove((client, size))

    async def process_events(
        self, events: list[Event], batch: bool, begin_time: float, fn: BlockFunction
    ) -> None:
        """Answer calls; their values go at once, though the errors that they led to may stay."""
        size = sum(_body_size(event.request) for event in events)
        try:
            await super().process_events(events, batch, begin_time, fn)
        finally:
            for event in events:
                if not event.alive:  # nobody will read the answer
                    self.pending_event_ids_session.get(event.session_hash, set()).discard(event._id)
                if event.data is not None:
                    event.data.data.clear()
                    event.data.event_data = None
            if size > LARGE_BYTES:
                gc.collect(1)  # errors and their frames hold each other, and the values

    def send_message(self, event: Event, event_message: EventMessage) -> None:
        """Put a message where its reader finds it."""
        session = event.session_hash
        if event.alive and session in self.pending_messages_per_session:
            if self.pending_messages_per_session[session].empty():
                self._unread[session] = (time.monotonic(), 0)
            since, size = self._unread.get(session, (time.monotonic(), 0))
            self._unread[session] = (since, size + _size(getattr(event_message, "output", None)))
            super().send_message(event, event_message)

    def _refusal(self, client: str, size: int) -> str | None:
        """Why there is no room for a call; None if there is."""
        queued = [one.request for one in list(self.event_ids_to_events.values())]
        under_way = [(self.find_client(one), _body_size(one)) for one in queued] + self._direct
        if sum(held for _, held in under_way) + size > MAX_HELD_BYTES:
            return "the calls of others take all the room: try again in a minute"
        own = [held for other, held in under_way if other == client]
        if len(own) >= MAX_CALLS or (own and sum(own) + size > MAX_CALL_BYTES):
            return "too many of your calls are under way: wait until one has ended"
        return None

    async def _drop_unread(self) -> None:
        while not self.stopped:
            await asyncio.sleep(ROUND_SECONDS)
            await self.drop_unread()

    def forget_all(self) -> None:
        """Forget all sessions: whoever waits for an answer is told that there is none."""
        for session in {*self.pending_messages_per_session, *self.pending_event_ids_session}:
            self._forget(session)

    def _forget(self, session: str) -> None:
        self.pending_event_ids_session.pop(session, None)
        waiting = self.pending_messages_per_session.pop(session, None)
        if waiting is not None:
            waiting.put_nowait(HeartbeatMessage())  # wakes its reader, who finds nothing more

    async def drop_unread(self) -> None:
        """Drop what was read or waited too long, and the largest results if there are too many."""
        queues, expected = self.pending_messages_per_session, self.pending_event_ids_session
        for session in [one for one in {*queues, *expected} if not expected.get(one)]:
            self._forget(session)
        for session in [one for one in self._unread if one not in queues or queues[one].empty()]:
            del self._unread[session]
        now, total = time.monotonic(), sum(size for _, size in self._unread.values())
        largest = Counter({session: size for session, (_, size) in self._unread.items()})
        for session, size in largest.most_common():
            if total > MAX_UNREAD_BYTES or now - self._unread[session][0] > UNREAD_SECONDS:
                total -= size
                del self._unread[session]
                await self.clean_events(session_hash=session)
                self._forget(session)


def _body_size(request: fastapi.Request) -> int:
    return int(request.headers.get("content-length", 0))


def _size(content: object) -> int:
    """Bytes of the strings in a result, about."""
    if isinstance(content, str):
        return len(content)
    if isinstance(content, dict):
        return sum(map(_size, content.values()))
    if isinstance(content, list | tuple):
        return sum(map(_size, content))
    return 0
