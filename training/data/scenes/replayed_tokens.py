"""Tokens of scenes or clips that are painted while the network learns, each shown several times.

A GPU takes steps faster than processes paint scenes. So all that were painted so far are kept, as
tokens, and every batch is drawn from them; none is waited for after the first ones, and encoding
new ones takes a small part of the time.
"""

import logging
import time

import torch
from torch import Tensor

from training.data.scenes.painting import PaintedChunk
from training.data.scenes.pictures import SEED, ScenePictures
from training.data.scenes.stream import StreamOptions
from training.data.token_source import EncodedPictures, TokenBatch, encode_pictures, summed_features
from training.loop.picture_random import PictureRandom
from var_core.tokenizer import MultiScaleVQVAE

logger = logging.getLogger(__name__)

CHUNK = 128  # scenes, or frames of clips, that are painted and encoded together
AHEAD = 4  # chunks per process
CAPACITY = 1 << 20  # scenes kept; then the oldest give way
FIRST_BATCHES = 4  # so many batches' worth of scenes are waited for
MAX_SHARE = 0.25  # of the time since the first batch, for new scenes


class ReplayedTokens:
    """Random batches of all scenes that processes have painted so far.

    What a batch holds depends on how fast they paint: a run that resumes begins with none, and
    sees other scenes than one that was not stopped.

    Args:
        pictures: the scenes.
        tokenizer: frozen; its device is that of the run.
        with_features: whether training batches have features; they are sums of all scales here.
        workers: processes that paint.
        rank: this process of the run.
        num_processes: processes of the run.
        chunk: scenes or frames that are painted together.
        capacity: scenes to keep.
    """

    def __init__(
        self,
        pictures: ScenePictures,
        tokenizer: MultiScaleVQVAE,
        with_features: bool,
        workers: int,
        rank: int = 0,
        num_processes: int = 1,
        chunk: int = CHUNK,
        capacity: int = CAPACITY,
    ) -> None:
        self.tokenizer = tokenizer
        self.with_features = with_features
        self.encoded = EncodedPictures(pictures, tokenizer, with_features)
        options = StreamOptions(
            seed=SEED,
            batch_size=-(-chunk // pictures.num_frames),
            side=pictures.side,
            rank=rank,
            num_processes=num_processes,
            ahead=AHEAD * workers,
            workers=workers,
        )
        self.painters = pictures.painters(options)
        self.num_seen = 0  # scenes painted so far
        self._first_time: float | None = None
        self._seconds = 0.0  # spent on new scenes since then
        num_tokens, device = tokenizer.schedule.num_tokens, tokenizer.device
        self.tokens = torch.empty(capacity, num_tokens, dtype=torch.int32, device=device)
        self.styles = torch.empty(capacity, 1, dtype=torch.int64)
        self.phrases = torch.empty(0, 0, dtype=torch.int64)

    @property
    def num_kept(self) -> int:
        """Scenes to draw from."""
        return min(self.num_seen, len(self.tokens))

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
        size = len(rows)
        while self.num_kept < min(FIRST_BATCHES * size, len(self.tokens)):
            self._keep(self.painters.wait())
        if self._first_time is None:
            self._first_time = time.monotonic()
        while self.painters.is_ready():
            now = time.monotonic()
            if self._seconds > MAX_SHARE * (now - self._first_time):
                break
            self._keep(self.painters.wait())
            self._seconds += time.monotonic() - now
        rows = random.integers(self.num_kept)
        tokens = self.tokens[rows.to(self.tokens.device)].long()
        features = summed_features(self.tokenizer, tokens) if self.with_features else None
        return TokenBatch(tokens, features, self.styles[rows], self.phrases[rows])

    def fixed(self, split: str, limit: int) -> TokenBatch:
        """Tokens of the fixed scenes of a split."""
        return self.encoded.fixed(split, limit)

    def close(self) -> None:
        """Stop the processes that paint."""
        self.painters.close()
        logger.info("%d scenes were painted", self.num_seen)

    def _keep(self, chunk: PaintedChunk) -> None:
        if not len(self.phrases):
            width = chunk.phrases.shape[1]
            self.phrases = torch.empty(len(self.tokens), width, dtype=torch.int64)
        images = chunk.images.to(self.tokenizer.device).float().div_(127.5).sub_(1)
        tokens, _ = encode_pictures(self.tokenizer, images)
        rows = torch.arange(self.num_seen, self.num_seen + len(tokens)) % len(self.tokens)
        self.tokens[rows.to(tokens.device)] = tokens.to(torch.int32)
        self.styles[rows] = chunk.styles
        self.phrases[rows] = chunk.phrases
        self.num_seen += len(tokens)
