"""The endpoints that edit, called as plain functions on a tiny model."""

import base64

import numpy as np

from tests.editing.test_editing import noise
from tests.editing.test_masks import SAME, SIZE, as_png
from tests.serving.test_all_endpoints import pixels
from tests.serving.test_inside_endpoints import make_api
from var_core import VARPipeline
from var_core.jobs.data_url import png_url


def test_a_mask_means_over_http_what_it_means_as_a_file(pipeline: VARPipeline) -> None:
    api, photo = make_api(pipeline), noise(*SIZE)
    drawn = {}
    for name, mask in SAME.items():
        sent = base64.b64encode(as_png(mask)).decode()
        *_, last = api.edit(png_url(photo), sent, {"emoji": "cat"}, seed=3)
        drawn[name] = pixels(last["pictures"][0])
    first = drawn["black ground"]
    changed = (first != np.asarray(photo)).any(axis=2)
    assert changed.any() and not changed[-1].any()
    assert [name for name in drawn if not np.array_equal(drawn[name], first)] == []
