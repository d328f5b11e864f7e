"""Reads shards as the package `webdataset` writes them: .tar files of pictures and what is said.

Members whose names are the same up to the first dot of the file name belong together: `0001.jpg`
is a picture, `0001.cls` its class, `0001.txt` its caption, `0001.json` has further columns. The
standard library reads them, so `webdataset` is not needed.
"""

import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from training.data.picture_folder import readable_endings
from training.data.readers.record import Columns, Record, described, short_hash

ENDINGS = (".tar", ".tar.gz", ".tgz")
SHARD, FOLDER = "shard", "folder"  # columns that every picture has: where it lies


class TarReader:
    """Pictures in .tar files; a file is a part.

    Args:
        source: a .tar file, or a folder of some.
        columns: endings of members, or keys of .json members. "shard" and "folder" are the names
            of the .tar file and of the folder in it that a picture lies in.

    Raises:
        ValueError: if there are no such files.
    """

    def __init__(self, source: Path, columns: Columns) -> None:
        self.columns = columns
        self.paths = find_shards(source)
        if not self.paths:
            raise ValueError(f"{source} holds no {', '.join(ENDINGS)} files")
        self.endings = readable_endings()

    @property
    def stamp(self) -> str:
        """A hash of names, sizes and times of the files, and of the columns."""
        found = ((path, path.stat()) for path in self.paths)
        files = ((path.name, stat.st_size, stat.st_mtime_ns) for path, stat in found)
        return short_hash((self.columns, *files))

    @property
    def num_parts(self) -> int:
        """The number of files."""
        return len(self.paths)

    @property
    def classes(self) -> Mapping[str, Sequence[str]]:
        """Shards have no order of classes."""
        return {}

    def read(self, part: int) -> Iterator[Record]:
        """The pictures of a file, in its order."""
        path = self.paths[part]
        try:
            with tarfile.open(path) as tar:
                yield from self._records(path, tar)
        except (tarfile.TarError, EOFError, OSError) as error:
            raise ValueError(f"{path} cannot be read to its end: {error}") from error

    def _records(self, path: Path, tar: tarfile.TarFile) -> Iterator[Record]:
        key, picture, found = "", None, {}
        for member in tar:
            if not member.isfile() or Path(member.name).name.startswith("."):
                continue
            name, ending = split_name(member.name)
            if name != key:
                if picture is not None:
                    yield self._record(path, key, picture, found)
                key, picture, found = name, None, {}
            file = tar.extractfile(member)
            assert file is not None  # of a regular file
            if f".{ending.rpartition('.')[2]}" in self.endings:
                if picture is None or "." not in ending:  # `a.jpg` rather than `a.mask.png`
                    picture = file.read()
            else:
                found |= columns_of(f"{path.name}/{member.name}", ending, file.read())
        if picture is not None:
            yield self._record(path, key, picture, found)

    def _record(self, path: Path, key: str, picture: bytes, found: dict[str, object]) -> Record:
        shard = path.name.partition(".")[0]
        places: dict[str, object] = {SHARD: shard, FOLDER: Path(key).parent.name}
        return described(f"{path.name}/{key}", picture, places | found, self.columns)


def find_shards(source: Path) -> list[Path]:
    """The .tar files of a folder, sorted by name; a file stands for itself."""
    places = sorted(source.iterdir()) if source.is_dir() else [source]
    return [path for path in places if path.is_file() and path.name.lower().endswith(ENDINGS)]


def split_name(name: str) -> tuple[str, str]:
    """What members that belong together share, and the ending: "a/b.c.png" -> "a/b", "c.png"."""
    folder, slash, file = name.rpartition("/")
    stem, _, ending = file.partition(".")
    return f"{folder}{slash}{stem}", ending.lower()


def columns_of(name: str, ending: str, content: bytes) -> dict[str, object]:
    """The columns that a member holds: its text, or the entries of a .json file.

    Raises:
        ValueError: if it should be text and is not.
    """
    if ending not in ("cls", "txt", "text", "caption", "json"):
        return {}
    try:
        text = content.decode()
        found = json.loads(text) if ending == "json" else text.strip()
    except (UnicodeDecodeError, RecursionError, json.JSONDecodeError) as error:
        raise ValueError(f"{name} cannot be read: {error}") from error
    return found if isinstance(found, dict) else {ending: found}
