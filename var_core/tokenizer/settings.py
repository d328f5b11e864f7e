"""Limits of the settings of a tokenizer."""

from collections.abc import Mapping
from typing import Any

from var_core.ranges import check_float, check_int, check_widths
from var_core.scales import ScaleSchedule
from var_core.tokenizer.quantizers import QUANTIZERS

FRAME_STRIDES = (1, 2, 4, 8)
INTEGER_LIMITS = (
    ("vocab_size", 2, 65536),
    ("code_dim", 1, 512),
    ("num_blocks", 1, 8),
    ("norm_groups", 1, 1024),
    ("stem_patch", 1, 16),
    ("num_refine", 1, 64),
    ("sketch_width", 0, 1024),
)


def check_settings(settings: Mapping[str, Any]) -> None:
    """Check the constructor arguments of `MultiScaleVQVAE`.

    Raises:
        ValueError: if one is out of range, or two do not fit each other.
    """
    schedule = ScaleSchedule(settings["sides"])
    for name, low, high in INTEGER_LIMITS:
        check_int(name, settings[name], low, high)
    check_float("refine_ratio", settings["refine_ratio"], 0.0, 1.0)
    strides = FRAME_STRIDES if schedule.is_clip else FRAME_STRIDES[:1]
    frame_stride = settings["frame_stride"]
    if type(frame_stride) is not int or frame_stride not in strides:
        known = ", ".join(map(str, strides))
        raise ValueError(f"frame_stride must be one of {known} here, got {frame_stride!r:.40}")
    code_kind = settings["code_kind"]
    if code_kind not in QUANTIZERS:
        raise ValueError(f"code_kind must be {' or '.join(QUANTIZERS)}, got {code_kind!r}")
    norm_groups, head_channels = settings["norm_groups"], settings["head_channels"]
    check_widths("level_channels", settings["level_channels"], norm_groups, 2048, 8)
    _check_decoder(settings)
    if head_channels:
        check_widths("head_channels", head_channels, norm_groups, 2048, 4)
    if settings["stem_patch"] % 2 ** len(head_channels):
        raise ValueError(
            f"{len(head_channels)} head_channels need a stem_patch that is a multiple of "
            f"{2 ** len(head_channels)}, got {settings['stem_patch']}"
        )


def _check_decoder(settings: Mapping[str, Any]) -> None:
    """Check what makes a decoder another size than the encoder."""
    channels, blocks = settings["decoder_channels"], settings["decoder_blocks"]
    if channels is not None:
        check_widths("decoder_channels", channels, settings["norm_groups"], 2048, 8)
        if len(channels) != len(settings["level_channels"]):
            raise ValueError(
                f"decoder_channels must have a width for each of the "
                f"{len(settings['level_channels'])} level_channels, got {len(channels)}"
            )
    if blocks is not None:
        check_int("decoder_blocks", blocks, 1, 16)
