"""Packages are verified, cached and read without writing."""

import hashlib
import io
import tarfile

import pytest

from training.data import npm_packages
from training.data.npm_packages import Package, PackageError, fetch_package, read_members


def test_members_are_read_without_links_or_other_folders(tmp_path) -> None:
    archive = tmp_path / "a.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        for name in ("package/icons.json", "package/other.js", "../icons.json"):
            info = tarfile.TarInfo(name)
            info.size = 2
            tar.addfile(info, io.BytesIO(b"{}"))
        link = tarfile.TarInfo("package/icons.json.link")
        link.type, link.linkname = tarfile.SYMTYPE, "icons.json"
        tar.addfile(link)
    assert read_members(archive, ("icons.json",)) == {"icons.json": b"{}"}


def fake_npm_pack(content: bytes):
    def pack(package: Package, folder):
        archive = folder / package.file_name
        archive.write_bytes(content)
        return archive

    return pack


def test_verified_archive_is_not_fetched_again(tmp_path, monkeypatch) -> None:
    package = Package("@scope/name", "1.0.0", hashlib.sha256(b"good").hexdigest())
    monkeypatch.setattr(npm_packages, "_npm_pack", fake_npm_pack(b"good"))
    path = fetch_package(package, tmp_path)
    assert path.name == "scope-name-1.0.0.tgz"
    monkeypatch.setattr(npm_packages, "_npm_pack", None)
    assert fetch_package(package, tmp_path).read_bytes() == b"good"


def test_archive_with_another_hash_is_refused_and_not_kept(tmp_path, monkeypatch) -> None:
    package = Package("name", "1.0.0", hashlib.sha256(b"good").hexdigest())
    monkeypatch.setattr(npm_packages, "_npm_pack", fake_npm_pack(b"bad"))
    with pytest.raises(PackageError, match=r"name@1\.0\.0 has sha256 .* expected"):
        fetch_package(package, tmp_path)
    assert list(tmp_path.iterdir()) == []
