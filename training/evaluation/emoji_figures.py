"""The figures of the emoji model's card: tokenizer, cross-entropy, judged drawings, Frechet.

`python -m training.evaluation.emoji_figures --model assets/models/emoji64 --data data/emoji64
--nets data/nets --judge runs/judge/judge.safetensors --out runs/figures.json`
"""

import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from training.data.prepared_set import PreparedSet, load_prepared_set
from training.data.token_source import encode_pictures, token_maps
from training.evaluation.features import FeatureNet, load_features
from training.evaluation.frechet import feature_statistics, features_of, frechet_distance
from training.evaluation.judge_network import Judge, classify, load_judge, measure_accuracy
from training.loop.command_line import Settings, run_command
from training.tokenizer.perceptual import load_perceptual
from training.tokenizer.reconstruction import reconstruction_figures
from var_core.condition import Condition
from var_core.images import tensor_to_uint8, uint8_to_tensor
from var_core.open_labels import fill_open_labels
from var_core.option_fields import about, option
from var_core.pipeline import VARPipeline
from var_core.sampling import generators_from_seeds

logger = logging.getLogger(__name__)

CATEGORY, EMOJI = 0, 1  # columns of the labels
PAIRS_SEED = 0
NUM_PAIRS = 1000
SEEDS_PER_CATEGORY = 10
NUM_FRECHET = 4096
BATCH = 64


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings(Settings):
    """What to measure, and with what."""

    out_is_file = True

    model: str = field(metadata=about("folder of the model"))
    data: str = field(metadata=about("folder that training.prepare.emoji wrote"))
    nets: str = field(metadata=about("folder of training.prepare.nets"))
    judge: str = field(metadata=about("safetensors file of training.evaluation.judge"))
    out: str = field(metadata=about("JSON file to write"))
    frechet: bool = option(True, "draw 4,096 pictures for the Frechet distance too")


def write_figures(settings: EvaluationSettings) -> None:
    """Measure a model; write the figures and print them.

    Raises:
        ValueError: if model, pictures, nets or judge cannot be used.
        OSError: if the file cannot be written.
    """
    text = json.dumps(measure(settings), indent=2)
    path = Path(settings.out)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")
    print(text)


def measure(settings: EvaluationSettings) -> dict[str, Any]:
    """All figures of one model."""
    pipeline = VARPipeline.from_pretrained(settings.model)
    data = load_prepared_set(settings.data)
    judge, net = load_judge(settings.judge), load_features(settings.nets)
    rows = {name: np.sort(part) for name, part in data.splits.items()}
    validation = uint8_to_tensor(data.images[rows["validation"]])
    perceptual = load_perceptual(settings.nets)
    quality = reconstruction_figures(pipeline.tokenizer, perceptual, validation)
    real_labels = data.labels[rows["validation"], CATEGORY]
    real_accuracy = measure_accuracy(judge, data.images[rows["validation"]], real_labels)
    rebuilt_accuracy = measure_accuracy(judge, reconstruct(pipeline, validation), real_labels)
    judged, drawings = judge_drawings(pipeline, data, judge, real_accuracy)
    figures: dict[str, Any] = {
        "tokenizer": {"n": len(validation), **quality},
        "entropy_per_scale_then_all": {
            name: entropy_per_scale(
                pipeline, uint8_to_tensor(data.images[rows[name]]), data.labels[rows[name]]
            )
            for name in ("validation", "held_out")
        },
        "judge": {
            "n": len(validation),
            "right_on_real_validation": real_accuracy,
            "right_on_reconstructions": rebuilt_accuracy,
        },
        "drawings": judged,
        "nearest_emoji": nearest_emoji(data, net, drawings),
    }
    if settings.frechet:
        figures["frechet"] = frechet_figures(pipeline, data, net)
    return figures


@torch.inference_mode()
def draw(pipeline: VARPipeline, labels: np.ndarray, seeds: Sequence[int]) -> np.ndarray:
    """Draw with default options: labels (N, A) and N seeds to (N, H, W, 3) uint8."""
    pictures = []
    rows = torch.as_tensor(labels)
    for start in tqdm(range(0, len(rows), BATCH), desc="drawing", unit="batch"):
        generators = generators_from_seeds(seeds[start : start + BATCH])
        chunk = rows[start : start + BATCH]
        filled = fill_open_labels(pipeline.transformer, pipeline.labels, chunk, generators)
        condition = Condition.of_labels(filled)
        steps = pipeline.sample(condition, pipeline.info.options, generators, lambda _: None, BATCH)
        pictures.append(tensor_to_uint8(pipeline.decode_latent(list(steps)[-1].latent)))
    return np.concatenate(pictures)


