"""Painted masks travel as run lengths, and nothing malformed is unpacked."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from var_core.jobs.mask_codec import read_runs, resize_mask, write_runs

SETTINGS = settings(max_examples=200)


@SETTINGS
@given(st.tuples(st.integers(1, 30), st.integers(1, 30)).flatmap(lambda s: arrays(bool, s)))
def test_a_mask_survives_the_journey(mask: np.ndarray) -> None:
    text = write_runs(mask)
    assert np.array_equal(read_runs(text), mask)
    runs = json.loads(text)["runs"]
    assert all(run > 0 for run in runs[1:]) and sum(runs) == mask.size


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "a text of at most"),
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ('{"width": 2, "height": 2, "runs": [[], []]}', "no JSON"),
        ("[]", "width, height and runs"),
        ('{"width": 2, "height": 2, "runs": [4], "more": 1}', "width, height and runs"),
        ('{"width": 0, "height": 2, "runs": []}', "width of the mask must be"),
        ('{"width": true, "height": 2, "runs": [2]}', "width of the mask must be"),
        ('{"width": 8192, "height": 8192, "runs": [67108864]}', "at most 16 megapixels"),
        ('{"width": 2, "height": 2, "runs": [5]}', "add up to 4"),
        ('{"width": 2, "height": 2, "runs": [-1, 5]}', "whole numbers, 0 or more"),
        ('{"width": 2, "height": 2, "runs": [1e3]}', "whole numbers, 0 or more"),
        ('{"width": 2, "height": 2, "runs": [true, 3]}', "whole numbers, 0 or more"),
        ('{"width": 2, "height": 2, "runs": "4"}', "whole numbers, 0 or more"),
        ('{"width": 2, "height": 2, "runs": [18446744073709551620]}', "add up to 4"),
    ],
)
def test_malformed_masks_are_refused(text: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_runs(text)


def test_a_mask_painted_at_another_size_covers_the_same_part() -> None:
    mask = np.zeros((50, 100), bool)
    mask[10:20, 40:80] = True
    large = resize_mask(mask, (1000, 500))
    assert large.shape == (500, 1000) and large[100:200, 400:800].all()
    assert large.sum() == 100 * 400
    with pytest.raises(ValueError, match="the mask is 100x50, the picture 300x300"):
        resize_mask(mask, (300, 300))
