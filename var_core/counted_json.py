"""Reads JSON of strangers: counted before it is parsed, and without numbers that are not finite."""

import json
import math
import re
from dataclasses import dataclass

MAX_NUMBER_BYTES = 400
ENDLESS_NUMBER = re.compile(rb"[-+.0-9eE]{%d}" % MAX_NUMBER_BYTES)
NOT_FINITE = "numbers must be finite"


@dataclass(frozen=True)
class JsonLimits:
    """How much one text may hold.

    Attributes:
        size: bytes of the whole text.
        plain_bytes: bytes outside of strings: numbers, brackets, spaces.
        values: number of values.
        groups: number of lists and objects.
        depth: number of lists and objects around one value.
    """

    size: int = 20_000_000
    plain_bytes: int = 1_000_000
    values: int = 50_000
    groups: int = 50_000
    depth: int = 64


SMALL = JsonLimits(size=20_000, plain_bytes=20_000, values=500, groups=100, depth=4)


def read_counted(text: str | bytes, limits: JsonLimits) -> object:
    """The content of a JSON text.

    Every loop over the text is one in C, and all that takes time for each value comes after their
    number is known to be small.

    Raises:
        ValueError: if it is no JSON, larger than the limits, or holds numbers that are not finite.
    """
    body = text.encode() if isinstance(text, str) else text
    _check_structure(body, limits)
    try:
        return json.loads(body, parse_float=_finite, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError(_too_deep(limits)) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError("the text is no JSON") from error


def _check_structure(body: bytes, limits: JsonLimits) -> None:
    """Count the values and the depth of a text before it is parsed.

    Raises:
        ValueError: if there are too many, or it is not in UTF-8.
    """
    if len(body) > limits.size:
        raise ValueError(f"JSON has at most {limits.size} bytes")
    if b"\0" in body[:4] or body.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ValueError("JSON must be in UTF-8")
    plain = body.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in body else body
    if plain.count(b'"') > 4 * limits.values:  # two for a name and two for its value
        raise ValueError(_too_many(limits))
    plain = b" ".join(plain.split(b'"')[::2])  # what stands between the strings
    if len(plain) > limits.plain_bytes:
        raise ValueError(f"JSON has at most {limits.plain_bytes} bytes outside of strings")
    opened, closed = (sum(map(plain.count, marks)) for marks in ((b"[", b"{"), (b"]", b"}")))
    if plain.count(b",") + opened > limits.values:
        raise ValueError(_too_many(limits))
    if max(opened, closed) > limits.groups:
        raise ValueError(f"JSON holds at most {limits.groups} lists and objects")
    if ENDLESS_NUMBER.search(plain):
        raise ValueError(f"JSON has numbers of less than {MAX_NUMBER_BYTES} digits")
    depth = 0
    for bracket in re.findall(rb"[\[{\]}]", plain):
        depth += 1 if bracket in b"[{" else -1
        if depth > limits.depth:
            raise ValueError(_too_deep(limits))


def _too_many(limits: JsonLimits) -> str:
    return f"JSON holds at most {limits.values} values"


def _too_deep(limits: JsonLimits) -> str:
    return f"JSON is nested at most {limits.depth} deep"


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(NOT_FINITE)
    return number


def _refuse(name: str) -> float:
    raise ValueError(NOT_FINITE)
