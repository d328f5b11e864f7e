"""Tells requests of our own page from those that a foreign page makes a browser send."""

from collections.abc import Sequence
from urllib.parse import urlsplit

OWN_SITES = (b"same-origin", b"none")  # "none": the person opened the address


def is_own(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether a request comes from our own page, or from a program that is no browser.

    A browser says where the page of a request comes from, and pages cannot change what it says:
    `Sec-Fetch-Site` on secure and local addresses, `Origin` everywhere. A proxy may give the
    server another name than the browser sees, so the first one decides where it is there.

    Args:
        headers: names in any case, and values.
    """
    named: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        named.setdefault(name.lower(), []).append(value.strip().lower())
    if sites := named.get(b"sec-fetch-site"):
        return all(site in OWN_SITES for site in sites)
    hosts = {*named.get(b"host", []), *named.get(b"x-forwarded-host", [])}
    return all(_host(origin) in hosts for origin in named.get(b"origin", []))


def _host(origin: bytes) -> bytes:
    """Host and port of an origin; "" of one that has none, such as "null"."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return b""
