"""The command line of the page."""

import pytest

from var_core.official.catalogue import EMBEDDED_FOLDER
from var_core.serving.fair_queue import MAX_WAITING, QueueLimits
from var_core.web.arguments import parse_arguments


def test_without_words_the_defaults_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PRECISION", "QUEUE", "PER_CLIENT", "PROXIES", "SHARPEN_SECONDS", "METRICS_PORT"):
        monkeypatch.delenv(f"VAR_STUDIO_{name}", raising=False)
    monkeypatch.delenv("SPACE_ID", raising=False)
    found = parse_arguments([])
    assert (found.model, found.limits, found.num_proxies) == (EMBEDDED_FOLDER, QueueLimits(), 0)
    assert (found.host, found.port, found.metrics_port) == (None, None, None)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--queue", "0"], "queue must be a whole number from 1 to 256"),
        (["--queue", "257"], "queue must be a whole number from 1 to 256, got 257"),
        (["--per-client", "257"], "per-client must be"),
        (["--proxies", "-1"], "proxies must be"),
        (["--sharpen-seconds", "nan"], "sharpen-seconds must be"),
        (["--metrics-port", "70000"], "metrics-port must be"),
    ],
)
def test_a_value_out_of_range_is_one_sentence(words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_arguments(words)


def test_a_queue_may_be_longer_than_the_default_one() -> None:
    longer = QueueLimits.waiting + 1
    assert parse_arguments(["--queue", str(longer)]).limits.waiting == longer
    assert parse_arguments(["--queue", str(MAX_WAITING)]).limits.waiting == MAX_WAITING
    assert QueueLimits.waiting < MAX_WAITING


def test_a_bad_variable_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAR_STUDIO_PRECISION", "fp8")
    with pytest.raises(ValueError, match="precision must be one of auto, fp32, bf16"):
        parse_arguments([])


@pytest.mark.parametrize("host", ["no such host.invalid", "203.0.113.9", "a..b", "\0", ""])
def test_a_host_that_is_not_this_machine_is_one_sentence_at_once(host: str) -> None:
    with pytest.raises(ValueError, match="host must be an address or a name of this machine"):
        parse_arguments(["--host", host])


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost"])
def test_addresses_of_this_machine_are_taken(host: str) -> None:
    assert parse_arguments(["--host", host]).host == host
