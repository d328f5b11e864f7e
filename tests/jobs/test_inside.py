"""Questions about the inside of a picture: what they take, and what they answer."""

import pickle
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from PIL import Image

from tests.prompted_models import make_prompted
from var_core import VARPipeline
from var_core.editing import Margins
from var_core.jobs.inside import (
    attention_names,
    exchange,
    inside_drawing,
    neighbourhood,
)
from var_core.jobs.parsing import count_up, outpaint, read_settings
from var_core.jobs.progress import JobProgress
from var_core.scales import ScaleSchedule


def run(steps: Iterator[JobProgress], scales: int = 4) -> JobProgress:
    """A drawing after some scales."""
    return [next(steps) for _ in range(scales)][-1]


def drawing(pipeline: VARPipeline, scales: int = 4, **options: object) -> JobProgress:
    """Two pictures of a cat."""
    settings = read_settings(pipeline.info, {"emoji": "cat"}, 3, options)
    return run(count_up(settings, 2).start(pipeline), scales)


def test_a_drawing_is_looked_into_by_its_own_tokens_and_wish(pipeline: VARPipeline) -> None:
    progress = drawing(pipeline)
    request = pickle.loads(pickle.dumps(inside_drawing(progress, 1)))  # as for a lent GPU
    inside = pickle.loads(pickle.dumps(request.answer(pipeline)))
    assert all(
        torch.equal(mine, theirs[1:])
        for mine, theirs in zip(inside.reconstruction.token_maps, progress.token_maps, strict=True)
    )
    assert inside.reconstruction.frames[-1] == progress.frames[-1][1]
    assert inside.reconstruction.psnr[-1] == 99.0 and inside.reconstruction.bits[-1] == 150
    assert inside.wish == progress.wishes[1]
    expected = pipeline.inspect([one[1:] for one in progress.token_maps], [inside.wish])
    assert torch.equal(inside.inspection.attention, expected.attention)
    for mine, theirs in zip(inside.inspection.scales, expected.scales, strict=True):
        assert torch.equal(mine.probability, theirs.probability)


def test_a_drawing_that_was_stopped_is_looked_into_as_far_as_it_came(
    pipeline: VARPipeline,
) -> None:
    inside = inside_drawing(drawing(pipeline, scales=2), 0).answer(pipeline)
    assert len(inside.inspection.scales) == len(inside.reconstruction.frames) == 2


@pytest.mark.parametrize("kind", ["smooth", "edited"])
def test_pictures_without_tokens_of_their_own_are_encoded(kind: str, pipeline: VARPipeline) -> None:
    progress = drawing(pipeline, smooth=True)
    if kind == "edited":
        settings = read_settings(pipeline.info, {"emoji": "dog"}, 3, None)
        request = outpaint(settings, Image.new("RGB", (8, 8), "teal"), Margins(right=4))
        progress = list(request.start(pipeline))[-1]
    request = pickle.loads(pickle.dumps(inside_drawing(progress, 0)))
    inside = request.answer(pipeline)
    encoded = pipeline.tokenize(progress.frames[-1][0])[0]
    assert all(map(torch.equal, inside.reconstruction.token_maps, encoded))
    assert inside.wish == progress.wishes[0]


def test_what_is_not_there_is_refused(pipeline: VARPipeline) -> None:
    progress = drawing(pipeline)
    for nothing in (None, JobProgress(progress.request)):
        with pytest.raises(ValueError, match="press Draw first"):
            inside_drawing(nothing, 0)
    with pytest.raises(ValueError, match="place must be"):
        inside_drawing(progress, 2)
    maps = [one[:1] for one in progress.token_maps]
    for place, message in (
        ((0, 0, 0, [1]), "scale must be"),
        ((5, 0, 0, [1]), "scale must be"),
        ((2, 2, 0, [1]), "row must be"),
        ((2, 0, None, [1]), "column must be"),
        ((2, 0, 0, [99]), "a token must be"),
        ((2, 0, 0, [1] * 7), "1 to 6 codes"),
        ((2, 0, 0, []), "1 to 6 codes"),
    ):
        with pytest.raises(ValueError, match=message):
            exchange(pipeline.info, maps, *place)
    with pytest.raises(ValueError, match="from 1 to 2"):
        exchange(pipeline.info, maps[:2], 3, 0, 0, [1])


def test_an_exchange_changes_the_picture_around_the_token_most(scenes: VARPipeline) -> None:
    settings = read_settings(scenes.info, {"thing": "apple", "style": "noto"}, 7, None)
    progress = run(count_up(settings, 1).start(scenes), 7)
    inside = inside_drawing(progress, 0).answer(scenes)
    row, column, number = 2, 5, 6
    codes = inside.inspection.scales[number - 1].alternatives[0, row, column].tolist()
    request = exchange(scenes.info, progress.token_maps, number, row, column, codes)
    pictures = request.answer(scenes)
    before = np.asarray(progress.frames[-1][0], float)
    left, top, right, bottom = neighbourhood(scenes.info.schedule, (256, 256), number, row, column)
    assert len(pictures) == 5
    for picture in pictures:
        change = np.abs(np.asarray(picture, float) - before).mean(axis=2)
        near = change[top:bottom, left:right].mean()
        assert near > 3 * change.mean() > 0


@pytest.mark.parametrize("sides", [(1, 2, 3, 4), (1, 2, 3, 4, 5, 6, 8), (1, 4, 16, 16)])
def test_a_neighbourhood_lies_in_the_picture_and_holds_the_cell(sides: tuple[int, ...]) -> None:
    schedule, size = ScaleSchedule(sides), 16 * sides[-1]
    shape = size, size
    for number, side in enumerate(sides, start=1):
        for row in range(side):
            for column in range(side):
                left, top, right, bottom = neighbourhood(schedule, shape, number, row, column)
                assert 0 <= left < right <= size and 0 <= top < bottom <= size
                assert right - left == bottom - top
                cell = size / side
                assert left <= column * cell + 0.5 and (column + 1) * cell <= right + 0.5
                assert top <= row * cell + 0.5 and (row + 1) * cell <= bottom + 0.5


def test_the_columns_of_the_attention_have_names_in_the_order_of_the_network() -> None:
    pipeline = make_prompted()
    wish = pipeline.info.reader.read(prompt=["in the snow", "a fox"])
    names = attention_names(pipeline.info, wish, 4)
    assert names[:4] == ["a fox", "in the snow", "no phrase", "no phrase"]
    assert names[4:] == ["start", "scale 2", "scale 3", "scale 4"]
    condition = pipeline.wish_encoder.condition([wish], pipeline.device)
    table = pipeline.wish_encoder.vectors.table
    for slot, name in enumerate(names[:2]):
        torch.testing.assert_close(condition.phrases[0, slot], table.find(name))
