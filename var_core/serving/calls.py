"""Calls of the server: from the bytes that strangers send to the few fields that gradio may see."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from var_core.serving.asgi import Headers
from var_core.serving.json_body import read_json, write_json

MAX_EVENT_BYTES = 66_000  # a link, which as an address has at most 65,536; a click tells a place
NAME = re.compile(r"[\w.:-]{1,64}")
JSON_TYPE = b"application/json"
FORM_TYPE = b"multipart/form-data"


@dataclass(frozen=True)
class SiteMap:
    """What there is on a site.

    Attributes:
        pages: names of the further pages.
        numbers: numbers of the functions of all pages.
        endpoints: parameters of each endpoint for programs, by name: whether it has a default.
    """

    pages: Collection[str]
    numbers: Collection[int]
    endpoints: Mapping[str, Mapping[str, bool]]

    def check(self, path: str, fields: Mapping[str, object]) -> None:
        """Check that a call is one of something that there is.

        Args:
            path: path of the request, below /gradio_api/.
            fields: fields of the call, or for call/v2/ the values of its parameters.

        Raises:
            ValueError: if it is not, or names wrong parameters.
        """
        door, _, name = path.rpartition("/")
        if door == "queue" or (door == "run" and "fn_index" in fields):
            if fields.get("fn_index") not in self.numbers:
                raise ValueError("the page has no such function: reload it and try again")
        elif door in ("run", "call", "call/v2"):
            if name not in self.endpoints:
                raise ValueError(f"there is no endpoint {name[:40]!r}")
            if door == "call/v2":
                _check_parameters(name, self.endpoints[name], fields)


def _check_parameters(name: str, known: Mapping[str, bool], given: Mapping[str, object]) -> None:
    if unknown := sorted(given.keys() - known.keys()):
        raise ValueError(f"{name} takes no {unknown[0][:40]!r}")
    if missing := [one for one, can_miss in known.items() if not can_miss and one not in given]:
        raise ValueError(f"{name} needs {missing[0]}")


def media_type(headers: Headers) -> bytes:
    """What kind of body a request says it has, in lower case and without parameters.

    Raises:
        ValueError: if it says nothing, or more than one thing.
    """
    kinds = [value for name, value in headers if name.lower() == b"content-type"]
    if len(kinds) != 1:
        raise ValueError("a body needs exactly one content type")
    return kinds[0].split(b";")[0].strip().lower()


def read_call(path: str, body: bytes, site: SiteMap | None = None) -> dict[str, object]:
    """The fields of a call, each of its own type and within its bounds; all others are dropped.

    Args:
        path: path of the request, below /gradio_api/.
        body: JSON.
        site: functions that there are; None lets every name pass.

    Raises:
        ValueError: if it is malformed, a field is out of bounds, or there is nothing like that.
    """
    found = _read_fields(path, body)
    if site is not None:
        site.check(path, found)
    return found


def _read_fields(path: str, body: bytes) -> dict[str, object]:
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
    event = found.get("event_data")
    if not isinstance(event, dict) or len(write_json(event)) > MAX_EVENT_BYTES:
        found.pop("event_data", None)  # of a component whose events nobody reads
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
