"""Every upload has a place of its own, whatever it is called."""

from pathlib import Path

import pytest

from tests.clients import API, Client, serving
from var_core.pipeline import VARPipeline
from var_core.serving.local_engine import LocalEngine
from var_core.serving.temp_files import TempFolder
from var_core.serving.uploads import MAX_FILES, harmless_name, store_uploads

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
    return store_uploads(folder, KIND, form(*files), limit)


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
        store_uploads(tmp_path, kind, body, 100)
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
