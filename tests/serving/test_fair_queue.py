"""The queue in front of the engine, on a clock of its own."""

import pytest

from var_core.serving.fair_queue import BusyError, FairQueue, LateError, QueueLimits


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_clients_take_turns_and_nobody_waits_for_a_flood() -> None:
    turns = FairQueue(QueueLimits())
    first, second, third = (turns.join("flood") for _ in range(3))
    honest = turns.join("honest")
    places = [turns.wait(turn, 0) for turn in (first, honest, second, third)]
    assert places == [0, 1, 2, 3]
    turns.leave(first)
    assert [turns.wait(turn, 0) for turn in (honest, second, third)] == [0, 1, 2]
    turns.leave(honest)
    assert turns.wait(second, 0) == 0


def test_places_are_bounded_for_each_client_and_for_all() -> None:
    turns = FairQueue(QueueLimits(waiting=2, per_client=2))
    mine = [turns.join("me"), turns.join("me")]
    with pytest.raises(BusyError, match="2 of your drawings"):
        turns.join("me")
    turns.join("you")
    with pytest.raises(BusyError, match="2 others are waiting"):
        turns.join("somebody")
    assert turns.counts() == (1, 2)
    turns.leave(mine[1])
    turns.leave(mine[1])
    assert turns.counts() == (1, 1)
    turns.join("me")


def test_several_run_at_once_where_that_is_allowed() -> None:
    turns = FairQueue(QueueLimits(running=2))
    jobs = [turns.join(name) for name in "abc"]
    assert [turns.wait(job, 0) for job in jobs] == [0, 0, 2]


def test_who_takes_too_long_loses_the_turn() -> None:
    clock = Clock()
    turns = FairQueue(QueueLimits(seconds=10), clock)
    slow, next_one = turns.join("a"), turns.join("b")
    clock.now = 9
    turns.check(slow)
    assert turns.wait(next_one, 0) == 1
    clock.now = 11
    with pytest.raises(LateError, match="may take 10 seconds"):
        turns.check(slow)
    assert turns.wait(next_one, 0) == 0
    with pytest.raises(LateError):
        turns.check(slow)


def test_waiting_ends_when_the_turn_comes() -> None:
    turns = FairQueue(QueueLimits())
    running, waiting = turns.join("a"), turns.join("b")
    turns.leave(running)
    assert turns.wait(waiting, 60) == 0
