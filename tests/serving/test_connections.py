"""A server with few file descriptors survives many idle connections."""

import contextlib
import logging
import socket
import urllib.parse
from pathlib import Path

from tests.clients import Client
from tests.server import ROOT, running_app
from var_core.serving.metrics import RateLimit

FEW = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
sys.path.insert(0, {root!r})
import app
sys.exit(app.main())
"""


def test_idle_connections_neither_fill_the_log_nor_shut_others_out(tmp_path: Path) -> None:
    program, log = tmp_path / "few.py", tmp_path / "log.txt"
    program.write_text(FEW.format(root=str(ROOT)))
    with running_app(log, program=program) as url, contextlib.ExitStack() as stack:
        place = urllib.parse.urlsplit(url)
        for _ in range(100):
            idle = stack.enter_context(socket.socket())
            idle.bind(("127.0.0.9", 0))
            idle.connect((place.hostname, place.port))
        for number in range(40):
            assert Client(url, 10 + number).ask("GET", "/healthz") == (200, "alive")
        for _ in range(60):  # one after the other
            assert Client(url, 3).ask("GET", "/healthz") == (200, "alive")
        assert Client(url, 2).draw(1).startswith("data:image/png")
    assert log.stat().st_size < 100_000 and "Too many open files" not in log.read_text()


def test_a_flood_of_warnings_is_cut_and_counted() -> None:
    now = 0.0
    limit = RateLimit(3, lambda: now)
    records = [logging.makeLogRecord({"levelno": logging.ERROR, "msg": "no"}) for _ in range(10)]
    assert [limit.filter(one) for one in records] == [True] * 3 + [False] * 7
    assert limit.filter(logging.makeLogRecord({"levelno": logging.INFO, "msg": "job"}))
    now = 60.0
    next_one = logging.makeLogRecord({"levelno": logging.ERROR, "msg": "again"})
    assert limit.filter(next_one) and next_one.getMessage() == "again (7 others dropped)"
