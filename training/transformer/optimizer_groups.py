"""The groups in which the weights of a transformer learn."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor


def optimizer_groups(
    weights: Mapping[str, Tensor], tables: Sequence[str], table_rate_factor: float
) -> list[dict[str, Any]]:
    """Groups for AdamW: matrices decay, the rest does not, label tables learn faster.

    Args:
        weights: trained weights by name.
        tables: parts of the names of label tables.
        table_rate_factor: learning rate of the label tables over that of the rest.
    """
    groups: dict[str, list[Tensor]] = {"matrix": [], "vector": [], "table": []}
    for name, weight in weights.items():
        is_matrix = weight.ndim == 2 and "embed" not in name
        is_table = any(table in name for table in tables)
        groups["table" if is_table else "matrix" if is_matrix else "vector"].append(weight)
    factor = {"table": table_rate_factor}
    return [
        {
            "params": parameters,
            "decays": kind == "matrix",
            "rate_factor": factor.get(kind, 1.0),
        }
        for kind, parameters in groups.items()
    ]
