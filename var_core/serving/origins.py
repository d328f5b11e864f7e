"""Tells requests of our own page from those that a foreign page makes a browser send."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from var_core.serving.asgi import Headers

OWN_SITES = (b"same-origin", b"none")  # "none": the person opened the address
FORWARDED = b"x-forwarded-"  # with these a proxy says what it was asked for, and by whom
INNER = b"x-gradio-server"  # gradio would take its addresses from this
HOST = re.compile(r"(\[[^]]*\]|[^]:[]*)(:\d*)?")
NOT_MEANT = (
    "this server is for its own machine and has no such name: open http://127.0.0.1, "
    "or start it with --proxies 1 if a proxy is in front"
)


@dataclass(frozen=True)
class Surroundings:
    """Where a server stands.

    Attributes:
        is_local: whether it listens to its own machine alone.
        has_proxy: whether a trusted proxy is in front.
    """

    is_local: bool = False
    has_proxy: bool = True

    def believed(self, headers: Headers) -> Headers:
        """The headers without those that only a proxy may write, where there is none."""
        left_out = (INNER,) if self.has_proxy else (INNER, FORWARDED)
        return [one for one in headers if not one[0].lower().startswith(left_out)]

    def is_meant(self, headers: Headers) -> bool:
        """Whether a request names this server.

        A foreign page can let its own name point to this machine, and is then of the same origin.
        A name that no stranger can own gives it away; numbers cannot be made to point elsewhere.
        """
        if self.has_proxy or not self.is_local:
            return True
        return all(_is_local(value) for name, value in headers if name.lower() == b"host")


def listens_locally(host: str) -> bool:
    """Whether a server on an address or name is seen by its own machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return _is_named_here(host)


def _is_local(host: bytes) -> bool:
    found = HOST.fullmatch(host.decode("latin-1").strip().lower())
    if found is None:
        return False
    try:
        ipaddress.ip_address(found[1].strip("[]"))
    except ValueError:
        return _is_named_here(found[1])
    return True


def _is_named_here(name: str) -> bool:
    return name == "localhost" or name.endswith(".localhost")


def is_own(headers: Headers) -> bool:
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
