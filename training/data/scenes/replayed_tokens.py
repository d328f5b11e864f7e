"""Tokens of scenes or clips that are painted while the network learns, each shown several times.

A GPU takes steps faster than processes paint scenes. So all that were painted so far are kept, as
tokens, and every batch is drawn from them; encoding new ones takes a small part of the time.
"""

import torch
from torch import Tensor

from training.data.scenes.painting import PaintedChunk
from training.data.scenes.pictures import ScenePictures
from training.data.scenes.replay import Replay, ReplayOptions
from training.data.token_source import EncodedPictures, TokenBatch, encode_pictures, summed_features
from training.loop.picture_random import PictureRandom
from training.loop.transfer import sent
from var_core.tokenizer import MultiScaleVQVAE

CAPACITY = 1 << 20  # scenes kept; then the oldest give way


class ReplayedTokens:
    """Random batches of all scenes that processes have painted so far.

    What a batch holds depends on how fast they paint: a run that resumes begins with none, and
    sees other scenes than one that was not stopped.

    Args:
        pictures: the scenes.
        tokenizer: frozen; its device is that of the run.
        with_features: whether training batches have features; they are sums of all scales here.
        options: processes that paint, and how many scenes are kept.
    """

    def __init__(
        self,
        pictures: ScenePictures,
        tokenizer: MultiScaleVQVAE,
        with_features: bool,
        options: ReplayOptions,
    ) -> None:
        self.tokenizer = tokenizer
        self.with_features = with_features
        self.encoded = EncodedPictures(pictures, tokenizer, with_features)
        self.replay = Replay(pictures, options, self._keep)
        num_tokens, device = tokenizer.schedule.num_tokens, tokenizer.device
        self.tokens = torch.empty(options.capacity, num_tokens, dtype=torch.int32, device=device)
        self.styles = torch.empty(options.capacity, 1, dtype=torch.int64)
        self.phrases = torch.empty(0, 0, dtype=torch.int64)

    @property
    def num_train(self) -> int:
        """Scenes never end."""
        return 0

    @property
    def can_read_ahead(self) -> bool:
        """Scenes are kept on the device of the run."""
        return False

    def train_batch(self, rows: Tensor, random: PictureRandom) -> TokenBatch:
        """Random scenes of those that are kept, as many as there are rows."""
        self.replay.take_in(len(rows))
        rows = random.integers(self.replay.num_kept)
        tokens = self.tokens[sent(rows, self.tokens.device)].long()
        features = summed_features(self.tokenizer, tokens) if self.with_features else None
        return TokenBatch(tokens, features, self.styles[rows], self.phrases[rows])

    def fixed(self, split: str, limit: int) -> TokenBatch:
        """Tokens of the fixed scenes of a split."""
        return self.encoded.fixed(split, limit)

    def close(self) -> None:
        """Stop the processes that paint."""
        self.replay.close()

    def _keep(self, chunk: PaintedChunk, rows: Tensor) -> None:
        if not len(self.phrases):
            width = chunk.phrases.shape[1]
            self.phrases = torch.empty(len(self.tokens), width, dtype=torch.int64)
        device = self.tokens.device
        images = chunk.images.to(device, non_blocking=True).float().div_(127.5).sub_(1)
        tokens, _ = encode_pictures(self.tokenizer, images)
        self.tokens[sent(rows, device)] = tokens.to(torch.int32)
        self.styles[rows] = chunk.styles
        self.phrases[rows] = chunk.phrases
