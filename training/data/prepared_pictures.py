"""A prepared picture set as a source of pictures."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.data.augment import UNCHANGED, Augmentation, lie_on_white
from training.data.caption_vectors import read_vectors
from training.data.picture_source import PictureBatch, label_words
from training.data.prepared_set import PreparedSet, evenly, load_prepared_set
from training.loop.picture_random import PictureRandom
from var_core.images import uint8_to_tensor

JUDGED_PICTURES = 256


class PreparedPictures:
    """The pictures of a folder that a `training.prepare` command wrote.

    Args:
        data: the opened folder.
        augmentation: how training pictures are changed.
        vectors: (n, E) vectors of the phrases of captions; without them, labels alone are told.
    """

    def __init__(
        self,
        data: PreparedSet,
        augmentation: Augmentation = UNCHANGED,
        vectors: Tensor | None = None,
    ) -> None:
        self.data = data
        self.vectors = vectors
        if augmentation.kind == "auto":
            some = data.images[evenly(data.splits["train"], JUDGED_PICTURES)]
            kind = "white" if lie_on_white(some) else "crop"
            augmentation = replace(augmentation, kind=kind)
        self.augmentation = augmentation
        self.labels = torch.as_tensor(data.labels)

    @classmethod
    def open(cls, folder: str | Path, augmentation: Augmentation = UNCHANGED) -> "PreparedPictures":
        """Open a prepared folder; the pictures stay on disk until they are used.

        Raises:
            ValueError: if a file is missing, unreadable, or does not fit the others.
        """
        data = load_prepared_set(folder)
        return cls(data, augmentation, read_vectors(Path(folder), data.phrases))

    def few(self, count: int) -> "PreparedPictures":
        """At most `count` pictures of each split, evenly spread, to try something with."""
        chosen = {name: evenly(rows, count) for name, rows in self.data.splits.items()}
        ends = np.cumsum([0, *map(len, chosen.values())])
        splits = {name: np.arange(*ends[i : i + 2]) for i, name in enumerate(chosen)}
        rows = np.concatenate(list(chosen.values()))
        images, labels = self.data.images[rows], self.data.labels[rows]
        captions = self.data.captions[rows] if self.data.captions is not None else None
        stamp = f"{count} of each split of {self.data.stamp}"
        data = replace(
            self.data, images=images, labels=labels, splits=splits, stamp=stamp, captions=captions
        )
        return PreparedPictures(data, self.augmentation, self.vectors)

    @property
    def side(self) -> int:
        """Side of the pictures in pixels."""
        return self.data.images.shape[1]

    @property
    def num_frames(self) -> int:
        """Pictures do not move."""
        return 1

    @property
    def label_names(self) -> Mapping:
        """Content of labels.json: the names behind the label indices."""
        return self.data.label_names

    @property
    def num_train(self) -> int:
        """Training pictures of an epoch."""
        return len(self.data.splits["train"])

    @property
    def can_read_ahead(self) -> bool:
        """Pictures are read from a file."""
        return True

    def words(self, labels: Tensor, captions: Tensor | None) -> list[str]:
        """The captions of some pictures, and the names of their labels."""
        named = label_words(self.label_names, labels)
        if captions is None:
            return named
        texts = (
            [self.data.phrases[int(one)] for one in row if one >= 0] for row in captions.tolist()
        )
        return [", ".join([*said, name]) for said, name in zip(texts, named, strict=True)]

    def train_batch(
        self, rows: Tensor, random: PictureRandom, device: torch.device
    ) -> PictureBatch:
        """Training pictures, changed as the augmentation says."""
        rows = torch.as_tensor(self.data.splits["train"])[rows]
        batch = self.rows(rows)
        images = self.augmentation.change(batch.images, random)
        return PictureBatch(images.to(device), batch.labels, self.captions(rows, random))

    def fixed(self, split: str, limit: int) -> PictureBatch:
        """Pictures evenly spread over a split, the same in every call."""
        return self.rows(torch.as_tensor(evenly(self.data.splits[split], limit)))

    def rows(self, rows: torch.Tensor) -> PictureBatch:
        """The pictures at some rows (N,) int64, as they are."""
        images = uint8_to_tensor(self.data.images[rows.numpy()])
        # contiguous: in channels-last order the gradient of GroupNorm is 20 times slower on a CPU
        return PictureBatch(images.contiguous(), self.labels[rows], self.captions(rows))

    def captions(self, rows: Tensor, random: PictureRandom | None = None) -> Tensor | None:
        """One of the texts about each picture (N,), the first one or any: (N, 1) int64, or -1.

        None where captions are not used.
        """
        if self.vectors is None or self.data.captions is None:
            return None
        ids = torch.from_numpy(self.data.captions[rows.numpy()].astype(np.int64))
        chosen = torch.zeros(len(rows), dtype=torch.int64)
        if random is not None:
            chosen = (random.uniform() * (ids >= 0).sum(dim=1)).long()
        return ids.gather(1, chosen.unsqueeze(1))
