"""Training batches in an order that a run can resume: every picture once an epoch."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, TypeVar

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from training.loop.checkpoint import step_generator
from training.loop.picture_random import PictureRandom
from training.loop.stop_signals import ignore_stop_signals

ORDER, CHANGES = -2, -3  # purposes of what is random
AHEAD = 4  # batches that each worker process reads ahead

Batch = TypeVar("Batch")


class EpochOrder:
    """The pictures of a set in a new random order for each epoch, one after another without end.

    Args:
        num_pictures: pictures of an epoch.
        seed: seed of the run.
    """

    def __init__(self, num_pictures: int, seed: int) -> None:
        self.num_pictures = num_pictures
        self.seed = seed
        self._orders: dict[int, Tensor] = {}

    def rows(self, places: Tensor) -> Tensor:
        """The pictures at some places of the order, (B,) int64, from 0 on; each below their count.

        They depend on seed and places alone, however many processes share the places.
        """
        epochs = places // self.num_pictures
        rows = torch.empty_like(places)
        for epoch in epochs.unique().tolist():
            is_of_epoch = epochs == epoch
            rows[is_of_epoch] = self._order(epoch)[places[is_of_epoch] % self.num_pictures]
        return rows

    def _order(self, epoch: int) -> Tensor:
        if epoch not in self._orders:
            self._orders = {k: order for k, order in self._orders.items() if k == epoch - 1}
            generator = step_generator(self.seed, epoch, ORDER)
            self._orders[epoch] = torch.randperm(self.num_pictures, generator=generator)
        return self._orders[epoch]


class PlacedBatches(Dataset[Batch]):
    """Batches by the places of their pictures; a picture depends on seed and place alone.

    Args:
        make_batch: function that makes a batch of rows (B,) int64 and random numbers.
        num_pictures: pictures of an epoch; 0 where pictures never end: then rows are places.
        seed: seed of the run.
    """

    def __init__(
        self, make_batch: Callable[[Tensor, PictureRandom], Batch], num_pictures: int, seed: int
    ) -> None:
        self.make_batch = make_batch
        self.order = EpochOrder(num_pictures, seed) if num_pictures else None
        self.seed = seed

    def __getitem__(self, index: int) -> Batch:
        return self.__getitems__([index])

    def __getitems__(self, indices: list[int]) -> Batch:
        """The batch at some places, as the loader asks for it."""
        places = torch.tensor(indices)
        rows = places if self.order is None else self.order.rows(places)
        return self.make_batch(rows, PictureRandom(self.seed, CHANGES, indices))


class PlacesInTurn:
    """Places of one batch after another, without end; Accelerate deals them to the processes.

    Args:
        first: place to begin at.
        batch_size: places of a batch.
    """

    drop_last = False

    def __init__(self, first: int, batch_size: int) -> None:
        self.first = first
        self.batch_size = batch_size

    def __iter__(self) -> Iterator[list[int]]:
        for start in count(self.first, self.batch_size):
            yield list(range(start, start + self.batch_size))


def open_batches(
    batches: PlacedBatches[Batch],
    accelerator: Accelerator,
    first: int,
    batch_size: int,
    workers: int,
) -> Iterator[Batch]:
    """The batches of this process on its device, from a place on, without end.

    Args:
        batches: batches by place; they have methods `to` and `pin_memory`.
        accelerator: the run's processes.
        first: pictures that all processes have taken before.
        batch_size: pictures per batch and process.
        workers: processes that read ahead; 0 reads in this one.
    """
    loader = DataLoader(
        batches,
        batch_sampler=PlacesInTurn(first, batch_size),
        num_workers=workers,
        prefetch_factor=AHEAD if workers else None,
        pin_memory=accelerator.device.type == "cuda",
        collate_fn=whole,
        worker_init_fn=ignore_stop_signals,
    )
    return iter(accelerator.prepare(loader))


def whole(batch: Any) -> Any:
    """A batch as it is: it was made as one."""
    return batch
