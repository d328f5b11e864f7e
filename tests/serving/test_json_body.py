"""JSON of strangers is counted before it is parsed."""

import json

import pytest

from var_core import counted_json
from var_core.serving.json_body import LIMITS, read_json, write_json

MANY = (
    b'{"data":[' + b"[]," * 4_500_000 + b"1]}",
    b'{"data":[' + b"1," * 6_000_000 + b"1]}",
    b'{"data":[' + b'"",' * 4_000_000 + b"1]}",
    b'{"data":' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}",
    b'{"data":[{"a":' * 400_000 + b"1" + b"}]}" * 400_000,
    b"[" + b"]" * 900_000,
    b'{"data":[' + b'"\\\\",' * 2_000_000 + b"1]}",
    b"[" + b"1" * 13_000_000 + b"]",
    b"[0." + b"1" * 1_000 + b"]",
    b"[" + b" " * 2 * LIMITS.plain_bytes + b"]",
    "[1]".encode("utf-16"),
    "[1]".encode("utf-32-le"),
)


@pytest.mark.parametrize("body", MANY, ids=range(len(MANY)))
def test_what_would_take_long_is_refused_before_it_is_parsed(
    body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counted_json.json, "loads", lambda *_, **__: pytest.fail("it was parsed"))
    with pytest.raises(ValueError, match=r"^JSON"):
        read_json(body)


def test_marks_inside_of_strings_do_not_count() -> None:
    content = {"data": ["[{," * LIMITS.values, 'a "quote" and \\', "\\\\", "a,b\\" * 99, 1.5, None]}
    assert read_json(json.dumps(content).encode()) == content
    assert read_json(write_json(content)) == content


def test_the_bounds_are_just_met() -> None:
    assert read_json(b"[" + b"1," * (LIMITS.values - 2) + b"1]") == [1] * (LIMITS.values - 1)
    deep = b"[" * LIMITS.depth + b"]" * LIMITS.depth
    assert read_json(deep)
    with pytest.raises(ValueError, match="deep"):
        read_json(b"[" + deep + b"]")


@pytest.mark.parametrize("body", [b"[NaN]", b"[1e999]", b'{"a": [-Infinity]}', b"{", b"\xff", b""])
def test_what_is_no_finite_json_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"no JSON|finite"):
        read_json(body)


def test_half_a_surrogate_pair_is_not_passed_on() -> None:
    with pytest.raises(ValueError, match="half of a character"):
        write_json(read_json(b'["\\ud800"]'))


def test_addresses_are_taken_out_of_descriptions_of_files() -> None:
    file = {"path": "/tmp/a.png", "url": "data:image/png;base64,AAAA", "meta": {}}
    assert read_json(json.dumps([file]).encode()) == [{"path": "/tmp/a.png", "meta": {}}]
