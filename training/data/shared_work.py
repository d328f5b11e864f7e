"""Work that several processes share without waiting for one another.

A piece of work is done when its files are whole. Whoever comes to a piece first does it; a lock on
it ends with its process, so processes may be started and killed at any time, also on several
machines with a common folder. At the end all pieces are done, whoever did them.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

PAUSE = 0.5  # seconds between two looks at pieces that others work on


@contextmanager
def claimed(piece: Path) -> Iterator[bool]:
    """Whether the piece of work behind a file is free; then it stays with this process.

    Its lock file goes when the block ends without an error.
    """
    path = piece.with_name(f".{piece.name}.lock")
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
        path.unlink(missing_ok=True)  # who waits for it finds the piece done
    finally:
        lock.release()


def share_work(
    pieces: Sequence[Path],
    is_done: Callable[[int], bool],
    do: Callable[[int], None],
    count: Callable[[int], object] = lambda number: None,
    first: int = 0,
) -> None:
    """Do all pieces of work that no other process does; return when all are done.

    Args:
        pieces: a file of each piece, beside which its lock lies; its folder exists.
        is_done: function that tells whether a piece, by number, is whole.
        do: function that does a piece; a piece that it began before it was killed is done anew.
        count: function that hears of each piece that others did meanwhile.
        first: piece to begin with, so that processes rarely meet.
    """
    left = [(first + number) % len(pieces) for number in range(len(pieces))]
    left = [number for number in left if not is_done(number)]
    while left:
        remaining = []
        for number in left:
            if is_done(number):
                count(number)
                continue
            with claimed(pieces[number]) as is_free:
                if is_free and not is_done(number):
                    do(number)
                else:
                    remaining.append(number)
        if len(remaining) == len(left) and not any(map(is_done, remaining)):
            time.sleep(PAUSE)
        left = remaining


@contextmanager
def making(path: Path) -> Iterator[Path]:
    """A temporary path to write a file of a claimed piece to; then it takes the place of `path`.

    Its name is always the same, so nothing is left of a process that was killed when the piece is
    done anew.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
