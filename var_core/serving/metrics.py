"""Counters and log lines of a server: how jobs end, never who asked or what a picture shows."""

import contextlib
import json
import logging
import secrets
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    start_http_server,
)

from var_core.serving.fair_queue import BusyError, LateError
from var_core.serving.machine_troubles import Health

LOGGER = logging.getLogger("var_studio")
PLACES = logging.getLogger("var_studio.libraries")  # with a limit of its own
SECONDS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0)
MAX_LINES = 60  # warnings and errors in a minute
LOOPBACK = "127.0.0.1"


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, event, and what `fields` of the record holds."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        time_stamp = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        head = {"ts": time_stamp, "level": record.levelname.lower(), "event": record.getMessage()}
        return json.dumps({**head, **getattr(record, "fields", {})})


class RateLimit(logging.Filter):
    """Drops warnings and errors above a number in each minute, and says how many were dropped.

    Args:
        most: lines in a minute.
        clock: function that returns seconds that never go back.
    """

    def __init__(self, most: int = MAX_LINES, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.most, self._clock = most, clock
        self._minute, self._count = 0, 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written; the first one of a minute tells of those before."""
        if record.levelno < logging.WARNING:
            return True
        minute = int(self._clock() // 60)
        if minute != self._minute:
            if self._count > self.most:
                record.msg = f"{record.getMessage()} ({self._count - self.most} others dropped)"
                record.args = ()
            self._minute, self._count = minute, 0
        self._count += 1
        return self._count <= self.most


def log_place(record: logging.LogRecord) -> bool:
    """Log where a library has logged something, not its words: visitors may have written them.

    Returns:
        False: as a filter of a logger, this lets no record pass.
    """
    kind = record.exc_info[0] if record.exc_info else None
    where = f"{record.module}:{record.lineno}"
    fields = {"logger": record.name, "where": where, "kind": kind and kind.__name__}
    PLACES.log(record.levelno, "library", extra={"fields": fields})
    return False


class PlaceHandler(logging.Handler):
    """Logs the places of what the loggers below its own one log."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log the place of a record."""
        log_place(record)


def log_to_stderr() -> None:
    """Send the log of VAR Studio to standard error, one JSON object a line.

    What strangers can cause is bounded, also in the logs of the libraries that serve them.
    """
    for name in ("asyncio", "uvicorn.error", LOGGER.name, PLACES.name):
        logger = logging.getLogger(name)
        if not any(isinstance(one, RateLimit) for one in logger.filters):
            logger.addFilter(RateLimit())
    tools = logging.getLogger("mcp")
    tools.handlers, tools.propagate = [PlaceHandler(logging.WARNING)], False
    logging.getLogger().addFilter(log_place)  # the package mcp logs without a name too
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    LOGGER.handlers = [handler]
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False


class JobTimer:
    """What is measured of a job while it runs."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self.preview_seconds: float | None = None
        self.seconds: float | None = None

    def first_preview(self) -> None:
        """Note the time from the request to the first preview; a second time does nothing."""
        if self.preview_seconds is None:
            self.preview_seconds = time.monotonic() - self._started

    def finish(self) -> None:
        """Note that the pictures are made; how long somebody looks at them does not count."""
        self.seconds = time.monotonic() - self._started


class JobMetrics:
    """Counts and logs how jobs end.

    Attributes:
        registry: all counters, for Prometheus.
        health: whether the machine had troubles lately.
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.health = Health()
        ProcessCollector(registry=registry)
        self._jobs = Counter(
            "var_studio_jobs", "Jobs by how they ended", ("job", "outcome"), registry=registry
        )
        self._refused = Counter(
            "var_studio_refused", "Requests that were refused", ("where",), registry=registry
        )
        self._pictures = Counter("var_studio_pictures", "Finished pictures", registry=registry)
        self._preview = Histogram(
            "var_studio_first_preview_seconds",
            "From the request to its first preview",
            buckets=SECONDS,
            registry=registry,
        )
        self._seconds = Histogram(
            "var_studio_job_seconds",
            "From the request to its end, of finished jobs",
            ("job",),
            buckets=SECONDS,
            registry=registry,
        )

    @contextlib.contextmanager
    def job(self, name: str, pictures: int) -> Iterator[JobTimer]:
        """Count and log one job; a ValueError is counted by the handler that refuses the request.

        Args:
            name: kind of the job.
            pictures: number of pictures that it makes.
        """
        started, outcome, job = time.monotonic(), "ok", JobTimer()
        try:
            yield job
        except GeneratorExit:
            outcome = "cancelled" if job.seconds is None else "ok"
            raise
        except BusyError:
            outcome = "busy"
            raise
        except LateError:
            outcome = "late"
            raise
        except ValueError:
            outcome = ""
            raise
        except BaseException:
            outcome = "error"
            raise
        finally:
            seconds = time.monotonic() - started if job.seconds is None else job.seconds
            if outcome == "ok":
                self._pictures.inc(pictures)
                self._seconds.labels(name).observe(seconds)
            if job.preview_seconds is not None:
                self._preview.observe(job.preview_seconds)
            if outcome:
                self._jobs.labels(name, outcome).inc()
                fields = {"job": name, "pictures": pictures, "outcome": outcome}
                LOGGER.info("job", extra={"fields": {**fields, "ms": round(seconds * 1000)}})

    def refuse(self, where: str) -> None:
        """Count a malformed request, refused at the "door" or in a "handler"."""
        self._refused.labels(where).inc()

    def fault(self, error: BaseException) -> str:
        """Log an unforeseen error: its kind and place, not its words.

        Returns:
            A reference for the visitor.
        """
        self.health.note(error)
        reference = secrets.token_hex(4)
        frames = traceback.extract_tb(error.__traceback__)[-1:]
        where = [f"{frame.name}:{frame.lineno}" for frame in frames]
        fields = {"reference": reference, "kind": type(error).__name__, "where": where}
        LOGGER.error("fault", extra={"fields": fields})
        self.refuse("fault")
        return reference

    def watch(self, name: str, words: str, value: Callable[[], float]) -> None:
        """Add a gauge whose value is read at every scrape."""
        Gauge(f"var_studio_{name}", words, registry=self.registry).set_function(value)

    def serve(self, port: int) -> None:
        """Serve the counters to this machine only, on a port of their own.

        Raises:
            OSError: if the port is taken.
        """
        start_http_server(port, addr=LOOPBACK, registry=self.registry)
