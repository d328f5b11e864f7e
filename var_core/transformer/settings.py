"""Limits of the settings of a transformer."""

from collections.abc import Mapping
from typing import Any

from var_core.ranges import check_float, check_int
from var_core.scales import ScaleSchedule

INTEGER_LIMITS = (
    ("vocab_size", 2, 65536),
    ("code_dim", 1, 512),
    ("depth", 1, 64),
    ("width", 1, 8192),
    ("num_heads", 1, 256),
    ("text_dim", 0, 4096),
    ("max_phrases", 1, 64),
)


def check_settings(settings: Mapping[str, Any]) -> None:
    """Check the constructor arguments of `VARTransformer`.

    Raises:
        ValueError: if one is out of range, or two do not fit each other.
    """
    ScaleSchedule(settings["sides"])  # which checks them
    for name, low, high in INTEGER_LIMITS:
        check_int(name, settings[name], low, high)
    check_float("mlp_ratio", settings["mlp_ratio"], 0.01, 16.0)
    check_float("norm_eps", settings["norm_eps"], 0.0, 1.0)
    width, num_heads = settings["width"], settings["num_heads"]
    if width % num_heads:
        raise ValueError(f"width must be a multiple of num_heads ({num_heads}), got {width}")
    has_text, counts = settings["text_dim"] > 0, settings["label_counts"]
    fewest = 0 if has_text else 1
    if not fewest <= len(counts) <= 8:
        raise ValueError(f"label_counts must have {fewest} to 8 entries, got {len(counts)}")
    for count in counts:
        check_int("label_counts", count, 1, 1_000_000)
