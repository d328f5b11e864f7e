"""Frechet distance and inception score by Inception's features, as they are published.

The network is that of the package torch-fidelity, an extra; its weights come from a file and are
never downloaded (arXiv 1706.08500, 1606.03498).
"""

import io
import math
import pickle
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from training.evaluation.frechet import feature_statistics, frechet_distance

NETWORK = "torch_fidelity.feature_extractor_inceptionv3"
NUM_FEATURES = 2048
SPLITS = 10  # of the inception score


class Inception(nn.Module):
    """Features and logits of pictures.

    Args:
        network: `FeatureExtractorInceptionV3` with the outputs "2048" and "logits_unbiased".
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """[-1, 1] (B, 3, H, W) -> (B, 2048 + classes)."""
        pixels = ((images.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        return torch.cat(self.network(pixels), dim=1)


def load_inception(path: str | Path) -> Inception:
    """The network with the weights of a file, safetensors or a plain PyTorch file.

    Raises:
        ValueError: if the file or the package is missing, or the file holds other weights.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(
            f"there are no Inception weights at {path}; torch-fidelity names the address of its "
            "weights-inception-2015-12-05-6726825d.pth in feature_extractor_inceptionv3.py"
        )
    weights = _read(path)
    try:
        make: Any = import_module(NETWORK).FeatureExtractorInceptionV3
    except ModuleNotFoundError as error:
        raise ValueError(
            f"Inception needs the package {error.name}: pip install torch-fidelity, or leave out "
            "--inception"
        ) from error
    own = io.BytesIO()  # the package unpickles what it gets, so it gets nothing of the file
    torch.save(weights, own)
    own.seek(0)
    try:
        network = make("inception", ["2048", "logits_unbiased"], feature_extractor_weights_path=own)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} holds no weights of torch-fidelity's Inception") from error
    return Inception(network).eval()


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, OSError, EOFError) as error:
        raise ValueError(f"{path} holds no weights that can be read safely") from error


def inception_figures(drawn: Tensor, first: Tensor, second: Tensor) -> dict[str, float]:
    """Figures of drawings and of real pictures, from what `Inception` says of them.

    Args:
        drawn: drawings, (N, 2048 + classes).
        first: real pictures of the same labels.
        second: other real pictures, which both are compared with.
    """
    ours, theirs, others = (
        feature_statistics(some[:, :NUM_FEATURES]) for some in (drawn, first, second)
    )
    return {
        "n": len(drawn),
        "drawn_to_real": frechet_distance(ours, others),
        "real_to_real": frechet_distance(theirs, others),
        "score_of_drawn": inception_score(drawn[:, NUM_FEATURES:]),
        "score_of_real": inception_score(first[:, NUM_FEATURES:]),
    }


def inception_score(logits: Tensor) -> float:
    """Inception score (arXiv 1606.03498) of pictures with logits (N, C), a mean over ten parts.

    Parts are drawn by lot, the same in every call: pictures are often sorted by class.
    """
    lot = torch.randperm(len(logits), generator=torch.Generator().manual_seed(0))
    scores = []
    for part in logits[lot].double().chunk(SPLITS):
        known = part.log_softmax(dim=1)
        overall = known.logsumexp(dim=0) - math.log(len(part))
        scores.append((known.exp() * (known - overall)).sum(dim=1).mean().exp())
    return torch.stack(scores).mean().item()
