"""Drawing: from logits to tokens, scale by scale."""

from var_core.sampling.logits import SamplingOptions, apply_guidance, draw_tokens, filter_logits
from var_core.sampling.rng import MAX_SEED, generators_from_seeds, random_seed
from var_core.sampling.rules import KeepScales
from var_core.sampling.sampler import ScaleRule, ScaleStep, sample_scales

__all__ = [
    "MAX_SEED",
    "KeepScales",
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
