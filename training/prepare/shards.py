"""Makes a packed picture set of a source of any size, part by part, with little memory.

`python -m training.prepare.shards --source SOURCE --out data/large --size 256 --workers 8`

SOURCE is a folder with a sub-folder of pictures per class, a folder of .tar shards, or a data set
that the package `datasets` opens. Run again, the command goes on where it was cut off. Several may
work on one folder, also on several machines.
"""

import json
import logging
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from tqdm import tqdm

from training.data.packed_pictures import MANIFEST, Manifest
from training.data.readers.dataset_reader import DatasetReader, is_saved, open_splits
from training.data.readers.folder_reader import FolderReader
from training.data.readers.record import Columns, Reader
from training.data.readers.tar_reader import TarReader, find_shards
from training.data.shared_work import claimed, share_work
from training.data.write_packed_set import Packing, finish, pack_part, part_paths, read_table
from training.data.write_prepared_set import (
    MAX_SIDE,
    MIN_SIDE,
    SIZE_HELP,
    check_preparation,
)
from training.loop.command_line import Settings, run_command
from training.loop.heartbeat import Heartbeat, busy
from var_core.files import write_atomically
from var_core.labels import check_attribute_name
from var_core.option_fields import about, option

KINDS = ("auto", "folder", "tar", "dataset")
LABEL_COLUMNS = {"folder": "class", "tar": "cls", "dataset": "label"}
NO_COLUMNS = "none"
SOURCE_FILE = "source.json"


@dataclass(frozen=True, kw_only=True)
class ShardSettings(Settings):
    """What to read and to write."""

    source: str = field(metadata=about("folder, or name of a data set on the hub"))
    out: str = field(metadata=about("folder to write"))
    kind: str = option("auto", "what the source is; auto looks into it", choices=KINDS)
    size: int = option(256, SIZE_HELP, low=MIN_SIDE, high=MAX_SIDE)
    quality: int = option(
        95, "quality of JPEG files; 100: PNG, without loss. Squares in JPEG stay", low=1, high=100
    )
    label_columns: str = option(
        "auto",
        "columns of classes, with commas between. auto: class (of folders), cls (of .tar), label "
        "(of data sets); shard and folder are places in .tar; none: no classes",
    )
    caption_columns: str = option("", "columns of texts, such as txt of .tar")
    image_column: str = option("image", "column of the pictures of a data set")
    subset: str = option("", "which of several data sets of that name")
    split: str = option("train", "split of a data set")
    streaming: bool = option(False, "read a data set from the hub without a copy on disk")
    validation: float = option(0.05, "share of the pictures kept for validation, below 0.5")
    max_bad_share: float = option(
        0.01, "share of the pictures that may be damaged; these are left out", low=0, high=1
    )
    part_pictures: int = option(4096, "pictures of a shard; .tar files keep theirs", low=1)
    workers: int = option(1, "processes that read", low=1, high=256)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_preparation(self.size, self.validation)
        if self.streaming and self.workers > 1:
            raise ValueError(f"a stream is read by 1 worker, got {self.workers}")

    @property
    def packing(self) -> Packing:
        """How pictures are stored."""
        quality = min(self.quality, 95) if self.quality < 100 else 100
        return Packing(self.size, quality, self.validation)

    def found_kind(self) -> str:
        """What the source is.

        Raises:
            ValueError: if it is to be found out and cannot be.
        """
        place = Path(self.source)
        if self.kind != "auto":
            return self.kind
        if self.streaming or is_saved(place) or not place.exists():
            return "dataset"
        return "tar" if find_shards(place) else "folder"

    def columns(self) -> Columns:
        """The columns to read."""
        labels = self.label_columns
        labels = LABEL_COLUMNS[self.found_kind()] if labels == "auto" else labels
        names = () if labels == NO_COLUMNS else tuple(labels.split(","))
        return Columns(names, tuple(filter(None, self.caption_columns.split(","))))


def open_reader(settings: ShardSettings) -> Reader:
    """Open the source.

    Raises:
        ValueError: if it cannot be read.
    """
    kind, columns, size = settings.found_kind(), settings.columns(), settings.part_pictures
    for name in columns.labels:
        check_attribute_name(name)
    if kind == "folder":
        return FolderReader(Path(settings.source), columns, size)
    if kind == "tar":
        return TarReader(Path(settings.source), columns)
    splits = open_splits(settings.source, settings.subset, settings.streaming)
    if settings.split not in splits:
        known = ", ".join(splits)
        raise ValueError(f"{settings.source} has no split {settings.split!r}, only {known}")
    rows = splits[settings.split]
    return DatasetReader(rows, settings.split, settings.image_column, columns, size)


