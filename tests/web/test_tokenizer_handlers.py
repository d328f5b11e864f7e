"""What the Tokenizer tab does, called as plain functions on a tiny model."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.web.test_draw_handlers import ask, pixels
from var_core.serving.local_engine import LocalEngine
from var_core.web.draw_handlers import DrawHandlers
from var_core.web.tokenizer_handlers import TokenizerHandlers


@pytest.fixture
def handlers(engine: LocalEngine, tmp_path: Path) -> TokenizerHandlers:
    return TokenizerHandlers(engine, tmp_path, str)


def test_a_picture_is_reconstructed_and_gone_on_from(
    handlers: TokenizerHandlers, tmp_path: Path
) -> None:
    path = tmp_path / "mine.png"
    noise = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    analysis = handlers.analyse(str(path))
    assert analysis.strip.count("<img") == analysis.tokens.count("<img") == 4
    result = analysis.result
    assert result.bits == (5, 25, 70, 150)  # 32 codes: 5 bits each
    assert "150 bits" in analysis.report
    size = handlers.engine.info.image_size
    frame, error = handlers.look(result, 2)
    assert np.array_equal(pixels(frame), np.asarray(result.frames[1]))
    assert pixels(error).shape == (size, size, 3)
    moment = handlers.branch_off(result, 4)
    assert moment.scale == 3  # the last scale has nothing to draw after it
    assert np.array_equal(pixels(moment.picture), np.asarray(result.frames[2]))
    draw = DrawHandlers(handlers.engine, tmp_path, str)
    last = ask(draw, "rest", emoji="cat", progress=moment.progress, scale=3)[-1].progress
    assert all(map(torch.equal, result.token_maps[:3], last.token_maps[:3]))
    with pytest.raises(ValueError, match="drop one first"):
        handlers.branch_off(None, 1)
