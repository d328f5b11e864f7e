"""Trains with sharded weights in two processes, kills them in the middle of saves, and goes on.

`python -m tests.training.loop.killed_shards DATA TOKENIZER OUT KILLS`

Processes are forked, so that each launch takes a moment. KILLS is the number of points in the saves
of a run at which the first process is killed, then the second, then both at once.
"""

import os
import random
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from tests.training.tiny import different, final_weights, transformer_arguments
from training import train_transformer
from training.loop import run

STEPS = 4
FILE_EVENTS = ("open", "os.", "shutil.")  # of Python's audit hooks
SAVERS = ("save_sharded_run", "save_model")
VICTIMS = ("both", "second", "first")
PORTS = 20_000, 30_000  # below those that systems give away
PATIENCE = 60  # seconds for a process that was left alone, before it is ended too


class Watch:
    """Counts what a process does with files while it saves, and kills at a point.

    Args:
        victims: processes to kill at that point; none to count only.
        point: number of the event.
    """

    def __init__(self, victims: Sequence[int], point: int) -> None:
        self.is_saving, self.count = False, 0
        self.victims, self.point = victims, point

    def hook(self, event: str, _: tuple) -> None:
        """Audit hook of the interpreter."""
        if self.is_saving and event.startswith(FILE_EVENTS):
            self.count += 1
            if self.count == self.point:
                for pid in self.victims:
                    os.kill(pid, signal.SIGKILL)

    def during(self, save: Callable[..., object]) -> Callable[..., object]:
        """The same function, watched."""

        def watched(*arguments: object) -> object:
            self.is_saving = True
            try:
                return save(*arguments)
            finally:
                self.is_saving = False

        return watched


def work(arguments: Sequence[str], out: Path, rank: int, watch: Watch) -> int:
    """What a process does; returns its exit code."""
    sys.addaudithook(watch.hook)
    for name in SAVERS:
        setattr(run, name, watch.during(getattr(run, name)))
    code = train_transformer.main(list(arguments))
    (out / f"events-{rank}").write_text(str(watch.count))
    return code


def free_port() -> int:
    """A port that nobody gets by chance before it is used."""
    while True:
        port = random.randint(*PORTS)
        with socket.socket() as place, suppress(OSError):
            place.bind(("127.0.0.1", port))
            return port


def launch(arguments: Sequence[str], out: Path, victim: str = "", point: int = 0) -> list[int]:
    """Run two processes to their end; returns exit codes, below 0 for signals."""
    port = free_port()
    sys.stdout.flush()
    pids: dict[int, int] = {}
    for rank in (1, 0):  # the first process knows the second
        pid = os.fork()
        if not pid:
            names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_PORT": port}
            os.environ |= {name: str(value) for name, value in names.items()}
            os.environ["MASTER_ADDR"] = "127.0.0.1"
            mine = {("first", 0), ("second", 1), ("both", 0)}
            others = list(pids.values()) if victim == "both" else []
            victims = [*others, os.getpid()] if (victim, rank) in mine else []
            code = 1
            try:
                code = work(arguments, out, rank, Watch(victims, point))
            except Exception:  # the process that is left finds nobody to talk to
                traceback.print_exc()
            finally:
                os._exit(code)
        pids[rank] = pid
    return wait_for(pids)


def wait_for(pids: dict[int, int]) -> list[int]:
    """Exit codes of processes; where one fails, the others are asked to end, then made to."""
    codes: dict[int, int] = {}
    deadline = None
    while len(codes) < len(pids):
        for rank in pids.keys() - codes.keys():
            done, status = os.waitpid(pids[rank], os.WNOHANG)
            if done:
                codes[rank] = os.waitstatus_to_exitcode(status)
        left = pids.keys() - codes.keys()
        if left and any(codes.values()):
            number = None
            if deadline is None:
                deadline, number = time.monotonic() + PATIENCE, signal.SIGTERM
            elif time.monotonic() > deadline:
                number = signal.SIGKILL
            for rank in left if number else ():
                os.kill(pids[rank], number)
        time.sleep(0.02)
    return [codes[rank] for rank in sorted(codes)]


def main() -> None:
    data, tokenizer, out = map(Path, sys.argv[1:4])
    kills = int(sys.argv[4])

    def arguments(folder: Path) -> list[str]:
        words = transformer_arguments(data, tokenizer, folder, STEPS)
        return [*words, "--shard", "--self-correction", "0.3"]

    whole, cut = out / "whole", []
    assert launch(arguments(whole), whole) == [0, 0]
    events = [int((whole / f"events-{rank}").read_text()) for rank in range(2)]
    for victim in VICTIMS:
        count = events[victim == "second"]
        for number in range(kills):
            point = 1 + (number * (count - 1)) // max(1, kills - 1)
            folder = out / f"{victim}-{point}"
            codes = launch(arguments(folder), folder, victim, point)
            assert -signal.SIGKILL in codes, codes
            left = sorted(path.name for path in folder.iterdir())
            assert launch(arguments(folder), folder) == [0, 0], left
            assert not list(folder.glob(".saving-*"))
            cut.append((f"{victim} at {point} of {count}, {codes}", left, folder))
    expected = final_weights(whole)
    for title, left, folder in cut:
        is_same = not different(final_weights(folder), expected)
        print(f"{title}: same {is_same}; left {left}", flush=True)


if __name__ == "__main__":
    main()
