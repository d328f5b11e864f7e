"""Drawing: from logits to tokens, scale by scale."""

from var_core.sampling.clip_rules import KeepFrames
from var_core.sampling.code_rules import ClosedLoop, KeepScales, Replay
from var_core.sampling.logits import apply_guidance, draw_tokens, filter_logits
from var_core.sampling.options import DEFAULTS, SamplingOptions
from var_core.sampling.rng import MAX_SEED, generators_from_seeds, random_seed
from var_core.sampling.sampler import ScaleRule, ScaleStep, sample_scales

__all__ = [
    "DEFAULTS",
    "MAX_SEED",
    "ClosedLoop",
    "KeepFrames",
    "KeepScales",
    "Replay",
    "SamplingOptions",
    "ScaleRule",
    "ScaleStep",
    "apply_guidance",
    "draw_tokens",
    "filter_logits",
    "generators_from_seeds",
    "random_seed",
    "sample_scales",
]
