"""Captions reach the network as vectors, one for each text."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.training.data.source_makers import write_shards
from tests.training.tiny import final_weights, random_of, run_tokenizer, run_transformer
from training import export
from training.data import caption_vectors
from training.data.caption_vectors import read_vectors, write_vectors
from training.data.prepared_pictures import PreparedPictures
from training.prepare import phrases
from training.prepare.shards import main as prepare
from var_core import VARPipeline, generators_from_seeds


class Letters:
    """Counts letters; remembers what it was asked."""

    name, width = "letters", 26

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> Tensor:
        self.asked += texts
        counts = [[text.count(chr(97 + letter)) for letter in range(26)] for text in texts]
        return torch.nn.functional.normalize(torch.tensor(counts, dtype=torch.float32))


@pytest.fixture
def captioned(tmp_path: Path) -> Path:
    source = write_shards(tmp_path / "tars", pictures=16)
    out = tmp_path / "set"
    arguments = ["--source", str(source), "--out", str(out), "--size", "64"]
    assert prepare([*arguments, "--caption-columns", "txt", "--validation", "0.2"]) == 0
    return out


def test_each_text_is_encoded_once_and_what_is_there_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caption_vectors, "FILE_PHRASES", 4)
    texts, encoder = [f"text {chr(97 + n)}" for n in range(10)], Letters()
    assert read_vectors(tmp_path, texts) is None
    write_vectors(tmp_path, texts, encoder)
    assert encoder.asked == texts
    vectors = read_vectors(tmp_path, texts)
    assert vectors is not None and torch.equal(vectors, Letters().encode(texts).half())
    (tmp_path / "phrase_vectors" / "000000004.npy").write_bytes(b"half")
    with pytest.raises(ValueError, match=r"000000004\.npy is missing or damaged; run: python"):
        read_vectors(tmp_path, texts)
    write_vectors(tmp_path, texts, encoder)
    assert encoder.asked == texts + texts[4:8]
    with pytest.raises(ValueError, match="vectors of other phrases"):
        read_vectors(tmp_path, texts[1:])
    with pytest.raises(ValueError, match="vectors of other phrases"):
        write_vectors(tmp_path, texts[1:], encoder)


def test_a_transformer_learns_from_the_captions_of_a_set(
    captioned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(phrases, "open_embedded_encoder", Letters)
    assert phrases.main(["--data", str(captioned)]) == 0
    assert "2 phrases have a vector of 26 numbers" in capsys.readouterr().out
    pictures = PreparedPictures.open(captioned)
    batch = pictures.fixed("train", 4)
    assert batch.captions is not None and set(batch.captions.flatten().tolist()) <= {0, 1}
    said = pictures.words(batch.labels, batch.captions)
    assert all(line.startswith("a picture of kind ") and "," in line for line in said)
    assert run_tokenizer(captioned, tmp_path / "tok", 2) == 0
    made = tmp_path / "tok" / "tokenizer"
    assert run_transformer(captioned, made, tmp_path / "var", 2) == 0
    shapes = {tuple(value.shape) for value in final_weights(tmp_path / "var").values()}
    assert (32, 26) in shapes  # from a vector of a phrase to the width of the network
    joined = ["--tokenizer", made, "--transformer", tmp_path / "var" / "transformer"]
    joined += ["--data", captioned, "--out", tmp_path / "model", "--sketch-steps", "0"]
    assert export.main([*map(str, joined)]) == 0
    pipeline = VARPipeline.from_pretrained(tmp_path / "model")
    prompt, random = "a picture of kind 1", generators_from_seeds([0])
    assert pipeline(prompt=prompt, generator=random).images[0].size == (64, 64)


def test_one_of_several_captions_is_said_at_a_time(captioned: Path) -> None:
    pictures = PreparedPictures.open(captioned)
    pictures.vectors = torch.zeros(5, 26)
    captions = np.array([[0, 1, 2], [3, -1, -1], [-1, -1, -1]], np.int32)
    object.__setattr__(pictures.data, "captions", captions)
    rows = torch.tensor([0, 1, 2] * 50)
    found = pictures.captions(rows, random_of(150))
    assert found is not None
    said = found.view(50, 3)
    assert set(said[:, 0].tolist()) == {0, 1, 2}
    assert set(said[:, 1].tolist()) == {3} and set(said[:, 2].tolist()) == {-1}
