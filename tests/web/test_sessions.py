"""What the server keeps of visitors, and whose place is whose."""

import json
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest

from tests.clients import API, Client, num_alive, serving
from tests.gated_engine import GatedEngine
from tests.patience import until
from tests.web.test_hostile_calls import default_values, press
from var_core import VARPipeline
from var_core.serving.local_engine import LocalEngine
from var_core.web import call_queue
from var_core.web.blocks import network_of
from var_core.web.call_queue import MAX_CALLS, CallQueue
from var_core.web.server import MAX_SESSIONS
from var_core.web.sessions import Sessions


@pytest.fixture
def served(
    engine: LocalEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, gr.Blocks]]:
    monkeypatch.setattr(call_queue, "ROUND_SECONDS", 0.01)
    with serving(engine, tmp_path) as found:
        yield found


def tiny_sessions(capacity: int) -> Sessions:
    with gr.Blocks() as blocks:
        gr.State(0)
    return Sessions(blocks, capacity)


def test_an_address_with_many_pages_loses_its_own_and_nobody_else_does() -> None:
    sessions = tiny_sessions(4)
    for client, names in {"a": "a1 a2", "b": "b1 b2 b3 b4 b5 b6"}.items():
        sessions.announce(client)
        for name in names.split():
            assert sessions[name] is sessions[name]
    assert list(sessions.session_data) == ["a1", "a2", "b5", "b6"]
    sessions.announce("c")
    assert sessions["c1"] is sessions["c1"] and "a1" not in sessions


def test_calls_that_no_page_makes_keep_nothing() -> None:
    sessions = tiny_sessions(4)
    assert sessions["x"] is not sessions["x"] and "x" not in sessions


def test_programs_do_not_drive_the_pages_of_visitors_out(served: tuple[str, gr.Blocks]) -> None:
    url, blocks = served
    visitor, program = Client(url, 2), Client(url, 3)
    assert press(visitor, "generate", "click", default_values(visitor))[-1]["success"]
    pages = blocks.state_holder.session_data
    before = dict(pages)
    assert list(before) == ["s1"] and before["s1"].state_data
    for _ in range(MAX_SESSIONS // 50):
        assert program.draw(1)
        assert program.ask("POST", f"{API}/run/about", b'{"data": []}')[0] == 200
    assert dict(pages) == before
    body = {"data": [], "fn_index": 0}
    for number in range(MAX_SESSIONS + 20):
        text = json.dumps({**body, "session_hash": f"flood{number}"}).encode()
        program.ask("POST", f"{API}/run/predict", text)
    assert pages["s1"] is before["s1"] and len(pages) == MAX_SESSIONS


def test_results_that_nobody_fetches_are_dropped(
    served: tuple[str, gr.Blocks], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, blocks = served
    queue, client = blocks._queue, Client(url)
    assert isinstance(queue, CallQueue)
    for number in range(8):
        client.call("generate", {}, number)
        until(lambda: not queue.event_ids_to_events)
    assert len(queue.pending_messages_per_session) == 8
    monkeypatch.setattr(call_queue, "UNREAD_SECONDS", 0.0)
    until(lambda: not queue.pending_messages_per_session and not queue._unread)
    assert not queue.pending_event_ids_session


def test_the_largest_results_go_where_there_are_too_many(
    served: tuple[str, gr.Blocks], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, blocks = served
    queue, client = blocks._queue, Client(url)
    large = client.call("generate", {}, 1, 8)
    until(lambda: not queue.event_ids_to_events)
    small = client.call("generate", {"emoji": "nobody"}, 1)
    until(lambda: not queue.event_ids_to_events)
    monkeypatch.setattr(call_queue, "MAX_UNREAD_BYTES", 1_000)
    until(lambda: large not in queue.pending_messages_per_session)
    assert small in queue.pending_messages_per_session


def test_a_result_that_was_read_is_not_waited_for_again(
    served: tuple[str, gr.Blocks],
) -> None:
    url, blocks = served
    queue, client = blocks._queue, Client(url)
    event = client.call("generate", {}, 1)
    assert [kind for kind, _ in client.events("generate", event)][-1] == "complete"
    assert [kind for kind, _ in client.events("generate", event)] == ["error"]
    press(client, "generate", "click", default_values(client))
    status, text = client.ask("GET", f"{API}/queue/data?session_hash=s1")
    assert status == 200 and "unexpected_error" in text
    until(lambda: not queue.pending_messages_per_session and not queue.pending_event_ids_session)
    assert blocks.metrics.registry.get_sample_value(
        "var_studio_refused_total", {"where": "fault"}
    ) in (None, 0)


def test_nothing_is_kept_of_a_call_whose_caller_left(
    pipeline: VARPipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_queue, "ROUND_SECONDS", 0.01)
    engine = GatedEngine(pipeline)
    with serving(engine, tmp_path) as (url, blocks):
        client, queue = Client(url), blocks._queue
        with engine.gate.closed():
            engine.gate.let(1)
            stream = client.events("stream", client.call("stream", {}, 1))
            assert next(stream)
            stream.close()
            until(lambda: not num_alive(blocks))
        until(lambda: not queue.event_ids_to_events)
        until(lambda: not queue.pending_messages_per_session)
        until(lambda: not queue.pending_event_ids_session)


def test_one_address_has_few_calls_under_way(
    served: tuple[str, gr.Blocks], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, blocks = served
    busy, other, body = Client(url, 2), Client(url, 3), json.dumps({"data": [{}]}).encode()
    monkeypatch.setattr(blocks._queue, "get_events", lambda: None)  # nothing is answered
    asked = [busy.ask("POST", f"{API}/call/generate", body) for _ in range(MAX_CALLS + 2)]
    assert [status for status, _ in asked] == [200] * MAX_CALLS + [503] * 2
    assert "wait until one has ended" in asked[-1][1]
    assert other.ask("POST", f"{API}/call/generate", body)[0] == 200


def test_the_bodies_of_all_waiting_calls_are_bounded_together(
    served: tuple[str, gr.Blocks], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, blocks = served
    body = json.dumps({"data": ["x" * 100_000]}).encode()
    monkeypatch.setattr(blocks._queue, "get_events", lambda: None)  # nothing is answered
    monkeypatch.setattr(call_queue, "MAX_HELD_BYTES", 350_000)
    clients = [Client(url, 2 + number) for number in range(5)]
    asked = [client.ask("POST", f"{API}/call/tokenize", body) for client in clients]
    assert [status for status, _ in asked] == [200] * 3 + [503] * 2
    assert "all the room" in asked[-1][1]
    assert clients[-1].ask("POST", f"{API}/call/tokenize", b'{"data": [""]}')[0] == 200


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("testclient", "testclient"),
    ],
)
def test_all_addresses_of_one_customer_count_as_one(address: str, network: str) -> None:
    assert network_of(address) == network
