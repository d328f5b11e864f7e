"""Emoji are drawn on white, and drawn again only when something changed."""

import numpy as np
from PIL import Image

from training.data.emoji_render import flatten_on_white, read_cache, render_svg, write_cache


def test_icons_are_centred_on_white() -> None:
    icon = {"body": '<path fill="#f00" d="M0 0h20v10H0z"/>', "height": 10}
    picture = flatten_on_white(render_svg(icon, default_width=20, default_height=20))
    assert picture.shape == (64, 64, 3)
    assert (picture[16:48] == (255, 0, 0)).all()
    assert (picture[:16] == 255).all()
    assert (picture[48:] == 255).all()


def test_transparent_pixels_become_white() -> None:
    half = Image.new("RGBA", (64, 64), (0, 0, 0, 51))
    assert (flatten_on_white(half) == 204).all()


def test_cache_is_used_only_with_its_fingerprint_and_when_whole(tmp_path) -> None:
    cache = tmp_path / "noto.npz"
    images = np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3)
    assert read_cache(cache, "a") is None
    write_cache(cache, images, "a")
    assert np.array_equal(read_cache(cache, "a"), images)
    assert read_cache(cache, "b") is None
    cache.write_bytes(cache.read_bytes()[:40])
    assert read_cache(cache, "a") is None
