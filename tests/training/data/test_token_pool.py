"""A pool keeps the tokens of the first pictures of an endless source."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.conftest import make_tokenizer
from tests.training.tiny import random_of
from training.data import token_pool
from training.data.picture_source import PictureBatch, label_words
from training.data.shared_work import claimed
from training.data.token_pool import TokenPool, fill_pool
from training.data.token_source import encode_pictures
from training.loop.picture_random import PictureRandom

CPU = torch.device("cpu")


class Colours:
    """Picture n has a colour that depends on n alone."""

    side = make_tokenizer().image_shape[0]
    label_names: Mapping = {"attributes": [{"name": "colour", "values": ["dark", "light"]}]}

    def __init__(self, name: str = "colours") -> None:
        self.stamp = {"pictures": name}
        self.painted = 0

    def numbered(self, numbers: Sequence[int], device: torch.device) -> Tensor:
        self.painted += len(numbers)
        shades = torch.tensor([(7 * number % 11) / 5.5 - 1 for number in numbers])
        return shades.view(-1, 1, 1, 1).expand(-1, 3, self.side, self.side).contiguous()

    def described(self, numbers: Tensor, random: PictureRandom) -> tuple[Tensor, Tensor]:
        return (numbers % 2).unsqueeze(1), numbers.unsqueeze(1)

    num_train, num_frames, can_read_ahead = 0, 1, False

    def words(self, labels: torch.Tensor, captions: torch.Tensor | None) -> list[str]:
        return label_words(self.label_names, labels)

    def train_batch(
        self, rows: Tensor, random: PictureRandom, device: torch.device
    ) -> PictureBatch:
        numbers = random.integers(1000)
        return PictureBatch(
            self.numbered(numbers.tolist(), device), *self.described(numbers, random)
        )

    def fixed(self, split: str, limit: int) -> PictureBatch:
        rows = torch.arange(min(limit, 3))
        return self.train_batch(rows, random_of(len(rows), len(split)), CPU)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_pool, "SHARD_PICTURES", 8)


def test_a_pool_holds_the_tokens_of_its_pictures_and_grows(tmp_path: Path) -> None:
    pictures, tokenizer = Colours(), make_tokenizer()
    small = fill_pool(tmp_path, pictures, tokenizer, 8)
    assert torch.equal(
        small.long(), encode_pictures(tokenizer, pictures.numbered(range(8), CPU))[0]
    )
    pictures.painted = 0
    large = fill_pool(tmp_path, pictures, tokenizer, 16)
    assert pictures.painted == 8 and torch.equal(large[:8], small)


def test_a_file_that_another_process_makes_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures, tokenizer = Colours(), make_tokenizer()
    alone = fill_pool(tmp_path / "alone", pictures, tokenizer, 16)
    fill_pool(tmp_path / "pool", pictures, tokenizer, 8)
    pictures.painted = 0
    last = "tokens-00000008.safetensors"

    def finish(_: float) -> None:
        (tmp_path / "alone" / last).rename(tmp_path / "pool" / last)

    monkeypatch.setattr("training.data.shared_work.time.sleep", finish)
    with claimed(tmp_path / "pool" / last) as is_free:
        assert is_free
        shared = fill_pool(tmp_path / "pool", pictures, tokenizer, 16, 1, 2)
    assert torch.equal(shared, alone) and pictures.painted == 0


def test_a_batch_shows_what_is_said_of_it(tmp_path: Path) -> None:
    pictures, tokenizer = Colours(), make_tokenizer()
    pool = TokenPool(pictures, tokenizer, tmp_path, 16, with_features=True)
    rows = torch.tensor([3, 15, 0, 7, 8])
    batch, again = (pool.train_batch(rows, random_of(5)) for _ in range(2))
    assert pool.num_train == 16 and batch.captions is not None
    assert batch.captions.flatten().tolist() == rows.tolist()
    assert torch.equal(batch.tokens, again.tokens) and batch.captions is not None
    own = encode_pictures(tokenizer, pictures.numbered(batch.captions[:, 0].tolist(), CPU))[0]
    assert torch.equal(batch.tokens, own)
    assert batch.features is not None and batch.features.shape[0] == 5
    assert len(pool.fixed("validation", 9).tokens) == 3


def test_a_pool_of_others_is_refused(tmp_path: Path) -> None:
    fill_pool(tmp_path, Colours(), make_tokenizer(), 8)
    with pytest.raises(ValueError, match="other pictures or of another tokenizer"):
        fill_pool(tmp_path, Colours("others"), make_tokenizer(), 8)
    other = make_tokenizer()
    other.quantizer.codebook.weight.add_(1)
    with pytest.raises(ValueError, match="other pictures or of another tokenizer"):
        fill_pool(tmp_path, Colours(), other, 8)
    with pytest.raises(ValueError, match="a multiple of 8 pictures, not 9"):
        fill_pool(tmp_path, Colours(), make_tokenizer(), 9)
