"""What `assets/inside.js` shows of the inside of a picture, as JSON."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from var_core.jobs.data_url import jpeg_url, png_url
from var_core.jobs.inside import Box, ExchangeRequest, Inside, attention_names
from var_core.model_info import ModelInfo
from var_core.web.html import plain_json

DIGITS = 4


def inside_content(info: ModelInfo, inside: Inside, colours: np.ndarray) -> str:
    """Pictures and numbers of all scales.

    Args:
        info: the model.
        inside: what there is to see.
        colours: a colour for every code, (V, 3) uint8.
    """
    shown, num_scales = inside.reconstruction, len(inside.inspection.scales)
    scales = []
    for index, one in enumerate(inside.inspection.scales):
        tokens = shown.token_maps[index][0]
        scales.append(
            {
                "rows": tokens.shape[0],
                "columns": tokens.shape[1],
                "picture": png_url(shown.frames[index]),
                "bits": shown.bits[index],
                "psnr": round(shown.psnr[index], 1),
                "codes": tokens.flatten().tolist(),
                "colours": colours[tokens.flatten().numpy()].tolist(),
                "likely": _numbers(one.probability[0].flatten()),
                "entropy": _numbers(one.entropy[0].flatten()),
                "others": one.alternatives[0].flatten(0, 1).tolist(),
                "chances": _numbers(one.alternative_probability[0].flatten(0, 1)),
            }
        )
    return plain_json(
        {
            "total": info.schedule.num_scales,
            "source": png_url(shown.source),
            "scales": scales,
            "attention": _numbers(inside.inspection.attention[0]),
            "names": attention_names(info, inside.wish, num_scales),
            "phrases": info.max_phrases,
        }
    )


def patches_content(
    request: ExchangeRequest, pictures: Sequence[Image.Image], box: Box, turn: int
) -> str:
    """A picture with other codes in one place, and what is around that place.

    Args:
        request: the place and the codes.
        pictures: one picture for each code.
        box: the neighbourhood of the place.
        turn: number of the question.
    """
    return plain_json(
        {
            "turn": turn,
            "scale": request.scale,
            "row": request.row,
            "column": request.column,
            "codes": request.tokens,
            "patches": [png_url(picture.crop(box)) for picture in pictures],
            "pictures": [jpeg_url(picture) for picture in pictures],
        }
    )


def _numbers(values: Tensor) -> list[Any]:
    return np.round(values.double().numpy(), DIGITS).tolist()
