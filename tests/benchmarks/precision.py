"""What packed weights and bf16 cost in quality: `python -m tests.benchmarks.precision`.

Draws the embedded model in three ways, plain float32 being the slow twin of the others. For each:
how far unguided, teacher-forced logits are from those of the slow twin, how many drawings of the
same seeds are alike, and the Frechet distance of 1,024 drawings to training pictures, for each
of three sets of seeds: a difference within their spread means nothing.
"""

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tests.benchmarks.report import SHORT, host
from training.data.prepared_set import PreparedSet, load_prepared_set
from training.evaluation.emoji_figures import draw
from training.evaluation.features import FeatureNet, load_features
from training.evaluation.frechet import feature_statistics, features_of, frechet_distance
from var_core import VARPipeline
from var_core.condition import Condition
from var_core.images import uint8_to_tensor
from var_core.official.catalogue import EMBEDDED_FOLDER

NUM_FORCED = 64  # pictures whose tokens are forced
SEED_SETS = 3


@dataclass(frozen=True)
class Quality:
    """One way to draw.

    Attributes:
        name: of the way.
        logits: relative error of the logits (Euclidean).
        alike: share of drawings that differ from those of the slow twin by at most 1 of 255.
        frechet: distance of the drawings to training pictures, for each set of seeds.
    """

    name: str
    logits: float
    alike: float
    frechet: tuple[float, ...]


def ways(folder: Path) -> dict[str, VARPipeline]:
    """The model as each way has it; the slow twin first."""
    found = {}
    for dtype, name in SHORT.items():
        for kind, packs in (("plain", False), ("packed", True)):
            pipeline = VARPipeline.from_pretrained(folder, torch_dtype=dtype)
            pipeline.packs = packs
            pipeline.pack()
            found[f"{name}, {kind}"] = pipeline
    return found


@torch.inference_mode()
def forced_logits(pipeline: VARPipeline, labels: Tensor, token_maps: list[Tensor]) -> Tensor:
    """Unguided logits of all scales, each predicted from given tokens: (B, L, V)."""
    transformer, quantizer = pipeline.transformer, pipeline.tokenizer.quantizer
    condition = transformer.embed(Condition.of_labels(labels))
    cache = transformer.new_cache(len(labels))
    latents = [quantizer.empty_latent(len(labels)), *quantizer.sum_scales(token_maps)]
    logits = []
    for index in range(quantizer.schedule.num_scales):
        inputs = quantizer.next_input(latents[index], index)
        hidden = transformer.predict_scale(inputs, condition, index, cache)
        logits.append(transformer.logits(hidden))
    return torch.cat(logits, dim=1)


def measure(
    pipelines: dict[str, VARPipeline], data: PreparedSet, net: FeatureNet, count: int
) -> list[Quality]:
    """Compare all ways with the first one."""
    rows = np.random.default_rng(0).permutation(data.splits["train"])
    real = feature_statistics(features_of(net, data.images[np.sort(rows[count : 2 * count])]))
    labels = data.labels[rows[:count]]
    slow = next(iter(pipelines.values()))
    chosen = np.sort(rows[:NUM_FORCED])
    forced = torch.as_tensor(data.labels[chosen])
    with torch.inference_mode():
        maps = slow.tokenizer.encode(uint8_to_tensor(data.images[chosen])).token_maps
    exact, twins, found = None, [], []
    for name, pipeline in pipelines.items():
        logits = forced_logits(pipeline, forced, maps)
        exact = logits if exact is None else exact
        distances, alike = [], []
        for number in range(SEED_SETS):
            drawings = draw(pipeline, labels, range(number * count, (number + 1) * count))
            if pipeline is slow:
                twins.append(drawings)
            apart = np.abs(drawings.astype(np.int16) - twins[number])
            alike.append((apart.max(axis=(1, 2, 3)) <= 1).mean())
            drawn = feature_statistics(features_of(net, drawings))
            distances.append(frechet_distance(drawn, real))
        error = float((logits - exact).norm() / exact.norm())
        found.append(Quality(name, error, float(np.mean(alike)), tuple(distances)))
        print(
            f"{name:13} logits {100 * error:.3f} %, alike {100 * np.mean(alike):.1f} %, "
            f"Frechet {', '.join(f'{one:.2f}' for one in distances)}"
        )
    return found


def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=EMBEDDED_FOLDER)
    parser.add_argument("--data", required=True, help="folder written by training.prepare.emoji")
    parser.add_argument("--nets", required=True, help="folder of training.prepare.nets")
    parser.add_argument("--count", type=int, default=1024, help="drawings of each set of seeds")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args(argv)
    data, net = load_prepared_set(arguments.data), load_features(arguments.nets)
    found = measure(ways(arguments.model), data, net, arguments.count)
    if arguments.json:
        content = {"host": host(torch.device("cpu")), "ways": [asdict(one) for one in found]}
        arguments.json.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
