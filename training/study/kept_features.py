"""Features of real scenes, painted once and kept in a file."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from training.data.shared_work import making


def kept_features(
    path: Path, made_from: Mapping[str, object], make: Callable[[], Tensor]
) -> Tensor:
    """Features (n, F) from a file; they are made where it is missing, or made from something else.

    Args:
        path: the file.
        made_from: all that the features depend on, as JSON.
        make: function that makes them.

    Raises:
        ValueError: if the file is damaged.
        OSError: if it cannot be written.
    """
    words = json.dumps(dict(made_from), sort_keys=True)
    if path.exists():
        try:
            with safe_open(path, "pt") as file:
                if (file.metadata() or {}).get("made_from") == words:
                    return file.get_tensor("features")
        except SafetensorError as error:
            raise ValueError(f"{path} is damaged: delete it, and it is made again") from error
    features = make()
    with making(path) as temporary:
        save_file({"features": features.contiguous()}, temporary, {"made_from": words})
    return features
