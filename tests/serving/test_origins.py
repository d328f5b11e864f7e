"""Foreign pages cannot make a browser use a server of its machine."""

import json
from pathlib import Path

import pytest

from tests.clients import API, Client, served
from var_core import VARPipeline
from var_core.serving.local_engine import LocalEngine
from var_core.serving.origins import Surroundings, is_own, listens_locally

HOST = (b"host", b"127.0.0.1:7860")


@pytest.mark.parametrize(
    "headers",
    [
        [HOST],  # a program
        [HOST, (b"origin", b"http://127.0.0.1:7860")],
        [HOST, (b"Origin", b"HTTP://127.0.0.1:7860")],
        [HOST, (b"origin", b"http://127.0.0.1:7860"), (b"sec-fetch-site", b"same-origin")],
        [HOST, (b"sec-fetch-site", b"none")],
        [HOST, (b"origin", b"https://studio.org"), (b"sec-fetch-site", b"same-origin")],  # a proxy
        [HOST, (b"origin", b"https://studio.org"), (b"x-forwarded-host", b"studio.org")],
    ],
)
def test_our_page_and_programs_are_let_in(headers: list[tuple[bytes, bytes]]) -> None:
    assert is_own(headers)


@pytest.mark.parametrize(
    "headers",
    [
        [HOST, (b"origin", b"https://evil.example")],
        [HOST, (b"origin", b"null")],
        [HOST, (b"origin", b"http://127.0.0.1:8000")],
        [HOST, (b"origin", b"http://127.0.0.1:7860.evil.example")],
        [HOST, (b"origin", b"http://[")],
        [HOST, (b"ORIGIN", b"https://evil.example"), (b"origin", b"http://127.0.0.1:7860")],
        [HOST, (b"sec-fetch-site", b"cross-site")],
        [HOST, (b"sec-fetch-site", b"same-site"), (b"origin", b"http://127.0.0.1:7860")],
        [HOST, (b"Sec-Fetch-Site", b"same-origin"), (b"sec-fetch-site", b"cross-site")],
    ],
)
def test_a_foreign_page_is_not(headers: list[tuple[bytes, bytes]]) -> None:
    assert not is_own(headers)


LOCAL = Surroundings(is_local=True, has_proxy=False)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1:7860", "localhost:7860", "LOCALHOST", "studio.localhost:80", "[::1]:7860"),
        *("127.0.0.1:8080", "192.168.0.7:7860", "[fe80::1]"),  # forwarded by an ssh or a container
    ],
)
def test_a_local_server_knows_its_names_and_all_numbers(host: str) -> None:
    assert LOCAL.is_meant([(b"Host", host.encode())])


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example:7860", "127.0.0.1.evil.example", "localhost.evil.example:7860", ""),
        *("evil.example@127.0.0.1", "notlocalhost", "[::1].evil.example", "127.0.0.1:7860, a.b"),
    ],
)
def test_a_name_that_a_stranger_can_own_is_not_meant_for_it(host: str) -> None:
    assert not LOCAL.is_meant([(b"host", host.encode())])
    assert not LOCAL.is_meant([(b"host", b"127.0.0.1"), (b"host", host.encode())])
    for other in (Surroundings(is_local=True, has_proxy=True), Surroundings(False, False)):
        assert other.is_meant([(b"host", host.encode())])


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        *(("127.0.0.1", True), ("localhost", True), ("::1", True), ("[::1]", True)),
        *(("0.0.0.0", False), ("::", False), ("192.168.0.7", False), ("studio.lan", False)),
    ],
)
def test_where_a_server_listens_is_known(host: str, is_local: bool) -> None:
    assert listens_locally(host) == is_local


def test_without_a_proxy_nobody_is_believed_to_be_one() -> None:
    given = [HOST, (b"X-Forwarded-Host", b"evil.example"), (b"x-forwarded-for", b"1.2.3.4")]
    inner = (b"x-gradio-server", b"http://evil.example")
    assert Surroundings(has_proxy=False).believed([*given, inner]) == [HOST]
    assert Surroundings(has_proxy=True).believed([*given, inner]) == given


def test_a_foreign_name_reaches_a_local_server_through_a_proxy_alone(
    pipeline: VARPipeline, tmp_path: Path
) -> None:
    engine = LocalEngine(pipeline.info, lambda dtype: pipeline)
    foreign = {"host": "evil.example"}
    with served(engine, tmp_path) as url:
        client = Client(url)
        for path in ("/", "/config", "/assets/a.js", f"{API}/file=/x", f"{API}/queue/data"):
            status, words = client.ask("GET", path, **foreign)
            assert status == 421 and "--proxies 1" in words
        assert client.ask("POST", f"{API}/run/about", b'{"data": []}', **foreign)[0] == 421
        made_up = {"x-forwarded-host": "evil.example", "x-gradio-server": "http://evil.example"}
        assert json.loads(client.ask("GET", "/config", **made_up)[1])["root"] == url
        made_up["origin"] = "http://evil.example"
        assert client.ask("POST", f"{API}/run/about", b'{"data": []}', **made_up)[0] == 403
    with served(engine, tmp_path, num_proxies=1) as url:
        client = Client(url)
        _, text = client.ask("GET", "/config", **foreign)
        assert json.loads(text)["root"] == "http://evil.example"
        forwarded = {"x-forwarded-host": "studio.org", "x-forwarded-proto": "https"}
        _, text = client.ask("GET", "/config", **forwarded)
        assert json.loads(text)["root"] == "https://studio.org"
        forwarded["origin"] = "https://studio.org"
        assert client.ask("POST", f"{API}/run/about", b'{"data": []}', **forwarded)[0] == 200