@torch.inference_mode()
def reconstruct(pipeline: VARPipeline, images: Tensor) -> np.ndarray:
    """Encode and decode pictures: (N, 3, H, W) in [-1, 1] to (N, H, W, 3) uint8."""
    return tensor_to_uint8(pipeline.decode_latent(pipeline.tokenizer.encode(images).latent))


@torch.inference_mode()
def entropy_per_scale(pipeline: VARPipeline, images: Tensor, labels: np.ndarray) -> list[float]:
    """Teacher-forced cross-entropy in nats per token, for each scale and over all tokens."""
    schedule, entropies = pipeline.transformer.schedule, []
    for batch, chunk in zip(images.split(BATCH), torch.as_tensor(labels).split(BATCH), strict=True):
        tokens, _ = encode_pictures(pipeline.tokenizer, batch)
        inputs = pipeline.tokenizer.quantizer.teacher_inputs(token_maps(schedule, tokens))
        logits = pipeline.transformer(inputs, Condition.of_labels(chunk))
        entropies.append(F.cross_entropy(logits.transpose(1, 2), tokens, reduction="none"))
    entropy = torch.cat(entropies)
    parts = [entropy[:, schedule.token_range(k)].mean() for k in range(schedule.num_scales)]
    return [round(float(part), 3) for part in (*parts, entropy.mean())]


def judge_drawings(
    pipeline: VARPipeline, data: PreparedSet, judge: Judge, real_accuracy: float
) -> tuple[dict[str, Any], np.ndarray]:
    """How often drawings show the right category, against real validation pictures.

    Returns:
        Figures, and the drawings of the held-out pairs in the order of the split.
    """
    generator = np.random.default_rng(PAIRS_SEED)
    trained = generator.permutation(data.splits["train"])[:NUM_PAIRS]
    held_out = data.splits["held_out"]
    null = np.array(pipeline.transformer.null_labels)
    num_categories = null[CATEGORY]
    opened = np.tile(null, (num_categories * SEEDS_PER_CATEGORY, 1))
    opened[:, CATEGORY] = np.repeat(np.arange(num_categories), SEEDS_PER_CATEGORY)
    cases = {
        "trained_pairs": (data.labels[trained], list(range(len(trained)))),
        "open_emoji": (opened, list(range(SEEDS_PER_CATEGORY)) * num_categories),
        "held_out_pairs": (data.labels[held_out], list(range(len(held_out)))),
    }
    figures, drawings = {}, np.empty(0)
    for name, (labels, seeds) in cases.items():
        drawings = draw(pipeline, labels, seeds)
        right = float((classify(judge, drawings) == labels[:, CATEGORY]).mean())
        figures[name] = {"n": len(labels), "right": right, "of_real": right / real_accuracy}
    return figures, drawings


def frechet_figures(pipeline: VARPipeline, data: PreparedSet, net: FeatureNet) -> dict[str, Any]:
    """Distance of drawings to training pictures, and of training pictures to each other."""
    generator = np.random.default_rng(PAIRS_SEED)
    rows = generator.permutation(data.splits["train"])
    first, second = rows[:NUM_FRECHET], rows[NUM_FRECHET : 2 * NUM_FRECHET]
    drawings = draw(pipeline, data.labels[first], list(range(len(first))))
    drawn, real, other = (
        feature_statistics(features_of(net, pictures))
        for pictures in (drawings, *(data.images[np.sort(part)] for part in (first, second)))
    )
    return {
        "n": NUM_FRECHET,
        "drawn_to_real": frechet_distance(drawn, other),
        "real_to_real": frechet_distance(real, other),
    }


def nearest_emoji(data: PreparedSet, net: FeatureNet, drawings: np.ndarray) -> dict[str, Any]:
    """How often the right emoji is the nearest of all to a drawing of a held-out pair.

    Each emoji is the mean of the unit features of its training pictures; nearness is the cosine.
    """
    train = data.splits["train"]
    features = F.normalize(features_of(net, data.images[np.sort(train)]), dim=1)
    emoji = torch.as_tensor(data.labels[np.sort(train), EMOJI])
    means = torch.zeros(int(emoji.max()) + 1, features.shape[1]).index_add_(0, emoji, features)
    means = F.normalize(means, dim=1)
    right = torch.as_tensor(data.labels[data.splits["held_out"], EMOJI])
    real = data.images[np.sort(data.splits["held_out"])]
    order = np.argsort(np.argsort(data.splits["held_out"]))
    figures: dict[str, Any] = {"n": len(right), "candidates": len(means)}
    for name, pictures in (("drawn", drawings), ("real", real[order])):
        found = (F.normalize(features_of(net, pictures), dim=1) @ means.t()).argmax(dim=1)
        figures[name] = float((found == right).float().mean())
    return figures


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(write_figures, EvaluationSettings, "Measure the emoji model.", argv)


if __name__ == "__main__":
    sys.exit(main())
