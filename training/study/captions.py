"""Captions of scenes as lines of bytes, for a language model."""

from collections.abc import Sequence

import torch
from torch import Tensor

from training.data.scenes.pictures import ScenePictures
from training.data.token_source import TokenBatch
from training.loop.picture_random import PictureRandom

LENGTH = 64  # bytes of a line; what is longer is cut
END = 256  # token after the last byte
VOCAB_SIZE = 257
NO_TOKEN = -100  # places after the end, which nothing is to be predicted for


class CaptionLines:
    """The captions of numbered scenes, worded as for a VAR: `TokenSource` of the same pictures.

    A line is the UTF-8 of a caption and an end mark, cut at 64 tokens. In all languages of the
    captions a byte is the same token, so that there is no vocabulary to choose.

    Args:
        scenes: scenes to describe; nothing is painted.
        num_train: scenes to describe.
    """

    can_read_ahead = False

    def __init__(self, scenes: ScenePictures, num_train: int) -> None:
        self.scenes = scenes
        self.num_train = num_train

    def train_batch(self, rows: Tensor, random: PictureRandom) -> TokenBatch:
        """Lines of captions by the numbers of their scenes."""
        _, captions = self.scenes.described(rows, random)
        texts = self.scenes.phrases.texts
        lines = [", ".join(texts[one] for one in row if one >= 0) for row in captions.tolist()]
        return TokenBatch(to_tokens(lines), None, torch.zeros(len(rows), 1, dtype=torch.int64))

    def fixed(self, split: str, limit: int) -> TokenBatch:
        """The lines of the first scenes."""
        count = min(limit, self.num_train)
        return self.train_batch(torch.arange(count), PictureRandom(0, -1, range(count)))


def to_tokens(lines: Sequence[str]) -> Tensor:
    """Bytes and end marks of some lines, (B, 64) int64; places after the end hold NO_TOKEN."""
    tokens = torch.full((len(lines), LENGTH), NO_TOKEN, dtype=torch.int64)
    for row, line in zip(tokens, lines, strict=True):
        found = [*line.encode()[:LENGTH], END][:LENGTH]
        row[: len(found)] = torch.tensor(found)
    return tokens


def to_text(tokens: Sequence[int]) -> str:
    """The text of a line up to its end mark; broken characters at the cut become marks."""
    known = list(tokens)
    known = known[: known.index(END)] if END in known else known
    return bytes(known).decode(errors="replace")
