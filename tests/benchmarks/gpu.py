"""All figures of a GPU in one go: `python -m tests.benchmarks.gpu --official PATH --out DIR`.

Sections in order of worth, each in a process of its own with a time limit, so that neither a fault
nor a hang of one costs the others anything. First the tests that need a GPU run, and beside them
what compiles for later. DIR gets `figures.json`, renewed whenever a table is there, `log.txt`,
`failures.txt` and `profile.txt`. `--dry-run` does all of that with networks that take no time, on
whatever device there is.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

FIGURES, LOG, FAILURES, PROFILE = "figures.json", "log.txt", "failures.txt", "profile.txt"
LEAST_SECONDS = 12.0  # for which no section is begun
GRACE_SECONDS = 5.0  # after which a process that did not end by itself is ended
POLL_SECONDS = 0.2
DRY_FACTOR = 20.0  # how much longer a section may take on a processor that others use too
SECTIONS = "tests.benchmarks.gpu_sections"


@dataclass(frozen=True)
class Given:
    """What the command line gives.

    Attributes:
        out: folder for what is kept.
        tables: folder for the figures of each section.
        official: checkout of the official code; None leaves it out.
        is_dry: whether networks take no time.
    """

    out: Path
    tables: Path
    official: Path | None
    is_dry: bool

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """Options that `of` reads and `words` writes."""
        parser.add_argument("--official", type=Path, help="checkout of FoundationVision/VAR")
        parser.add_argument("--out", type=Path, required=True, help="folder for what is kept")
        parser.add_argument("--tables", type=Path, help="folder for the figures of each section")
        parser.add_argument("--dry-run", action="store_true", help="tiny networks, on any device")

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """What was given."""
        tables = arguments.tables or arguments.out
        return cls(arguments.out, tables, arguments.official, arguments.dry_run)

    def words(self) -> list[str]:
        """The same for another process."""
        found = ["--out", str(self.out), "--tables", str(self.tables)]
        found += ["--official", str(self.official)] if self.official else []
        return found + ["--dry-run"] * self.is_dry


@dataclass(frozen=True)
class Section:
    """One process.

    Attributes:
        name: of what `gpu_sections` does.
        seconds: that it may take.
        has_xformers: whether the folder of xformers is among the packages.
    """

    name: str
    seconds: float
    has_xformers: bool = False


TOGETHER = (  # these measure no time
    Section("tests", 110),
    Section("compile-drawing", 110),
    Section("compile-training", 110),
)
IN_TURN = (
    Section("small", 80),
    Section("large", 90),
    Section("training", 90),
    Section("small-compiled", 60),
    Section("dit", 45),
    Section("kernels", 40),
    Section("decoder", 60),
    Section("sharded", 45),
    Section("xformers-tests", 30, has_xformers=True),
    Section("xformers", 40, has_xformers=True),
    Section("xformers-official", 40, has_xformers=True),
    Section("xformers-training", 30, has_xformers=True),
    Section("large-compiled", 60),
    Section("large-parts", 40),
)
LAST = Section("profile", 45)


class SectionProcess:
    """A section's process, which waits to be told until when it may run.

    Args:
        section: what it does.
        given: what the command line gives.
        xformers: folder of xformers; None if there is none.
        log: file for all that it prints.
    """

    def __init__(self, section: Section, given: Given, xformers: Path | None, log: IO[str]) -> None:
        self.section = section
        self._given, self._log = given, log
        self._environment = dict(os.environ)
        if section.has_xformers and xformers is not None:
            paths = [str(xformers), *filter(None, [os.environ.get("PYTHONPATH")])]
            self._environment["PYTHONPATH"] = os.pathsep.join(paths)
        self._process: subprocess.Popen | None = None
        self._started = self._seconds = 0.0

    def prepare(self) -> None:
        """Start it, to have imported all when it is its turn."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", SECTIONS, self.section.name, *self._given.words()],
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # so that what it starts ends with it
        )

    def begin(self, seconds: float) -> None:
        """Let it run for some seconds."""
        if self._process is None:
            self.prepare()
        assert self._process is not None and self._process.stdin is not None
        self._started, self._seconds = time.monotonic(), seconds
        with contextlib.suppress(BrokenPipeError):  # it is over already
            self._process.stdin.write(f"{self._started + seconds}\n")
            self._process.stdin.close()

    def result(self) -> str:
        """How it went, once it is over or its time is; empty before."""
        assert self._process is not None
        taken, code = time.monotonic() - self._started, self._process.poll()
        if code is None and taken < self._seconds + GRACE_SECONDS:
            return ""
        self.stop()
        how = "done" if code == 0 else f"FAILED ({code})"
        if code != 0 and taken >= self._seconds:
            how = "out of time"
        return f"{self.section.name:18} {how:14} {taken:6.1f} s"

    def stop(self) -> None:
        """End it, and all that it started."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process = None


class Occasion:
    """All sections, in the time that there is.

    Args:
        given: what the command line gives.
        minutes: time for all.
        xformers: folder of xformers; without it, its sections are left out.
        only: names of sections; none of them: all.
    """

    def __init__(
        self, given: Given, minutes: float, xformers: Path | None, only: Sequence[str]
    ) -> None:
        self.given, self.xformers, self.only = given, xformers, only
        self._deadline = time.monotonic() + 60 * minutes
        self._stack = contextlib.ExitStack()
        self._groups: list[list[SectionProcess]] = []

    def __enter__(self) -> Self:
        """Prepare the first sections."""
        log = self._stack.enter_context((self.given.out / LOG).open("a"))
        turns = [[section] for section in self._wanted((*IN_TURN, LAST))]
        for sections in (self._wanted(TOGETHER), *turns):
            group = [SectionProcess(one, self.given, self.xformers, log) for one in sections]
            for process in group:
                self._stack.callback(process.stop)
            self._groups.append(group)
        for process in self._groups[0]:
            process.prepare()
        return self

    def __exit__(self, *_: object) -> None:
        """End what still runs."""
        self._stack.close()

    def run(self) -> Iterator[str]:
        """Do all sections; yields a line for each."""
        for running, following in zip(self._groups, [*self._groups[1:], []], strict=True):
            yield from self._run_group(running, following)

    def _run_group(
        self, running: list[SectionProcess], following: list[SectionProcess]
    ) -> Iterator[str]:
        """Run some sections side by side, and prepare those that follow."""
        left = []
        for process in running:
            seconds = self.seconds_of(process.section)
            if seconds < LEAST_SECONDS:
                yield f"{process.section.name:18} left out, no time"
            else:
                process.begin(seconds)
                left.append(process)
        if left:
            for process in following:
                process.prepare()
        while left:
            time.sleep(POLL_SECONDS)
            gather(self.given)
            for process in list(left):
                if result := process.result():
                    left.remove(process)
                    yield result

    def _wanted(self, sections: Sequence[Section]) -> list[Section]:
        found = [one for one in sections if not self.only or one.name in self.only]
        if self.xformers is None and not self.given.is_dry:
            found = [one for one in found if not one.has_xformers]
        return found

    def seconds_of(self, section: Section) -> float:
        """What a section has; the profile keeps what it needs."""
        kept = LAST.seconds if section is not LAST and self._wanted([LAST]) else 0.0
        limit = section.seconds * (DRY_FACTOR if self.given.is_dry else 1.0)
        return min(limit, self._deadline - time.monotonic() - GRACE_SECONDS - kept)


def gather(given: Given) -> None:
    """Put the figures of all sections into one file, where there are new ones."""
    target, tables = given.out / FIGURES, sorted(given.tables.glob("*.json"))
    newest = max((path.stat().st_mtime for path in tables), default=0.0)
    if target.exists() and newest <= target.stat().st_mtime:
        return
    found = {path.stem: json.loads(path.read_text("utf-8")) for path in tables}
    fresh = given.out / f"{FIGURES}.new"
    fresh.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    os.utime(fresh, (newest, newest))  # what is written from here on is newer
    fresh.replace(target)


def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    Given.add_arguments(parser)
    parser.add_argument("--minutes", type=float, default=8.0, help="for all sections")
    parser.add_argument("--xformers", type=Path, help="folder with the packages of xformers")
    names = [one.name for one in (*TOGETHER, *IN_TURN, LAST)]
    parser.add_argument("--only", nargs="+", choices=names, default=[], help="some sections")
    arguments = parser.parse_args(argv)
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        given = Given(arguments.out, Path(folder), arguments.official, arguments.dry_run)
        with Occasion(given, arguments.minutes, arguments.xformers, arguments.only) as occasion:
            from var_core.devices import pick_device  # takes seconds, as the first sections do

            if pick_device().type != "cuda" and not arguments.dry_run:
                parser.error("there is no CUDA device; --dry-run tries the script without one")
            for line in occasion.run():
                print(line, flush=True)
        gather(given)


if __name__ == "__main__":
    main()
