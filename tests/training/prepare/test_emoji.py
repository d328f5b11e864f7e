import hashlib
import io
import json
import os
import tarfile
from dataclasses import asdict
from itertools import chain

import numpy as np
import pytest
from PIL import Image

from training.data import npm_packages
from training.data.emoji_names import (
    Emoji,
    NameIndex,
    emoji_key,
    label_slug,
    match_sequences,
    read_emoji,
    unique_labels,
)
from training.data.emoji_render import flatten_on_white, read_cache, render_svg, write_cache
from training.data.emoji_sources import METADATA, PACKS, STYLES
from training.data.emoji_tables import Row, attribution_text, build_label_names, split_rows
from training.data.npm_packages import Package, PackageError, fetch_package, read_members
from training.data.prepared_set import load_prepared_set
from training.prepare.emoji import check_images, main

NUM_STYLES = 4


def make_emoji(key: str, label: str, base_key: str = "") -> Emoji:
    return Emoji(key, label, chr(int(key.split("-")[0], 16)), "g", "s", ("t",), base_key or key)


def make_rows(num_emoji: int = 60) -> list[Row]:
    return [
        Row(style, f"{number:X}", f"emoji {number}", "group", f"subgroup {number % 7}", ("tag",))
        for style in STYLES[:NUM_STYLES]
        for number in range(1, num_emoji + 1)
    ]


def make_table(rows: list[Row]) -> dict[str, Emoji]:
    return {row.key: make_emoji(row.key, row.label) for row in rows}


@pytest.mark.parametrize(
    ("sequence", "key"),
    [
        ("0023-fe0f-20e3", "23-20E3"),
        ("1f441-fe0f-200d-1f5e8-fe0f", "1F441-200D-1F5E8"),
        ("00a9-fe0f", "A9"),
        ("1F600", "1F600"),
    ],
)
def test_key_drops_variation_selectors_and_leading_zeros(sequence: str, key: str) -> None:
    assert emoji_key(sequence) == key


@pytest.mark.parametrize(
    ("label", "slug"),
    [
        ("one o\u2019clock", "one-oclock"),
        ("Mrs. Claus", "mrs-claus"),
        ("pi\u00f1ata", "pinata"),
        ("flag: Trinidad & Tobago", "flag-trinidad-and-tobago"),
        ("Japanese \u201creserved\u201d button", "japanese-reserved-button"),
        ("ON! arrow", "on-arrow"),
        ("keycap: #", "keycap"),
    ],
)
def test_slug_spells_labels_like_icon_names(label: str, slug: str) -> None:
    assert label_slug(label) == slug


def test_sequences_match_known_keys_that_have_a_picture_and_the_first_wins() -> None:
    table = {"A9": make_emoji("A9", "copyright"), "AE": make_emoji("AE", "registered")}
    chars = {"00a9-fe0f": "first", "a9": "second", "ae": "no-picture", "1f600": "first"}
    assert match_sequences(chars, ["first", "second"], table) == {"A9": "first"}


def test_names_match_remembered_names_before_slugs_before_joined_spellings() -> None:
    table = {
        key: make_emoji(key, label)
        for key, label in {
            "1": "red heart",
            "2": "love letter",
            "3": "flag: Chad",
            "4": "heart",
        }.items()
    }
    index = NameIndex(table)
    index.remember({"1": "heart"})
    matches = index.match(["loveletter", "heart", "flag-for-chad", "unknown", "love-letter"])
    assert matches == {"2": "loveletter", "1": "heart", "3": "flag-for-chad"}


def test_metadata_skips_ungrouped_entries_and_points_skin_tones_to_their_base() -> None:
    data = [
        {"label": "regional indicator A", "hexcode": "1F1E6", "emoji": "A"},
        {
            "label": "waving hand",
            "hexcode": "1F44B",
            "emoji": "B",
            "tags": ["wave"],
            "group": 1,
            "subgroup": 16,
            "skins": [{"label": "waving hand: light", "hexcode": "1F44B-1F3FB", "emoji": "C"}],
        },
    ]
    names = {"groups": {"1": "people-body"}, "subgroups": {"16": "hand"}}
    table = read_emoji(json.dumps(data).encode(), json.dumps(names).encode())
    assert list(table) == ["1F44B", "1F44B-1F3FB"]
    assert not table["1F44B"].has_skin_tone
    tone = table["1F44B-1F3FB"]
    assert (tone.has_skin_tone, tone.base_key, tone.tags) == (True, "1F44B", ("wave",))
    assert (tone.group, tone.subgroup) == ("people-body", "hand")


def test_labels_met_twice_get_their_character() -> None:
    emoji = [make_emoji("41", "same"), make_emoji("42", "same"), make_emoji("43", "other")]
    assert unique_labels(emoji) == {"41": "same (A)", "42": "same (B)", "43": "other"}


def test_splits_are_disjoint_complete_and_keep_held_out_emoji_in_two_other_styles() -> None:
    rows = make_rows()
    splits = split_rows(rows, np.random.default_rng(3), num_validation=20, num_held_out=30)
    assert [len(splits[name]) for name in ("validation", "held_out")] == [20, 30]
    assert sorted(chain.from_iterable(splits.values())) == list(range(len(rows)))
    for index in splits["held_out"]:
        others = {
            rows[other].style
            for other in splits["train"]
            if rows[other].key == rows[index].key and rows[other].style != rows[index].style
        }
        assert len(others) >= 2
    assert len({rows[index].style for index in splits["held_out"]}) == NUM_STYLES


def test_splits_depend_on_the_generator_alone() -> None:
    def split(seed: int) -> dict[str, list[int]]:
        return split_rows(make_rows(), np.random.default_rng(seed), 20, 30)

    assert split(1) == split(1)
    assert split(1) != split(2)


