"""Calls of the server: from the bytes that strangers send to the few fields that gradio may see."""

import re
from collections.abc import Callable, Mapping, Sequence

from var_core.serving.json_body import read_json, write_json

MAX_EVENT_BYTES = 4_000  # a click on the page tells a place or a scale
NAME = re.compile(r"[\w.:-]{1,64}")
JSON_TYPE = b"application/json"
FORM_TYPE = b"multipart/form-data"

Headers = Sequence[tuple[bytes, bytes]]


def media_type(headers: Headers) -> bytes:
    """What kind of body a request says it has, in lower case and without parameters.

    Raises:
        ValueError: if it says nothing, or more than one thing.
    """
    kinds = [value for name, value in headers if name.lower() == b"content-type"]
    if len(kinds) != 1:
        raise ValueError("a body needs exactly one content type")
    return kinds[0].split(b";")[0].strip().lower()


def read_call(path: str, body: bytes) -> dict[str, object]:
    """The fields of a call, each of its own type and within its bounds; all others are dropped.

    Args:
        path: path of the request, below /gradio_api/.
        body: JSON.

    Raises:
        ValueError: if it is malformed, or a field is out of bounds.
    """
    content = read_json(body)
    if not isinstance(content, dict):
        raise ValueError("the body must be a JSON object")
    if path.startswith("call/v2/"):  # the names are those of the endpoint's parameters
        return content
    fields = _fields_of(path)
    found = {}
    for name, is_valid in fields.items():
        value = content.get(name)
        if value is not None:
            if not is_valid(value):
                raise ValueError(f"{name} is not what this call takes")
            found[name] = value
    if len(write_json(found.get("event_data"))) > MAX_EVENT_BYTES:
        del found["event_data"]  # of a component whose events nobody reads
    return found


def _fields_of(path: str) -> Mapping[str, Callable[[object], bool]]:
    if path.startswith("call/"):  # a program: it has no session
        return {"data": _is_list}
    if path in ("cancel", "reset"):
        return {"session_hash": _is_name, "fn_index": _is_index, "event_id": _is_name}
    return {  # the page
        "data": _is_list,
        "fn_index": _is_index,
        "session_hash": _is_name,
        "trigger_id": _is_index,
        "event_data": _is_any,
    }


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _is_index(value: object) -> bool:
    return type(value) is int and 0 <= value < 1_000_000


def _is_name(value: object) -> bool:
    return isinstance(value, str) and NAME.fullmatch(value) is not None


def _is_any(value: object) -> bool:
    return True
