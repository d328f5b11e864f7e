"""The progress of a job travels in parts, and arrives whole."""

import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from var_core import VARPipeline
from var_core.editing import EditOptions
from var_core.jobs.parsing import count_up, read_settings
from var_core.jobs.progress import JobProgress, Request
from var_core.jobs.requests import EditRequest, VaryRequest
from var_core.serving.progress_parts import lengthen, shorten


def requests_for(pipeline: VARPipeline) -> dict[str, Request]:
    drawing = count_up(read_settings(pipeline.info, {"emoji": "cat"}, 1, None), 2)
    side = pipeline.image_shape[0]
    picture, mask = Image.new("RGB", (side, side), "red"), np.ones((side, side), bool)
    whole = (drawing.wishes, drawing.seeds, drawing.options[0], EditOptions())
    edit = EditRequest(picture, mask, None, *whole)
    return {"draw": drawing, "edit": edit, "vary": VaryRequest(picture, 1, drawing)}


@pytest.mark.parametrize("kind", ["draw", "edit", "vary"])
def test_what_arrives_is_what_was_sent(pipeline: VARPipeline, kind: str) -> None:
    request = requests_for(pipeline)[kind]
    sent = found = JobProgress(request)
    for progress in request.start(pipeline):
        part = pickle.loads(pickle.dumps(shorten(progress, sent)))
        sent, found = progress, lengthen(part, found)
        assert len(part.progress.frames) == 1
        assert all(map(torch.equal, found.token_maps, progress.token_maps))
        assert all(map(torch.equal, found.latents, progress.latents))
        assert [[one.tobytes() for one in frame] for frame in found.frames] == [
            [one.tobytes() for one in frame] for frame in progress.frames
        ]
        assert (found.number, found.wishes, found.dtype) == (
            progress.number,
            progress.wishes,
            progress.dtype,
        )
    assert found.is_drawn and (found.request is request) == (kind != "vary")


def test_nothing_travels_twice(pipeline: VARPipeline) -> None:
    request = requests_for(pipeline)["edit"]
    steps = list(request.start(pipeline))
    before = [JobProgress(request), *steps[:-1]]
    parts = [shorten(one, other) for one, other in zip(steps, before, strict=True)]
    assert all(part.is_request_known and part.progress.request is None for part in parts)
