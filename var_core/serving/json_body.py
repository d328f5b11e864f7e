"""Reads JSON of strangers: counted before it is parsed, checked before anybody uses it."""

import json
import math
import re

MAX_VALUES = 50_000  # values in one body; a call with the tokens of a picture has some thousands
MAX_DEPTH = 64
MAX_PLAIN_BYTES = 1_000_000  # what stands outside of strings: numbers, brackets, spaces
MAX_NUMBER_BYTES = 400
ENDLESS_NUMBER = re.compile(rb"[-+.0-9eE]{%d}" % MAX_NUMBER_BYTES)

TOO_DEEP = f"JSON is nested at most {MAX_DEPTH} deep"
TOO_MANY = f"JSON holds at most {MAX_VALUES} values"


def read_json(body: bytes) -> object:
    """The content of a JSON body.

    Every loop over the body is one in C, and all that takes time for each value comes after their
    number is known to be small.

    Raises:
        ValueError: if it is no JSON, too deep, holds too many values, numbers that are not finite,
            or a file that is named by an address.
    """
    _check_structure(body)
    try:
        content = json.loads(body)
    except RecursionError as error:
        raise ValueError(TOO_DEEP) from error
    except ValueError as error:
        raise ValueError("the body is no JSON") from error
    _check_values(content)
    return content


def write_json(content: object) -> bytes:
    """JSON as UTF-8; the same content always has the same bytes.

    Raises:
        ValueError: if a string cannot be encoded, such as half of a surrogate pair.
    """
    try:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError as error:
        raise ValueError("a text holds half of a character") from error


def _check_structure(body: bytes) -> None:
    """Count the values and the depth of a body before it is parsed.

    Raises:
        ValueError: if there are too many, or it is not in UTF-8.
    """
    if b"\0" in body[:4] or body.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ValueError("JSON must be in UTF-8")
    plain = body.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in body else body
    if plain.count(b'"') > 4 * MAX_VALUES:  # two for a name and two for its value
        raise ValueError(TOO_MANY)
    plain = b" ".join(plain.split(b'"')[::2])  # what stands between the strings
    if len(plain) > MAX_PLAIN_BYTES:
        raise ValueError(f"JSON has at most {MAX_PLAIN_BYTES} bytes outside of strings")
    if sum(plain.count(mark) for mark in (b",", b"[", b"{")) > MAX_VALUES:
        raise ValueError(TOO_MANY)
    if ENDLESS_NUMBER.search(plain):
        raise ValueError(f"a number has less than {MAX_NUMBER_BYTES} digits")
    depth = 0
    for bracket in re.findall(rb"[\[{\]}]", plain):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            raise ValueError(TOO_DEEP)


def _check_values(content: object) -> None:
    """Check every value, and take the addresses out of descriptions of files.

    Raises:
        ValueError: if a number is not finite, or a file is named by an address.
    """
    waiting = [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError("numbers must be finite")
        if isinstance(value, dict):
            if _is_address(value.get("path")):
                raise ValueError("files are named by what was uploaded here, not by addresses")
            if "path" in value or "meta" in value:
                value.pop("url", None)  # gradio would decode a data URL, in place of the file
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _is_address(path: object) -> bool:
    pattern = r"\s*([a-z][a-z0-9+.-]+:|[/\\]{2})"
    return isinstance(path, str) and re.match(pattern, path, re.IGNORECASE) is not None