def test_split_refuses_more_held_out_pairs_than_the_rows_allow() -> None:
    with pytest.raises(ValueError, match="can be held out"):
        split_rows(make_rows(5), np.random.default_rng(0), num_validation=0, num_held_out=11)


def test_label_names_give_each_emoji_its_category() -> None:
    rows = make_rows()
    names = build_label_names(rows, make_table(rows))
    category, emoji, style = names["attributes"]
    assert [part["name"] for part in (category, emoji, style)] == ["category", "emoji", "style"]
    assert style["values"] == list(STYLES)
    by_label = {row.label: row.subgroup for row in rows}
    implied = [category["values"][index] for index in names["implies"]["emoji"]["category"]]
    assert implied == [by_label[label] for label in emoji["values"]]
    assert len(names["emoji"]["characters"]) == len(names["emoji"]["tags"]) == 60


def test_attribution_names_every_package() -> None:
    text = attribution_text()
    for package in (METADATA, *(pack.package for pack in PACKS)):
        assert f"{package.name} {package.version}" in text


def test_icons_are_centred_on_white() -> None:
    icon = {"body": '<path fill="#f00" d="M0 0h20v10H0z"/>', "height": 10}
    picture = flatten_on_white(render_svg(icon, default_width=20, default_height=20))
    assert picture.shape == (64, 64, 3)
    assert (picture[16:48] == (255, 0, 0)).all()
    assert (picture[:16] == 255).all()
    assert (picture[48:] == 255).all()


def test_transparent_pixels_become_white() -> None:
    half = Image.new("RGBA", (64, 64), (0, 0, 0, 51))
    assert (flatten_on_white(half) == 204).all()


def test_cache_is_used_only_with_its_fingerprint_and_when_whole(tmp_path) -> None:
    cache = tmp_path / "noto.npz"
    images = np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3)
    assert read_cache(cache, "a") is None
    write_cache(cache, images, "a")
    assert np.array_equal(read_cache(cache, "a"), images)
    assert read_cache(cache, "b") is None
    cache.write_bytes(cache.read_bytes()[:40])
    assert read_cache(cache, "a") is None


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


def test_missing_npm_ends_the_run_with_one_sentence(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["--out", str(tmp_path / "emoji")]) == 2
    assert capsys.readouterr().err.startswith("error: npm was not found")


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for npm is a shell script")
def test_failing_npm_ends_the_run_with_its_reason(tmp_path, monkeypatch, capsys) -> None:
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'npm error network unreachable' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["--out", str(tmp_path / "emoji")]) == 2
    message = capsys.readouterr().err
    assert "npm pack @iconify-json/noto@1.2.9 failed" in message
    assert "network unreachable" in message


def test_folder_that_cannot_be_written_ends_the_run_with_one_sentence(tmp_path, capsys) -> None:
    (tmp_path / "file").write_text("")
    assert main(["--out", str(tmp_path / "file" / "emoji")]) == 3
    assert "cannot be written" in capsys.readouterr().err


def test_a_set_with_other_counts_is_refused() -> None:
    rows = make_rows()
    with pytest.raises(PackageError, match="image shape differs"):
        check_images(np.zeros((len(rows), 64, 64, 3), np.uint8), rows)


def write_set(folder, rows: list[Row], num_images: int) -> None:
    splits = split_rows(rows, np.random.default_rng(0), num_validation=20, num_held_out=30)
    np.save(folder / "images.npy", np.zeros((num_images, 64, 64, 3), np.uint8))
    for name, value in {
        "rows": [asdict(row) for row in rows],
        "splits": splits,
        "labels": build_label_names(rows, make_table(rows)),
    }.items():
        (folder / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")


def test_loaded_labels_point_at_the_names_of_each_row(tmp_path) -> None:
    rows = make_rows()
    write_set(tmp_path, rows, len(rows))
    data = load_prepared_set(tmp_path)
    values = [part["values"] for part in data.label_names["attributes"]]
    assert data.labels.shape == (len(rows), 3)
    for row, indices in zip(rows, data.labels, strict=True):
        names = [column[index] for column, index in zip(values, indices, strict=True)]
        assert names == [row.subgroup, row.label, row.style]
    assert isinstance(data.images, np.memmap)
    assert not data.images.flags.writeable
    assert sum(len(indices) for indices in data.splits.values()) == len(rows)


def test_loading_a_missing_folder_names_the_command(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"images\.npy is missing.*prepare\.folder --out"):
        load_prepared_set(tmp_path / "nothing")


def test_loading_refuses_tables_that_do_not_fit_together(tmp_path) -> None:
    rows = make_rows()
    write_set(tmp_path, rows, len(rows) - 1)
    with pytest.raises(ValueError, match="images have"):
        load_prepared_set(tmp_path)
    write_set(tmp_path, rows, len(rows))
    splits = json.loads((tmp_path / "splits.json").read_text())
    splits["train"].append(splits["validation"][0])
    (tmp_path / "splits.json").write_text(json.dumps(splits))
    with pytest.raises(ValueError, match="overlap"):
        load_prepared_set(tmp_path)
    (tmp_path / "splits.json").write_text("{")
    with pytest.raises(ValueError, match=r"training\.prepare"):
        load_prepared_set(tmp_path)


@pytest.mark.network
def test_the_real_set_has_the_known_counts_and_hashes(tmp_path) -> None:
    assert main(["--out", str(tmp_path)]) == 0
    data = load_prepared_set(tmp_path)
    assert data.images.shape == (9144, 64, 64, 3)
    sizes = {name: len(indices) for name, indices in data.splits.items()}
    assert sizes == {"train": 8488, "validation": 256, "held_out": 400}
