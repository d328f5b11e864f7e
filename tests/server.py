"""The app as a process of its own, the way its users start it."""

import contextlib
import random
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.patience import LIMIT_SECONDS

ROOT = Path(__file__).parent.parent
PORTS = (20_000, 32_000)
PATIENT = ("--sharpen-seconds", "3600")  # however slow the machine is, strips become true decodes


def free_port() -> int:
    """A port that nobody listens on, below those that the system lends to outgoing connections."""
    while True:
        port = random.SystemRandom().randrange(*PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextlib.contextmanager
def running_app(
    log: Path,
    *options: str,
    python: str | Path = sys.executable,
    folder: Path = ROOT,
    program: str | Path = "app.py",
) -> Iterator[str]:
    """Start the app on the shipped weights, give its address, and stop it at the end.

    Args:
        log: file for what it prints.
        options: further words of its command line.
        python: runs it.
        folder: it runs in.
        program: app.py, or an installed script that does the same.

    Raises:
        RuntimeError: if it ends, or does not answer in time.
    """
    with app_process(log, *options, python=python, folder=folder, program=program) as (address, _):
        yield address


@contextlib.contextmanager
def app_process(
    log: Path,
    *options: str,
    python: str | Path = sys.executable,
    folder: Path = ROOT,
    program: str | Path = "app.py",
) -> Iterator[tuple[str, subprocess.Popen]]:
    """As `running_app`, with the process, for those who want to harm it."""
    port = free_port()
    command = [str(python), str(program), "--port", str(port), *PATIENT, *options]
    with log.open("w") as file:
        server = subprocess.Popen(command, cwd=folder, stdout=file, stderr=file)
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + LIMIT_SECONDS
    try:
        while True:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the app did not start: {log.read_text()}")
            try:
                urllib.request.urlopen(address, timeout=LIMIT_SECONDS).close()
                break
            except OSError:
                time.sleep(0.3)
        yield address, server
    finally:
        server.terminate()
        server.wait(LIMIT_SECONDS)
