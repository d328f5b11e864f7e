"""Counters and log lines of a server: enough to run it, nothing about its visitors."""

import json
import logging
import subprocess
import sys

import pytest

from var_core.serving.metrics import JobMetrics, RateLimit


def test_a_fault_is_logged_by_kind_and_place_without_its_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    metrics = JobMetrics()
    try:
        raise KeyError("the visitor's words")
    except KeyError as error:
        reference = metrics.fault(error)
    (record,) = caplog.records
    assert record.fields["reference"] == reference and record.fields["kind"] == "KeyError"
    assert "visitor" not in json.dumps(record.fields) + record.getMessage()


def test_what_a_library_logs_is_bounded_and_without_its_words() -> None:
    script = (
        "import logging\n"
        "from var_core.serving.metrics import log_to_stderr\n"
        "log_to_stderr()\n"
        "for _ in range(5000):\n"
        "    logging.warning('the visitor\\n{}')\n"
        "    logging.getLogger('mcp.server').error('the visitor\\n{}')\n"
    )
    log = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stderr
    lines = [json.loads(line) for line in log.splitlines()]
    assert {line["logger"] for line in lines} == {"root", "mcp.server"}
    assert 0 < len(lines) < 5000 and "visitor" not in log


def test_a_flood_of_warnings_is_cut_and_counted() -> None:
    now = 0.0
    limit = RateLimit(3, lambda: now)
    records = [logging.makeLogRecord({"levelno": logging.ERROR, "msg": "no"}) for _ in range(10)]
    assert [limit.filter(one) for one in records] == [True] * 3 + [False] * 7
    assert limit.filter(logging.makeLogRecord({"levelno": logging.INFO, "msg": "job"}))
    now = 60.0
    next_one = logging.makeLogRecord({"levelno": logging.ERROR, "msg": "again"})
    assert limit.filter(next_one) and next_one.getMessage() == "again (7 others dropped)"
