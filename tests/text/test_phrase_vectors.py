import threading
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.prompted_models import TEXT_DIM, FakeEncoder
from var_core.text import PHRASES_FILE, PhraseTable, PhraseVectors

TABLE = PhraseTable.encode(FakeEncoder(), ["a fox", "in the snow"])


def test_stored_phrases_need_no_encoder_and_capitals_do_not_matter() -> None:
    def refuse() -> FakeEncoder:
        raise AssertionError("the encoder was opened")

    vectors = PhraseVectors(TABLE, refuse)
    assert torch.equal(vectors.vectors(["In the snow", "a fox"]), TABLE.vectors.flip(0))
    assert vectors.vectors([]).shape == (0, TEXT_DIM)


def test_free_words_open_the_encoder_once_and_are_encoded_once() -> None:
    opened: list[FakeEncoder] = []

    def open_encoder() -> FakeEncoder:
        opened.append(FakeEncoder())
        return opened[-1]

    vectors = PhraseVectors(TABLE, open_encoder)
    found: list[torch.Tensor] = []

    def ask() -> None:
        found.append(vectors.vectors(["a puppy", "a fox", "a kitten"]))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 1 and sorted(opened[0].asked) == ["a kitten", "a puppy"]
    assert all(torch.equal(one, found[0]) for one in found) and len(found) == 4
    assert torch.equal(found[0][1], TABLE.vectors[0])


def test_slots_are_the_same_bits_in_any_order_of_the_phrases() -> None:
    vectors = PhraseVectors(TABLE, FakeEncoder)
    phrases, is_given = vectors.slots([("b", "a", "c"), ("c", "b", "a"), ()], 4)
    assert phrases.shape == (3, 4, TEXT_DIM) and phrases.dtype == torch.float32
    assert is_given.tolist() == [[True, True, True, False]] * 2 + [[False] * 4]
    assert torch.equal(phrases[0], phrases[1]) and not phrases[2].any()


def test_an_encoder_of_another_width_is_refused() -> None:
    vectors = PhraseVectors(TABLE, lambda: FakeEncoder(9))
    with pytest.raises(ValueError, match="fake has vectors of width 9, this model takes 6"):
        vectors.vectors(["a puppy"])


def test_a_table_is_saved_with_its_phrases(tmp_path: Path) -> None:
    table = PhraseTable.encode(FakeEncoder(), ["a fox", "eine Eule", "狐"])
    table.save(tmp_path)
    loaded = PhraseTable.load(tmp_path)
    assert loaded.encoder == "fake" and loaded.phrases == table.phrases
    assert torch.equal(loaded.vectors, table.vectors)
    empty = PhraseTable("fake", (), torch.zeros(0, TEXT_DIM))
    empty.save(tmp_path)
    assert PhraseTable.load(tmp_path).width == TEXT_DIM


@pytest.mark.parametrize(
    ("vectors", "phrases", "message"),
    [
        (torch.eye(2), ("a",), "1 phrases need as many"),
        (torch.eye(2).double(), ("a", "b"), "float32"),
        (torch.eye(2) * 2, ("a", "b"), "length 1"),
        (torch.eye(2) * float("nan"), ("a", "b"), "length 1"),
        (torch.eye(2), ("a", "A"), "twice"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(
    vectors: torch.Tensor, phrases: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        PhraseTable("fake", phrases, vectors)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        PhraseTable.load(tmp_path)
    TABLE.save(tmp_path)
    path = tmp_path / PHRASES_FILE
    state = load_file(path)
    save_file(state, path)  # without metadata
    with pytest.raises(ValueError, match="cannot be read: 'phrases'"):
        PhraseTable.load(tmp_path)
    save_file(state, path, {"encoder": "fake", "phrases": "[1, 2]"})
    with pytest.raises(ValueError, match="no list of phrases"):
        PhraseTable.load(tmp_path)
    save_file(state | {"more": torch.zeros(1)}, path, {"encoder": "fake", "phrases": "[]"})
    with pytest.raises(ValueError, match="'vectors' alone"):
        PhraseTable.load(tmp_path)
    path.write_bytes(b"junk")
    with pytest.raises(ValueError, match="cannot be read"):
        PhraseTable.load(tmp_path)
