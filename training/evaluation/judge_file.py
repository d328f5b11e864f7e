"""Files of judges: weights, and the settings that the network is built from."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from var_core.files import replacing

AnyJudge = TypeVar("AnyJudge", bound=nn.Module)


def write_judge(judge: nn.Module, settings: dict[str, Any], path: Path | str) -> None:
    """Write a judge as one safetensors file, atomically; its folder is made."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.contiguous() for name, tensor in judge.state_dict().items()}
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={"settings": json.dumps(settings)})


def read_judge(
    path: Path | str, build: Callable[[dict[str, Any]], AnyJudge], command: str
) -> AnyJudge:
    """Read what `write_judge` wrote; the result is frozen.

    Args:
        path: file.
        build: function that builds the network from the settings.
        command: command that makes such a file, for the message.

    Raises:
        ValueError: if the file is missing or damaged; the message names the command to run.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"the judge {path} is missing; run: {command}")
    try:
        with safe_open(path, framework="pt") as file:
            settings = json.loads((file.metadata() or {})["settings"])
        judge = build(settings)
        judge.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the judge {path} is damaged; delete it and run: {command}") from error
    return judge.requires_grad_(False).eval()
