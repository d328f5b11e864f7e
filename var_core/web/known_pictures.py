"""A sentence about pictures that a model cannot know: photographs, for a model of emoji."""

import contextlib
from functools import partial
from pathlib import Path

from var_core.images import read_image
from var_core.model_info import ModelInfo
from var_core.serving.engine import Engine
from var_core.serving.fair_queue import BusyError

# dB that a tokenizer reaches on what its model knows. Of 24 drawings of emoji64 (open labels, seeds
# 0 to 23) the worst is encoded at 23.5 dB, of five photographs the best at 22.9.
LEAST_PSNR = {"emoji64": 23.0}


def caution(info: ModelInfo, psnr: float) -> str:
    """What to expect of a picture that is encoded at a quality, in dB; "" if there is no doubt."""
    if psnr >= LEAST_PSNR.get(info.name, 0.0):
        return ""
    return (
        f". It is unlike what {info.name} has learned from, so expect little more than colours in "
        f"their places ({psnr:.0f} dB)"
    )


def caution_about(engine: Engine, path: Path, client: str) -> str:
    """As `caution`, for the middle of a picture file; "" where nobody has time to look.

    Args:
        engine: encodes it.
        path: picture file.
        client: address of the person who asks.
    """
    if engine.info.name not in LEAST_PSNR:
        return ""
    with contextlib.suppress(BusyError):
        return caution(engine.info, engine.tokenize(partial(read_image, path), client).psnr[-1])
    return ""
