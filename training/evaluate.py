"""Measures a trained model: every figure of the model card comes from one command here.

`python -m training.evaluate --model assets/models/emoji64 --data data/emoji64 --nets data/nets
--judge runs/judge/judge.safetensors --out runs/figures.json`
"""

import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from training.data.picture_data import PictureData, load_picture_data
from training.data.prepared_pictures import to_tensor
from training.evaluation.features import FeatureNet, load_features
from training.evaluation.frechet import feature_statistics, frechet_distance
from training.evaluation.judge import Judge, classify, load_classifier, measure_accuracy
from training.loop.config import parse_config
from training.tokenizer.perceptual import load_perceptual
from training.train_tokenizer import evaluate as evaluate_tokenizer
from training.transformer.objective import CATEGORY, EMOJI
from var_core.condition import Condition
from var_core.images import tensor_to_uint8
from var_core.pipeline import VARPipeline
from var_core.sampling import generators_from_seeds

logger = logging.getLogger(__name__)

PAIRS_SEED = 0
NUM_PAIRS = 1000
SEEDS_PER_CATEGORY = 10
NUM_FRECHET = 4096
BATCH = 64


@dataclass(frozen=True)
class EvaluationConfig:
    """What to measure with what."""

    model: str = field(metadata={"help": "folder of the model"})
    data: str = field(metadata={"help": "folder written by training.prepare.emoji"})
    nets: str = field(metadata={"help": "folder of training.prepare.nets"})
    judge: str = field(metadata={"help": "safetensors file of training.evaluation.judge"})
    out: str = field(metadata={"help": "JSON file to write"})
    frechet: bool = field(
        default=True, metadata={"help": "also draw 4,096 pictures for the Frechet distance"}
    )


@torch.inference_mode()
def draw(pipeline: VARPipeline, labels: np.ndarray, seeds: Sequence[int]) -> np.ndarray:
    """Draw with default options: labels (N, 3) and N seeds to (N, 64, 64, 3) uint8."""
    pictures = []
    rows = torch.as_tensor(labels)
    for start in tqdm(range(0, len(rows), BATCH), desc="drawing", unit="batch"):
        generators = generators_from_seeds(seeds[start : start + BATCH])
        filled = pipeline.fill_open_labels(rows[start : start + BATCH], generators)
        steps = pipeline.sample(
            Condition.of_labels(filled), pipeline.info.options, generators, lambda _: None, BATCH
        )
        pictures.append(tensor_to_uint8(pipeline.decode_latent(list(steps)[-1].latent)))
    return np.concatenate(pictures)


@torch.inference_mode()
def reconstruct(pipeline: VARPipeline, images: Tensor) -> np.ndarray:
    """Through the tokenizer and back: (N, 3, 64, 64) in [-1, 1] to (N, 64, 64, 3) uint8."""
    return tensor_to_uint8(pipeline.decode_latent(pipeline.tokenizer.encode(images).latent))


@torch.inference_mode()
def entropy_per_scale(pipeline: VARPipeline, images: Tensor, labels: np.ndarray) -> list[float]:
    """Teacher-forced cross-entropy in nats per token, for each scale and over all tokens."""
    entropies = []
    for batch, chunk in zip(images.split(BATCH), torch.as_tensor(labels).split(BATCH), strict=True):
        token_maps = pipeline.tokenizer.encode(batch).token_maps
        tokens = torch.cat([token_map.flatten(1) for token_map in token_maps], dim=1)
        inputs = pipeline.tokenizer.quantizer.teacher_inputs(token_maps)
        logits = pipeline.transformer(inputs, Condition.of_labels(chunk))
        entropies.append(F.cross_entropy(logits.transpose(1, 2), tokens, reduction="none"))
    entropy = torch.cat(entropies)
    schedule = pipeline.transformer.schedule
    parts = [entropy[:, schedule.token_range(k)].mean() for k in range(schedule.num_scales)]
    return [round(float(part), 3) for part in (*parts, entropy.mean())]


def judge_drawings(
    pipeline: VARPipeline, data: PictureData, judge: Judge, real_accuracy: float
) -> tuple[dict, np.ndarray]:
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


def frechet_figures(pipeline: VARPipeline, data: PictureData, net: FeatureNet) -> dict:
    """Distance of drawings to training pictures, and of training pictures to each other."""
    generator = np.random.default_rng(PAIRS_SEED)
    rows = generator.permutation(data.splits["train"])
    first, second = rows[:NUM_FRECHET], rows[NUM_FRECHET : 2 * NUM_FRECHET]
    drawings = draw(pipeline, data.labels[first], list(range(len(first))))
    features = [
        features_of(net, pictures)
        for pictures in (drawings, *(data.images[np.sort(part)] for part in (first, second)))
    ]
    drawn, real, other = (feature_statistics(part) for part in features)
    return {
        "n": NUM_FRECHET,
        "drawn_to_real": frechet_distance(drawn, other),
        "real_to_real": frechet_distance(real, other),
    }


@torch.inference_mode()
def features_of(net: FeatureNet, pictures: np.ndarray) -> Tensor:
    """Pooled features of uint8 pictures: (N, H, W, 3) -> (N, 1280)."""
    return torch.cat([net(batch).float() for batch in to_tensor(pictures).split(BATCH)])


def nearest_emoji(data: PictureData, net: FeatureNet, drawings: np.ndarray) -> dict:
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
    figures = {"n": len(right), "candidates": len(means)}
    for name, pictures in (("drawn", drawings), ("real", real[order])):
        found = (F.normalize(features_of(net, pictures), dim=1) @ means.t()).argmax(dim=1)
        figures[name] = float((found == right).float().mean())
    return figures


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    config = parse_config(EvaluationConfig, argv, "Measure a trained model.")
    try:
        figures = measure(config)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    path = Path(config.out)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))
    return 0


def measure(config: EvaluationConfig) -> dict:
    """All figures of one model."""
    pipeline = VARPipeline.from_pretrained(config.model)
    data = load_picture_data(config.data)
    judge = load_classifier(config.judge)
    net = load_features(config.nets)
    rows = {name: np.sort(part) for name, part in data.splits.items()}
    validation = to_tensor(data.images[rows["validation"]])
    quality = evaluate_tokenizer(pipeline.tokenizer, load_perceptual(config.nets), validation)
    real_labels = data.labels[rows["validation"], CATEGORY]
    real_accuracy = measure_accuracy(judge, data.images[rows["validation"]], real_labels)
    figures = {
        "tokenizer": {"n": len(validation), **quality},
        "entropy_per_scale_then_all": {
            name: entropy_per_scale(
                pipeline, to_tensor(data.images[rows[name]]), data.labels[rows[name]]
            )
            for name in ("validation", "held_out")
        },
        "judge": {
            "n": len(validation),
            "right_on_real_validation": real_accuracy,
            "right_on_reconstructions": measure_accuracy(
                judge, reconstruct(pipeline, validation), real_labels
            ),
        },
    }
    judged, drawings = judge_drawings(pipeline, data, judge, real_accuracy)
    figures["drawings"] = judged
    figures["nearest_emoji"] = nearest_emoji(data, net, drawings)
    if config.frechet:
        figures["frechet"] = frechet_figures(pipeline, data, net)
    return figures


if __name__ == "__main__":
    sys.exit(main())
