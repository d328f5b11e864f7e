import pytest

from var_core.scales import ScaleSchedule
from var_core.tokenizer.residual_pyramid import refine_choice


def test_ranges_tile_all_tokens() -> None:
    schedule = ScaleSchedule((1, 2, 3, 4))
    ends = [schedule.token_range(index) for index in range(4)]
    assert [(r.start, r.stop) for r in ends] == [(0, 1), (1, 5), (5, 14), (14, 30)]
    assert schedule.num_tokens == 30
    assert schedule.scale_of_token() == [0] + [1] * 4 + [2] * 9 + [3] * 16


def test_progress_runs_from_zero_to_one_and_one_scale_is_allowed() -> None:
    schedule = ScaleSchedule([1, 2, 4])
    assert [schedule.progress(index) for index in range(3)] == [0.0, 0.5, 1.0]
    assert ScaleSchedule([4]).progress(0) == 0.0


def test_maps_may_be_wider_than_high() -> None:
    schedule = ScaleSchedule([1, (2, 3), [4, 6]])
    assert schedule.shapes == ((1, 1), (2, 3), (4, 6)) and schedule.sides == (1, (2, 3), (4, 6))
    assert schedule.sizes == (1, 6, 24) and schedule.num_tokens == 31
    assert schedule == ScaleSchedule(schedule.sides) != ScaleSchedule([1, (3, 2), (6, 4)])
    assert ScaleSchedule([(2, 2), 4]) == ScaleSchedule([2, 4])


def test_a_clip_begins_with_the_maps_of_a_picture() -> None:
    schedule = ScaleSchedule([1, 2, (2, 1, 1), (3, 2, 2)])
    assert schedule.sides == (1, 2, (2, 1, 1), (3, 2, 2)) and schedule.is_clip
    assert schedule.shapes == ((1, 1), (2, 2), (2, 1, 1), (3, 2, 2))
    assert [schedule.shape_of(index) for index in range(4)] == [
        (1, 1, 1), (1, 2, 2), (2, 1, 1), (3, 2, 2),
    ]  # fmt: skip
    assert schedule.sizes == (1, 4, 2, 12) and schedule.num_tokens == 19
    assert schedule.num_picture_scales == 2 and schedule.latent_shape == (4, 2, 2)
    assert [schedule.progress(index) for index in range(4)] == [0.0, 1.0, 0.0, 1.0]
    assert schedule.first(3).sizes == (1, 4, 2)
    assert ScaleSchedule([1, (1, 2, 2)]) == ScaleSchedule([1, 2])
    assert not ScaleSchedule([1, 2]).is_clip and ScaleSchedule([1, 2]).latent_shape == (2, 2)


@pytest.mark.parametrize(
    "sides",
    [
        [],
        [0, 2],
        [1, 2.0],
        [True, 2],
        [3, 2],
        [1, 257],
        [1] * 65,
        [(1, 0)],
        [(1, 2, 3, 4)],
        [(65, 2, 2)],
        [(0, 2, 2)],
        [(2, 2, 2)],
        [1, 2, (2, 1, 1), 2],
        [1, 2, (4, 2, 2), (2, 2, 2)],
        [1, 2, (2, 4, 4)],
        [4, (2, 2, 2)],
        [1, 2, (2, 3, 2), (4, 2, 2)],
        [(5, 1), (4, 6)],
        [1, "22"],
        [None],
        [(1, 257)],
        [(1, 2.0)],
    ],
)
def test_bad_sides_are_refused_by_name(sides: list) -> None:
    with pytest.raises(ValueError, match=r"side|scales"):
        ScaleSchedule(sides)


@pytest.mark.parametrize(
    ("num_scales", "choice"),
    [
        (4, (0, 1, 2, 3)),
        (5, (0, 1, 2, 2, 3)),
        (7, (0, 0, 1, 2, 2, 3, 3)),
        (10, (0, 0, 1, 1, 1, 2, 2, 3, 3, 3)),
    ],
)
def test_refine_convolutions_are_shared_as_published(num_scales: int, choice: tuple) -> None:
    assert refine_choice(ScaleSchedule(range(1, num_scales + 1)), 4) == choice
