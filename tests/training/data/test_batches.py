"""Every picture comes once an epoch, and a run that goes on takes the next ones."""

from itertools import islice

import torch
from accelerate import Accelerator
from torch import Tensor

from training.data.batches import EpochOrder, PlacedBatches, PlacesInTurn, open_batches
from training.data.picture_source import PictureBatch
from training.loop.picture_random import PictureRandom


def make_batch(rows: Tensor, random: PictureRandom) -> PictureBatch:
    """Pictures of noise; the label is the number of the picture."""
    return PictureBatch(random.uniform(3, 2, 2), rows[:, None])


def read(first: int, count: int, workers: int = 0) -> list[PictureBatch]:
    batches = PlacedBatches(make_batch, 10, seed=0)
    return list(islice(open_batches(batches, Accelerator(cpu=True), first, 4, workers), count))


def test_every_picture_comes_once_an_epoch_in_a_new_order() -> None:
    order = EpochOrder(10, seed=0)
    rows = [order.rows(torch.arange(start, start + 4)) for start in range(0, 40, 4)]
    epochs = torch.cat(rows).view(4, 10)
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs.tolist())
    assert len({tuple(epoch) for epoch in epochs.tolist()}) == 4
    assert torch.equal(order.rows(torch.arange(10)), epochs[0])  # also of an epoch that is over
    assert not torch.equal(EpochOrder(10, seed=1).rows(torch.arange(10)), epochs[0])


def test_batches_go_on_where_a_run_was_stopped() -> None:
    whole, rest = read(0, 5), read(8, 3)
    labels = torch.cat([batch.labels for batch in whole]).flatten().tolist()
    assert sorted(labels[:10]) == sorted(labels[10:]) == list(range(10))
    for ours, theirs in zip(rest, whole[2:], strict=True):
        assert torch.equal(ours.images, theirs.images)
        assert torch.equal(ours.labels, theirs.labels)


def test_processes_that_read_ahead_change_nothing() -> None:
    for ours, theirs in zip(read(0, 6, workers=2), read(0, 6), strict=True):
        assert torch.equal(ours.images, theirs.images)
        assert torch.equal(ours.labels, theirs.labels)


def test_places_are_dealt_in_turn() -> None:
    assert list(islice(PlacesInTurn(6, 3), 2)) == [[6, 7, 8], [9, 10, 11]]