def prepare(settings: ShardSettings) -> None:
    """Write the set.

    Raises:
        ValueError: if a setting, the source or a picture does not do.
        OSError: if there is no space.
    """
    out = Path(settings.out)
    with busy("looking through the source"):
        reader = open_reader(settings)
        stamp = {"source": reader.stamp, "size": settings.size, "quality": settings.quality}
        claim(out, stamp | {"validation": settings.validation})
    if (out / MANIFEST).exists():
        print(f"{Manifest.read(out).num_pictures:,} pictures are in {out} already")
        return
    if reader.num_parts is None:
        num_parts = pack_stream(reader, settings)
    else:
        num_parts = reader.num_parts
        pack_parts(reader, settings)
    with busy("writing tables"):
        num_pictures = finish(
            out,
            num_parts,
            settings.packing,
            settings.columns().labels,
            reader.classes,
            settings.max_bad_share,
        )
    print(f"{num_pictures:,} pictures in {num_parts} shards are in {out}")


def claim(out: Path, stamp: dict) -> None:
    """Note what a folder is made of.

    Raises:
        ValueError: if it is made of something else.
    """
    (out / "parts").mkdir(parents=True, exist_ok=True)
    path = out / SOURCE_FILE
    if not path.exists():
        write_atomically(path, json.dumps(stamp).encode())
    elif json.loads(path.read_text("utf-8")) != stamp:
        raise ValueError(
            f"{out} holds pictures of another source, or made with other settings: name another "
            "folder, or take that one away"
        )


def pack_parts(reader: Reader, settings: ShardSettings) -> None:
    """Make all parts, in several processes."""
    context = multiprocessing.get_context("spawn")  # what `datasets` starts outlives no fork
    workers = [
        context.Process(target=help_packing, args=(settings, number, os.getpid()), daemon=True)
        for number in range(1, settings.workers)
    ]
    for worker in workers:
        worker.start()
    try:
        with progress(reader.num_parts, done_parts(settings)) as tell:
            pack_shared(reader, settings, 0, tell)
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()


def done_parts(settings: ShardSettings) -> int:
    """How many parts are there already."""
    return len(list((Path(settings.out) / "parts").glob("*.json")))


@contextmanager
def progress(total: int | None, done: int) -> Iterator[Callable[[], None]]:
    """A bar of shards that ticks on while one is made; what is yielded moves it on."""
    with tqdm(total=total, initial=done, unit="shard", desc="reading", disable=None) as bar:
        heartbeat = Heartbeat(bar)
        heartbeat.start("reading")

        def tell() -> None:
            nonlocal done
            done += 1
            bar.update()
            heartbeat.note(f"{done} shards" if total is None else f"{done} of {total} shards")

        try:
            yield tell
        finally:
            heartbeat.close()


def help_packing(settings: ShardSettings, number: int, parent: int) -> None:
    """Make parts beside another process, until none is left or that process has ended."""
    logging.disable()  # that process says it all, and comes to what cannot be read too
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def go_on() -> None:
        if os.getppid() != parent:
            raise SystemExit

    try:
        pack_shared(open_reader(settings), settings, number, go_on)
    except (ValueError, OSError):
        raise SystemExit(1) from None


def pack_shared(
    reader: Reader, settings: ShardSettings, number: int, tell: Callable[[], object]
) -> None:
    """Make the parts that no other process makes.

    Args:
        reader: the opened source.
        settings: settings of the command.
        number: number of this process.
        tell: function that is called after each part.
    """
    out, num_parts = Path(settings.out), reader.num_parts
    assert num_parts is not None  # a stream is read by one process

    def pack(part: int) -> None:
        pack_part(out, part, reader.read(part), settings.packing)
        tell()

    share_work(
        [part_paths(out, part)[1] for part in range(num_parts)],
        lambda part: read_table(out, part) is not None,
        pack,
        lambda _: tell(),
        first=number * num_parts // settings.workers,
    )


def pack_stream(reader: Reader, settings: ShardSettings) -> int:
    """Make parts until the stream ends; returns their number.

    Raises:
        ValueError: if another process does so.
    """
    out = Path(settings.out)
    with claimed(out / "stream") as is_free, progress(None, done_parts(settings)) as tell:
        if not is_free:
            raise ValueError(f"another process fills {out}; a stream is read by one alone")
        for part in count():
            table = read_table(out, part)
            if table is None:
                size = pack_part(out, part, reader.read(part), settings.packing)
                tell()
            else:
                size = len(table["places"]) + len(table["damaged"])
            if size < settings.part_pictures:
                return part + 1
    raise AssertionError  # `count` never ends


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(prepare, ShardSettings, "Make a packed set of many pictures.", argv)


if __name__ == "__main__":
    sys.exit(main())
