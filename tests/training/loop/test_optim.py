"""Learning rate and weight decay follow their schedules."""

import pytest

from training.loop.optim import learning_rate_at, weight_decay_at


def test_schedules_start_and_end_where_they_should() -> None:
    for schedule in ("cosine", "linear"):
        rates = [learning_rate_at(step, 100, 2.0, 10, 0.1, schedule) for step in range(101)]
        assert rates[0] == pytest.approx(0.2)
        assert max(rates) == rates[10] == pytest.approx(2.0)
        assert rates[-1] == pytest.approx(0.2)
        assert rates[10:] == sorted(rates[10:], reverse=True)
    straight = [learning_rate_at(step, 100, 1.0, 0, 0.0, "linear") for step in (40, 60, 80)]
    assert straight[0] - straight[1] == pytest.approx(straight[1] - straight[2])
    assert weight_decay_at(0, 100, 0.05, 0.08) == pytest.approx(0.05)
    assert weight_decay_at(100, 100, 0.05, 0.08) == pytest.approx(0.08)
    assert weight_decay_at(70, 100, 0.05, -1.0) == 0.05
