"""The groups in which the weights of a transformer learn."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

QKV_PARTS = 3  # a matrix of queries, keys and values is three layers in one


def optimizer_groups(
    weights: Mapping[str, Tensor], table_rate_factor: float, orthogonal: bool = False
) -> list[dict[str, Any]]:
    """Groups: matrices decay, the rest does not, label tables learn faster.

    Args:
        weights: trained weights by name.
        table_rate_factor: learning rate of the label tables over that of the rest.
        orthogonal: whether the matrices of the blocks have groups of their own, for Muon.
    """
    groups: dict[str, list[Tensor]] = {
        "matrix": [],
        "vector": [],
        "table": [],
        "qkv": [],
        "block": [],
    }
    for name, weight in weights.items():
        is_matrix = weight.ndim == 2 and "embed" not in name
        if "label_embeds" in name:
            kind = "table"
        elif orthogonal and is_matrix and ".blocks." in f".{name}":
            kind = "qkv" if "qkv" in name else "block"
        else:
            kind = "matrix" if is_matrix else "vector"
        groups[kind].append(weight)
    factor = {"table": table_rate_factor}
    return [
        {
            "params": parameters,
            "decays": kind not in ("vector", "table"),
            "rate_factor": factor.get(kind, 1.0),
            "orthogonal": kind in ("qkv", "block"),
            "parts": QKV_PARTS if kind == "qkv" else 1,
        }
        for kind, parameters in groups.items()
    ]
