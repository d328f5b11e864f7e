"""Every upload has a place of its own, whatever it is called."""

import shutil
from pathlib import Path

import pytest

from tests.clients import API, Client, serving
from var_core.pipeline import VARPipeline
from var_core.serving.client_budget import ClientBudget
from var_core.serving.fair_queue import BusyError
from var_core.serving.local_engine import LocalEngine
from var_core.serving.machine_troubles import words_for
from var_core.serving.temp_files import TempFolder
from var_core.serving.uploads import (
    MAX_FILES,
    MAX_HEAD,
    UNUSED_SECONDS,
    Uploads,
    harmless_name,
    remove_upload,
)

KIND = b"multipart/form-data; boundary=----WebKitFormBoundaryx/y"
MARK = b"------WebKitFormBoundaryx/y"


def form(*files: tuple[str, bytes], name: str = "files") -> bytes:
    parts = [
        b"\r\n".join(
            [
                MARK,
                f'Content-Disposition: form-data; name="{name}"; filename="{file}"'.encode(),
                b"Content-Type: image/png",
                b"",
                content,
            ]
        )
        for file, content in files
    ]
    return b"\r\n".join([*parts, MARK + b"--", b""])


def store(folder: Path, *files: tuple[str, bytes], limit: int = 100) -> list[str]:
    return Uploads(folder, limit).store("a", KIND, form(*files))


