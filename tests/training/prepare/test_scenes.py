"""The command that makes sprites and vectors of phrases; packages are made up here."""

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from training.data.emoji_sources import PACKS
from training.data.npm_packages import PackageError
from training.data.scenes import Phrases, SceneRenderer, make_scene, read_phrase_vectors, read_table
from training.data.scenes.sprite_drawing import character_key
from training.data.scenes.thing_words import ANNOTATIONS, LANGUAGES
from training.data.scenes.things import read_things
from training.prepare import scenes

THINGS = ("🦊 fox | | vixen", "🍞 bread | mass |", "⭐ star | sky |", "🏠 house | | home")


class FakeEncoder:
    """Vectors from letters."""

    name = "fake-encoder"

    def encode(self, texts) -> torch.Tensor:
        vectors = np.full((len(texts), 64), 1e-3, np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for letter in text:
                row[ord(letter) % 64] += 1
        return torch.from_numpy(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def write_archive(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def made_up_packages(folder: Path, characters: list[str]) -> dict[str, Path]:
    """Write archives of two packs and of the annotations: package name -> archive."""
    picture = io.BytesIO()
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[10:50, 20:40] = (200, 30, 60, 255)
    Image.fromarray(pixels).save(picture, "WEBP", lossless=True)
    names = {character_key(character): f"icon-{i}" for i, character in enumerate(characters)}
    body = '<circle cx="18" cy="18" r="9" fill="#2080c0"/>'
    icons = {"width": 36, "height": 36, "icons": {name: {"body": body} for name in names.values()}}
    words = {
        "annotations": {
            "annotations": {
                character: {"tts": [f"name of {character}"], "default": ["animal"]}
                for character in characters
            }
        }
    }
    contents = {
        "fluent-3d": {f"assets/{key.lower()}.webp": picture.getvalue() for key in names},
        "twemoji": {
            "icons.json": json.dumps(icons).encode(),
            "chars.json": json.dumps({key.lower(): name for key, name in names.items()}).encode(),
        },
        "words": {
            f"annotations/{language}/annotations.json": json.dumps(words).encode()
            for language in LANGUAGES.values()
        },
    }
    packages = {pack.style: pack.package.name for pack in PACKS} | {"words": ANNOTATIONS.name}
    return {
        packages[style]: write_archive(folder / f"{style}.tgz", files)
        for style, files in contents.items()
    }


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replace things, packages and encoder; returns the folder to write."""
    listed = tmp_path / "things.txt"
    listed.write_text("\n".join(["[things]", *THINGS]), encoding="utf-8")
    things = read_things(listed)
    archives = made_up_packages(tmp_path, [thing.character for thing in things])
    monkeypatch.setattr(scenes, "read_things", lambda core: things)
    monkeypatch.setattr(scenes, "fetch_package", lambda package, folder: archives[package.name])
    monkeypatch.setattr(scenes, "UniversalSentenceEncoder", FakeEncoder)
    return tmp_path / "out"


def test_the_command_makes_a_folder_that_can_be_painted_from(
    made_up: Path, capsys: pytest.CaptureFixture
) -> None:
    assert scenes.main(["--out", str(made_up), "--styles", "fluent-3d,twemoji"]) == 0
    assert "8 sprites of 4 things" in capsys.readouterr().out
    table = read_table(made_up)
    assert table.styles == ("fluent-3d", "twemoji")
    assert table.sizes[0] == (92, 184)
    assert table.sizes[4] == (184, 184)
    credits_list = json.loads((made_up / "sprites.json").read_text())["credits"]
    assert [entry["licence"] for entry in credits_list] == ["MIT", "CC-BY-4.0", "Unicode-3.0"]
    vectors = read_phrase_vectors(made_up, Phrases(table))
    assert vectors.dtype == torch.float16
    images = SceneRenderer(table).render([make_scene(table, 0, index) for index in range(4)], 32)
    assert images.isfinite().all()


def test_an_unknown_style_is_refused(made_up: Path, capsys: pytest.CaptureFixture) -> None:
    assert scenes.main(["--out", str(made_up), "--styles", "noto,crayon"]) == 2
    assert "noto,crayon" in capsys.readouterr().err
    assert not made_up.exists()


def test_a_thing_that_a_pack_lacks_is_named(
    made_up: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    (thing, *_) = read_things()
    monkeypatch.setattr(scenes, "read_things", lambda core: [replace(thing, character="🛸")])
    assert scenes.main(["--out", str(made_up), "--styles", "twemoji"]) == 2
    assert "has no" in capsys.readouterr().err


def test_sprites_that_are_too_large_are_refused(
    made_up: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scenes, "MAX_BYTES", 100)
    with pytest.raises(PackageError, match="more than 100"):
        scenes.prepare_sprites(
            made_up, ["twemoji"], lambda texts: FakeEncoder().encode(texts).numpy()
        )


@pytest.mark.network
@pytest.mark.slow
def test_the_pinned_packages_give_all_sprites(tmp_path: Path) -> None:
    assert scenes.main(["--out", str(tmp_path)]) == 0
    assert len(read_table(tmp_path).files) == 957
