"""Tokens of scenes that processes describe in advance, for a device that learns faster than one."""

from torch import Generator

from training.data.scenes.pictures import SEED, ScenePictures
from training.data.scenes.stream import SceneStream, StreamOptions
from training.data.token_source import EncodedPictures, TokenBatch, encode_pictures
from var_core.tokenizer import MultiScaleVQVAE

AHEAD = 3  # batches per describing process


class StreamedTokens:
    """Batches of scenes in their order; batch n of a process is the same in every run.

    Unlike other sources it counts its batches: a run that resumes calls `start_at` first.

    Args:
        pictures: the scenes.
        tokenizer: frozen; its device is that of the run.
        with_features: whether training batches keep the features before quantization.
        batch_size: scenes of a batch.
        workers: processes that describe scenes.
        rank: this process of the run.
        num_processes: processes of the run.
    """

    def __init__(
        self,
        pictures: ScenePictures,
        tokenizer: MultiScaleVQVAE,
        with_features: bool,
        batch_size: int,
        workers: int,
        rank: int = 0,
        num_processes: int = 1,
    ) -> None:
        self.tokenizer = tokenizer
        self.with_features = with_features
        self.encoded = EncodedPictures(pictures, tokenizer, with_features)
        options = StreamOptions(
            seed=SEED,
            batch_size=batch_size,
            side=pictures.side,
            rank=rank,
            num_processes=num_processes,
            ahead=AHEAD * workers,
            workers=workers,
        )
        renderer = pictures.renderer(tokenizer.device)
        self.stream = SceneStream(renderer, pictures.captioner, options)

    def start_at(self, step: int) -> None:
        """Go on with the batch of a step; before the first batch is taken."""
        self.stream.next_batch = step

    def train_batch(self, generator: Generator, size: int) -> TokenBatch:
        """The next batch; the generator has no part in it.

        Raises:
            ValueError: if the size is not that of the stream.
        """
        if size != self.stream.options.batch_size:
            raise ValueError(f"batches hold {self.stream.options.batch_size} scenes, not {size}")
        batch = next(self.stream)
        tokens, features = encode_pictures(self.tokenizer, batch.images)
        kept = features if self.with_features else None
        return TokenBatch(tokens, kept, batch.styles.unsqueeze(1), batch.phrases)

    def fixed(self, split: str, limit: int) -> TokenBatch:
        """Tokens of the fixed scenes of a split."""
        return self.encoded.fixed(split, limit)
