"""Foreign pages cannot make a browser use a server of its machine."""

import pytest

from var_core.serving.origins import is_own

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
