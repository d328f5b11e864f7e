"""The tokens of a prepared set, encoded once, as a source for a transformer run."""

import torch
from torch import Tensor

from training.data.prepared_pictures import PreparedPictures
from training.data.prepared_set import evenly
from training.data.token_files import TokenFiles
from training.data.token_source import TokenBatch
from training.loop.picture_random import PictureRandom
from var_core.tokenizer import MultiScaleVQVAE


class CachedTokens:
    """The tokens of a prepared set, as a source for a transformer run.

    Args:
        pictures: prepared set; row i of the files belongs to its picture i.
        tokenizer: frozen tokenizer, on the device of the run.
        files: tokens of all pictures of the set.
        plain_share: part of a training batch that is shown without zoom and shift.
        with_features: whether training batches have the features before quantization.
    """

    def __init__(
        self,
        pictures: PreparedPictures,
        tokenizer: MultiScaleVQVAE,
        files: TokenFiles,
        plain_share: float,
        with_features: bool,
    ) -> None:
        self.pictures = pictures
        self.tokenizer = tokenizer
        self.files = files
        self.plain_share = plain_share
        self.with_features = with_features

    @property
    def num_train(self) -> int:
        """Training pictures of an epoch."""
        return self.pictures.num_train

    @property
    def can_read_ahead(self) -> bool:
        """Tokens are read from files."""
        return True

    def train_batch(self, rows: Tensor, random: PictureRandom) -> TokenBatch:
        """Tokens of training pictures, each in a random view; on the CPU."""
        rows = torch.as_tensor(self.pictures.data.splits["train"])[rows]
        view = random.integers(self.files.views.count)
        plain = random.uniform() < self.plain_share
        view = torch.where(plain, 0, view)
        features = None
        if self.with_features:
            shape = self.tokenizer.schedule.latent_shape
            features = self.files.latents(view, rows).float().unflatten(1, (-1, *shape))
        tokens = self.files.tokens(view, rows)
        captions = self.pictures.captions(rows, random)
        return TokenBatch(tokens, features, self.pictures.labels[rows], captions)

    def fixed(self, split: str, limit: int) -> TokenBatch:
        """Tokens of the fixed pictures of a split, in the plain view."""
        rows = torch.as_tensor(evenly(self.pictures.data.splits[split], limit))
        tokens = self.files.tokens(torch.zeros_like(rows), rows).to(self.tokenizer.device)
        return TokenBatch(tokens, None, self.pictures.labels[rows], self.pictures.captions(rows))
