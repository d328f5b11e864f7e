"""The next-scale transformer."""

from var_core.transformer.attention_kernels import BACKENDS, attention
from var_core.transformer.embedded_condition import EmbeddedCondition
from var_core.transformer.initial_weights import init_weights
from var_core.transformer.kv_cache import KVCache
from var_core.transformer.measured_attention import MeasuredAttention
from var_core.transformer.model import VARTransformer

__all__ = [
    "BACKENDS",
    "EmbeddedCondition",
    "KVCache",
    "MeasuredAttention",
    "VARTransformer",
    "attention",
    "init_weights",
]
