"""Reads JSON bodies of strangers, and takes the addresses out of what they call their files."""

import json
import re

from var_core.counted_json import JsonLimits, read_counted

LIMITS = JsonLimits()  # a call with the tokens of a picture has some thousands of values


def read_json(body: bytes) -> object:
    """The content of a JSON body.

    Raises:
        ValueError: if it is no JSON, too deep, holds too many values, numbers that are not finite,
            or a file that is named by an address.
    """
    content = read_counted(body, LIMITS)
    _check_files(content)
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


def _check_files(content: object) -> None:
    """Take the addresses out of descriptions of files.

    Raises:
        ValueError: if a file is named by an address.
    """
    waiting = [content]
    while waiting:
        value = waiting.pop()
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