class Clock:
    """Time that stands still until a test moves it."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def small_room(folder: Path, total: int, share: int, clock: Clock) -> Uploads:
    return Uploads(folder, 10_000, ClientBudget("uploads", total, share), clock)


def test_the_same_name_and_content_share_no_place(tmp_path: Path) -> None:
    sent = [("a.png", b"1"), ("a.png", b"2"), ("a.png", b"1")]
    paths = [Path(path) for one in (sent, sent) for path in store(tmp_path, *one)]
    assert len({path.parent for path in paths}) == 6
    assert [path.read_bytes() for path in paths] == [b"1", b"2", b"1"] * 2
    assert {path.name for path in paths} == {"a.png"}


def test_the_content_comes_as_it_was_sent(tmp_path: Path) -> None:
    content = b"\r\n--x\r\n\r\n\0\xff" * 5
    (path,) = store(tmp_path, ("a.png", content))
    assert Path(path).read_bytes() == content


def test_a_name_is_harmless() -> None:
    names = {
        ".lock": "upload.lock",
        "..": "_",
        "../../etc/passwd": "passwd",
        "C:\\x\\y.PNG": "y.PNG",
        "": "upload",
        "a\0b<img>.p ng": "a_b_img_.png",
        "Grüße aus 京都.jpeg": "Grüße aus 京都.jpeg",
        "a.tar.gz": "a_tar.gz",
    }
    assert {name: harmless_name(name) for name in names} == names
    assert len(harmless_name("京" * 300 + ".png").encode()) < 100


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"multipart/form-data", form(("a", b""))),
        (KIND, b""),
        (KIND, form()),
        (KIND, form(("a", b""), name="file")),
        (KIND, form(("a", b"1"))[:-40]),
        (KIND, form(*[("a", b"1")] * (MAX_FILES + 1))),
        (KIND, MARK + (b"\r\n" + MARK) * 100_000),
        (KIND, form(("a", b"x" * 101))),
    ],
)
def test_what_is_no_upload_is_refused_and_leaves_nothing(
    tmp_path: Path, kind: bytes, body: bytes
) -> None:
    with pytest.raises(ValueError, match=r"form|files|boundary|bytes"):
        Uploads(tmp_path, 100).store("a", kind, body)
    assert list(tmp_path.iterdir()) == []


def test_the_head_of_a_file_is_short_and_read_line_by_line(tmp_path: Path) -> None:
    def body(head: bytes) -> bytes:
        return b"\r\n".join([MARK, head, b"", b"abc", MARK + b"--", b""])

    line = b'Content-Disposition: form-data; name="files"; filename="a.png"'
    repeated = line + b"content-disposition: form-data;" * 10_000
    for head in (repeated, b"x: " + bytes(MAX_HEAD) + b"\r\n" + line):
        with pytest.raises(ValueError, match=f"at most {MAX_HEAD} bytes"):
            Uploads(tmp_path, 100).store("a", KIND, body(head))
    for head in (b"x: " + line, line.replace(b"files", b"file"), line.replace(b'"', b"'")):
        with pytest.raises(ValueError, match="not 0"):
            Uploads(tmp_path, 100).store("a", KIND, body(head))
    for head in (line, b"x: y\r\n" + line, line.replace(b"Content-D", b"content-d")):
        (path,) = Uploads(tmp_path, 100).store("a", KIND, body(head))
        assert Path(path).read_bytes() == b"abc"


def test_uploads_of_one_byte_are_refused_when_the_disk_has_no_room_for_them(tmp_path: Path) -> None:
    with TempFolder(tmp_path) as files:
        before = files.size()
        uploads = small_room(files.pictures, 200_000, 100_000, Clock())
        kept = []
        for client in ("a", "b", "c"):
            with pytest.raises(BusyError, match="room"):
                while True:
                    kept += uploads.store(client, KIND, form(("x", b"1")))
        assert len(kept) < 40
        assert all(Path(path).read_bytes() == b"1" for path in kept)
        assert 0 < files.size() - before <= 200_000
        files.sweep()
        assert all(Path(path).exists() for path in kept)


def test_an_address_that_fills_its_share_leaves_room_for_others(tmp_path: Path) -> None:
    uploads = small_room(tmp_path, 200_000, 50_000, Clock())
    with pytest.raises(BusyError, match="your uploads"):
        while True:
            uploads.store("busy", KIND, form(("x", bytes(9_000))))
    with pytest.raises(BusyError, match="your uploads"):
        uploads.check("busy", 30_000)
    assert uploads.store("other", KIND, form(("x", bytes(9_000))))


def test_an_upload_without_room_for_all_of_its_files_leaves_none(tmp_path: Path) -> None:
    uploads = small_room(tmp_path, 50_000, 50_000, Clock())
    with pytest.raises(BusyError, match="room"):
        uploads.store("a", KIND, form(*[("x", bytes(9_000))] * 5))
    assert list(tmp_path.iterdir()) == []


def test_room_comes_back_with_what_was_used_and_what_nobody_used(tmp_path: Path) -> None:
    clock = Clock()
    uploads = small_room(tmp_path, 50_000, 50_000, clock)

    def fill() -> list[Path]:
        kept: list[Path] = []
        with pytest.raises(BusyError):
            while True:
                kept += map(Path, uploads.store("a", KIND, form(("x", bytes(9_000)))))
        clock.now += 10
        return kept

    first, second, *_ = fill()
    remove_upload(first)  # used
    second.write_bytes(b"small")  # used, and shown
    third, *_ = fill()
    assert second.exists() and third.exists() and not first.parent.exists()
    clock.now += UNUSED_SECONDS
    assert len(fill()) > 1
    assert second.exists() and not third.exists()


def test_a_full_disk_refuses_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=1_000_000))
    with pytest.raises(OSError) as refused:
        store(tmp_path, ("a", b"1"))
    assert "disk of this server is full" in str(words_for(refused.value))
    assert list(tmp_path.iterdir()) == []


def test_files_called_lock_are_counted_and_removed(tmp_path: Path) -> None:
    with TempFolder(tmp_path, max_bytes=10) as files:
        before = files.size()
        (files.folder / "a").mkdir()
        (files.folder / "a" / ".lock").write_bytes(b"x" * 50)
        assert files.size() - before >= 50
        files.sweep()
        assert not (files.folder / "a" / ".lock").exists()
        assert (files.folder / ".lock").exists()


def test_two_visitors_upload_different_files_under_one_name(
    pipeline: VARPipeline, tmp_path: Path
) -> None:
    engine = LocalEngine(pipeline.info, lambda dtype: pipeline)
    kind = {"content-type": KIND.decode()}
    with serving(engine, tmp_path) as (url, _):
        answers = [
            Client(url, 2 + number).ask("POST", f"{API}/upload?upload_id=x", form(file), **kind)
            for number, file in enumerate([("a.png", b"one"), ("a.png", b"two"), (".lock", b"")])
        ]
        assert [status for status, _ in answers] == [200] * 3
        paths = [text.strip('[]"') for _, text in answers]
        for path, content in zip(paths, ("one", "two", ""), strict=True):
            assert Path(path).read_text() == content and tmp_path in Path(path).parents
        shown = Client(url).ask("GET", f"{API}/file={paths[0]}")
        assert shown == (200, "one")
        progress = Client(url).ask("GET", f"{API}/upload_progress?upload_id=never")
        assert progress == (200, 'data: {"msg": "done"}\n\n')
