"""Uploads of visitors: each in a folder of its own, under a harmless name."""

import re
import tempfile
from pathlib import Path

MAX_FILES = 8
MAX_NAME = 80  # characters
BOUNDARY = re.compile(rb';\s*boundary="?([\w\'()+,./:=?-]{1,70})"?\s*(;|$)', re.IGNORECASE)
FIELD = re.compile(rb'content-disposition:\s*form-data;.*\bname="files"', re.IGNORECASE)
FILE_NAME = re.compile(rb'\bfilename="([^"\r\n]*)"', re.IGNORECASE)


def store_uploads(folder: Path, content_type: bytes, body: bytes, max_bytes: int) -> list[str]:
    """Write the files of a form.

    No two uploads share a place, though they have the same name or content: what one visitor
    replaces or deletes is never another's.

    Args:
        folder: folder for temporary files.
        content_type: content type of the body, with its boundary.
        body: form data, with files under the name "files".
        max_bytes: size of the largest file.

    Returns:
        Paths of the files.

    Raises:
        ValueError: if it is no form, or holds no files, too many or too large ones.
        OSError: if there is no space.
    """
    files = _read_form(content_type, body)
    if not 1 <= len(files) <= MAX_FILES:
        raise ValueError(f"an upload holds 1 to {MAX_FILES} files, not {len(files)}")
    if any(len(content) > max_bytes for _, content in files):
        raise ValueError(f"a file has at most {max_bytes} bytes")
    paths = []
    for name, content in files:
        path = Path(tempfile.mkdtemp(dir=folder)) / harmless_name(name)
        path.write_bytes(content)
        paths.append(str(path))
    return paths


def harmless_name(name: str) -> str:
    """A file name of letters, digits, spaces and dashes, with at most one ending."""
    stem, dot, ending = re.split(r"[/\\]", name)[-1].rpartition(".")
    stem, ending = (stem, ending) if dot else (ending, "")
    stem = re.sub(r"[^\w -]", "_", stem).strip()[:MAX_NAME] or "upload"
    ending = re.sub(r"\W", "", ending, flags=re.ASCII)[:8]
    while len(stem.encode()) > MAX_NAME:
        stem = stem[:-1]
    return f"{stem}.{ending}" if ending else stem


def _read_form(content_type: bytes, body: bytes) -> list[tuple[str, bytes]]:
    """Names and contents of the files of a form.

    Raises:
        ValueError: if it is no form, or has far too many parts.
    """
    found = BOUNDARY.search(content_type)
    if found is None:
        raise ValueError("the content type names no boundary")
    mark = b"\r\n--" + found[1]
    text = b"\r\n" + body
    if text.count(mark) > 2 * MAX_FILES + 2:
        raise ValueError(f"an upload holds 1 to {MAX_FILES} files")
    files = []
    for part in text.split(mark)[1:]:
        if part.startswith(b"--"):
            return files
        head, blank, content = part.partition(b"\r\n\r\n")
        name = FILE_NAME.search(head)
        if blank and name and FIELD.search(head):
            files.append((name[1].decode("utf-8", "replace"), content))
    raise ValueError("the form has no end")
