"""The actor that reads streams for pages outside the cluster; nothing here starts a Ray."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest

pytest.importorskip("ray", reason="the extra `ray` is not installed")

from var_core.serving import ray_door
from var_core.serving.ray_door import Door, DoorHandle, EndedError


class Stream:
    """Stands in for Ray's stream of three parts."""

    def __init__(self) -> None:
        self.is_cancelled = False
        self.parts = self._read()

    async def _read(self) -> AsyncIterator[list]:
        for number in range(3):
            if self.is_cancelled:  # as a stream that ends in an orderly way
                return
            yield [number]

    async def __anext__(self) -> list:
        return await anext(self.parts)

    def cancel(self) -> None:
        self.is_cancelled = True


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Door:
    handle = SimpleNamespace(remote=lambda *_: Stream())
    app = SimpleNamespace(options=lambda **_: handle)
    monkeypatch.setattr(ray_door.serve, "get_app_handle", lambda name: app)
    return Door("app")


def test_a_drawing_comes_in_parts_and_has_an_end(door: Door) -> None:
    async def read() -> list:
        ticket = await door.begin("tiny", None)
        return [await door.more(ticket) for _ in range(4)]

    assert asyncio.run(read()) == [[0], [1], [2], None]


def test_a_part_of_a_drawing_is_no_whole_one(door: Door) -> None:
    async def read() -> None:
        ticket = await door.begin("tiny", None)
        await door.more(ticket)
        await door.cancel(ticket)
        with pytest.raises(EndedError):
            await door.more(ticket)
        ticket = await door.begin("tiny", None)
        stream = door._streams[ticket]
        await door.more(ticket)
        stream.__class__ = type("Cancelled", (Stream,), {"__anext__": cancelled_while_it_waits})
        with pytest.raises(EndedError):
            await door.more(ticket)
        with pytest.raises(EndedError):
            await door.more("of an actor that was here before")

    async def cancelled_while_it_waits(stream: Stream) -> list:
        (ticket,) = door._streams
        await door.cancel(ticket)
        return await anext(stream.parts)

    asyncio.run(read())


def test_the_actor_comes_back_where_its_machine_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, object] = {}
    made = SimpleNamespace(remote=lambda app: app)
    actor = SimpleNamespace(options=lambda **how: asked.update(how) or made)
    monkeypatch.setattr(ray_door.ray, "remote", lambda kind: actor)
    DoorHandle(None, "app")
    assert asked["max_restarts"] == -1
