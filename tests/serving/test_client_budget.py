"""What visitors hold at once is bounded, in all and for each address."""

import contextlib
import http.client
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients import API, Client, served
from tests.patience import until
from var_core.pipeline import VARPipeline
from var_core.serving import bodies, http_guard
from var_core.serving.client_budget import ClientBudget
from var_core.serving.fair_queue import BusyError
from var_core.serving.local_engine import LocalEngine

HALF = b'{"data": ["' + b"x" * 600_000


@pytest.fixture
def budget(monkeypatch: pytest.MonkeyPatch) -> ClientBudget:
    """The room of the server for bodies: five halves in all, two of one address."""
    made = ClientBudget("requests", 3_200_000, 1_500_000)
    monkeypatch.setattr(http_guard, "ClientBudget", lambda *_: made)
    return made


@pytest.fixture
def url(budget: ClientBudget, pipeline: VARPipeline, tmp_path: Path) -> Iterator[str]:
    engine = LocalEngine(pipeline.info, lambda dtype: pipeline)
    with served(engine, tmp_path) as address:
        yield address


@contextlib.contextmanager
def half_sent(client: Client) -> Iterator[http.client.HTTPConnection]:
    """A call of which the first half has been sent."""
    connection = client.connect()
    connection.putrequest("POST", f"{API}/call/about")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(2 * len(HALF)))
    connection.endheaders(HALF)
    try:
        yield connection
    finally:
        connection.close()


def is_refused(client: Client, size: int = 600_000) -> bool:
    """Whether a whole call finds no room."""
    body = json.dumps({"data": ["x" * size]}).encode()
    status, text = client.ask("POST", f"{API}/call/about", body)
    assert status in (200, 503) and (status == 200 or "room" in text), text
    return status == 503


def test_what_is_given_back_can_be_taken_again() -> None:
    budget = ClientBudget("cakes", total=10, share=6)
    with budget.hold("a") as first:
        first.take(4)
        with pytest.raises(BusyError, match="your cakes"), budget.hold("a") as second:
            second.take(2)
            second.take(1)
        assert budget.held() == 4
        budget.take("b", 6)
        with pytest.raises(BusyError, match="no room for more cakes"):
            budget.take("c", 1)
        budget.give_back("b", 6)
    assert budget.held() == 0


def test_bodies_that_never_end_are_bounded_for_each_address_and_in_all(
    url: str, budget: ClientBudget
) -> None:
    with contextlib.ExitStack() as held:
        for count, number in enumerate((2, 2), start=1):
            held.enter_context(half_sent(Client(url, number)))
            until(lambda count=count: budget.held() == count * len(HALF))
        assert is_refused(Client(url, 2))
        assert not is_refused(Client(url, 3))
        for count, number in enumerate((3, 3, 4), start=3):
            held.enter_context(half_sent(Client(url, number)))
            until(lambda count=count: budget.held() == count * len(HALF))
        assert is_refused(Client(url, 5))
        assert not is_refused(Client(url, 5), 10)  # small calls go on
        assert Client(url, 5).ask("GET", "/healthz") == (200, "alive")
    until(lambda: budget.held() == 0)
    assert not is_refused(Client(url, 5)) and not is_refused(Client(url, 2))


def test_a_body_that_takes_too_long_gives_its_room_back(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.05)
    with half_sent(Client(url, 2)) as connection:
        assert connection.getresponse().status == 408
