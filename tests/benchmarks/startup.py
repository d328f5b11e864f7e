"""Times the way from a command to a picture: `python -m tests.benchmarks.startup`.

Starts `python app.py` several times, as its users do, waits for the page, and asks over HTTP for
the same picture twice: the first call finds the model as the start has left it. Nothing is
asserted.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.benchmarks.report import Row, compare, host, print_table, write_json
from tests.patience import LIMIT_SECONDS
from tests.server import ROOT, free_port
from var_core.devices import pick_device

APP = ("app.py", "--port")  # the port comes last
IMPORTS = ("torch", "app")
POLL_SECONDS = 0.01
CALL = "/gradio_api/call/stream"
LABELS = {"thing": "apple", "style": "noto"}
QUESTION = {"data": [LABELS, 12]}  # labels and seed; one picture, default options


def milliseconds_since(started: float) -> float:
    """From a reading of the clock until now."""
    return 1000 * (time.perf_counter() - started)


def import_time(module: str) -> float:
    """Milliseconds of a fresh Python until it has imported a module and ended."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], cwd=ROOT, check=True)
    return milliseconds_since(started)


@contextlib.contextmanager
def served(command: Sequence[str] = APP) -> Iterator[tuple[str, float]]:
    """Start a server; its address, and the milliseconds until it gave its page.

    Args:
        command: arguments of Python; a free port is added.

    Raises:
        RuntimeError: if it ends, or gives no page in time.
    """
    port = str(free_port())
    address = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryFile("w+") as log:
        started = time.perf_counter()
        server = subprocess.Popen(
            [sys.executable, *command, port], cwd=ROOT, stdout=log, stderr=log
        )
        try:
            while not _gives_page(address):
                if server.poll() is not None or time.perf_counter() - started > LIMIT_SECONDS:
                    log.seek(0)
                    raise RuntimeError(f"the app did not start: {log.read()}")
                time.sleep(POLL_SECONDS)
            yield address, milliseconds_since(started)
        finally:
            server.terminate()
            server.wait(LIMIT_SECONDS)


def _gives_page(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as page:
            page.read()
    except OSError:
        return False
    return True


def ask(address: str) -> tuple[float, float]:
    """Milliseconds from a question to the first preview and to the finished picture.

    Raises:
        RuntimeError: if the server gives no picture.
    """
    started = time.perf_counter()
    kind = {"content-type": "application/json"}
    question = urllib.request.Request(address + CALL, json.dumps(QUESTION).encode(), kind)
    with urllib.request.urlopen(question, timeout=LIMIT_SECONDS) as reply:
        event = json.load(reply)["event_id"]
    seen = []
    with urllib.request.urlopen(f"{address}{CALL}/{event}", timeout=LIMIT_SECONDS) as reply:
        for line in reply:
            word, _, rest = line.decode().partition(": ")
            if word == "data" and '"data:image/png' in rest:
                seen.append(milliseconds_since(started))
            elif word == "data" and '"error"' in rest:
                raise RuntimeError(f"the server gives no picture: {rest}")
    return seen[0], seen[-1]


def measure(runs: int) -> list[Row]:
    """All rows: medians over several starts.

    Args:
        runs: starts, after one that fills the caches of the operating system.
    """
    taken: dict[str, list[float]] = {"command to page": []}
    for _ in range(runs + 1):
        with served() as (address, until_page):
            taken["command to page"].append(until_page)
            for name in ("first call", "second call"):
                preview, picture = ask(address)
                taken.setdefault(f"{name}: first preview", []).append(preview)
                taken.setdefault(f"{name}: whole picture", []).append(picture)
        for module in IMPORTS:
            taken.setdefault(f"import {module}", []).append(import_time(module))
    return compare({name: values[1:] for name, values in taken.items()}, "command to page")


def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args(argv)
    described = {"host": host(pick_device())}
    print(*(f"{key} {value}" for key, value in described["host"].items()), sep=", ")
    rows = measure(arguments.runs)
    print_table("times: against 'command to page'", rows, arguments.runs)
    if arguments.json:
        write_json(arguments.json, described, {"startup": rows})


if __name__ == "__main__":
    main()
