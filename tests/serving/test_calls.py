"""A call is the few fields that it may have, each of its own type."""

import json

import pytest

from var_core.serving.calls import MAX_EVENT_BYTES, media_type, read_call


def call(path: str, **content: object) -> dict[str, object]:
    return read_call(path, json.dumps(content).encode())


def test_fields_that_nobody_needs_are_dropped() -> None:
    page = {"data": [1], "fn_index": 3, "session_hash": "abc", "trigger_id": 7}
    for path in ("queue/join", "run/predict"):
        found = call(path, **page, batched=True, simple_format=True, oauth_token="x", event_id="y")
        assert found == page


def test_a_program_has_no_session() -> None:
    assert call("call/generate", data=[1], session_hash="abc", fn_index=9) == {"data": [1]}


def test_large_event_data_is_dropped() -> None:
    small = {"place": 3}
    assert call("queue/join", data=[], event_data=small)["event_data"] == small
    large = call("queue/join", data=[], event_data="x" * MAX_EVENT_BYTES)
    assert "event_data" not in large


def test_a_link_may_be_as_long_as_an_address() -> None:
    link = {"query": {"seed": "1", "prompt": "x" * 65_000}}
    assert call("queue/join", data=[], event_data=link)["event_data"] == link


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("data", {}),
        ("data", "x"),
        ("fn_index", -1),
        ("fn_index", True),
        ("fn_index", 1.0),
        ("fn_index", 10**9),
        ("session_hash", 5),
        ("session_hash", ""),
        ("session_hash", "x" * 65),
        ("session_hash", "a/b"),
        ("trigger_id", "1"),
    ],
)
def test_a_field_of_another_type_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name):
        call("queue/join", **{"data": [], name: value})


def test_a_body_has_one_content_type_in_whatever_case() -> None:
    kind = (b"Content-Type", b" Application/JSON ; charset=utf-8")
    assert media_type([(b"host", b"x"), kind]) == b"application/json"
    for headers in ([], [(b"host", b"x")], [kind, (b"content-type", b"text/plain")], [kind, kind]):
        with pytest.raises(ValueError, match="exactly one"):
            media_type(headers)
