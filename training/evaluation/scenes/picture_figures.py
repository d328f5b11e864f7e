"""Figures of how drawings look: diversity, and the Frechet distance to real scenes."""

from itertools import combinations, islice
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from training.evaluation.features import load_features
from training.evaluation.frechet import collect_features, feature_statistics, frechet_distance
from training.evaluation.scenes.figures_file import FiguresFile
from training.evaluation.scenes.intervals import (
    NUM_BLOCKS,
    Estimate,
    block_jackknife,
    mean_estimate,
    ratio_estimate,
    to_json,
)
from training.evaluation.scenes.judge_network import SIDE
from training.evaluation.scenes.measured_model import AT_ONCE, Bench
from training.evaluation.scenes.prompts import caption_case, scene_with_facts, validation_scenes
from training.tokenizer.perceptual import PerceptualDistance, load_perceptual

NUM_PROMPTS = 50
NUM_SEEDS = 8  # drawings of each prompt
NUM_PICTURES = 1000  # of each kind, for the Frechet distance


@torch.inference_mode()
def mean_distance(perceptual: PerceptualDistance, images: Tensor) -> float:
    """Mean perceptual distance of all pairs of some pictures (N, 3, H, W) in [-1, 1]."""
    taps = [perceptual.taps(image[None]) for image in images]
    return float(np.mean([float(perceptual.compare(*pair)) for pair in combinations(taps, 2)]))


def diversity_figure(bench: Bench, file: FiguresFile) -> dict[str, Any]:
    """(g) How far eight drawings of a prompt lie apart, over eight real scenes of its facts."""
    perceptual, table = load_perceptual(bench.nets), bench.pictures.table
    scenes = list(islice(validation_scenes(table), bench.size(NUM_PROMPTS)))
    drawn, real = [], []
    for scene in tqdm(scenes, desc="diversity", unit="prompt", disable=None):
        wishes = bench.wishes([caption_case(bench.pictures, scene)] * NUM_SEEDS)
        drawn.append(mean_distance(perceptual, bench.draw(wishes, range(NUM_SEEDS))))
        others = [scene_with_facts(table, scene, number) for number in range(NUM_SEEDS)]
        real.append(mean_distance(perceptual, bench.paint(others)))
    ours, theirs = np.array(drawn), np.array(real)
    return {
        "n": len(scenes),
        "seeds": NUM_SEEDS,
        "drawn": to_json(mean_estimate(ours)),
        "real": to_json(mean_estimate(theirs)),
        "of_real": to_json(ratio_estimate(ours, theirs)),
    }


def frechet_figure(bench: Bench, file: FiguresFile) -> dict[str, Any]:
    """(h) Distance of drawings to real scenes, and of as many real scenes to the same ones."""
    net, count = load_features(bench.nets, SIDE), max(bench.size(NUM_PICTURES), 2 * NUM_BLOCKS)
    scenes = list(islice(validation_scenes(bench.pictures.table), 2 * count))
    cases = [caption_case(bench.pictures, scene) for scene in scenes[:count]]
    drawn, real = [], []
    for _, drawings, paintings in bench.drawn_and_real(cases, "frechet"):
        drawn.append(collect_features(net, [drawings]))
        real.append(collect_features(net, [paintings]))
    others = scenes[count:]
    parts = (bench.paint(others[start : start + AT_ONCE]) for start in range(0, count, AT_ONCE))
    references = collect_features(net, parts)
    return {
        "n": count,
        "drawn_to_real": jackknife_frechet(torch.cat(drawn), references).to_json(),
        "real_to_real": jackknife_frechet(torch.cat(real), references).to_json(),
    }


def jackknife_frechet(features: Tensor, references: Tensor) -> Estimate:
    """Frechet distance of two sets of features (n, F), as `block_jackknife` of the first.

    Raises:
        ValueError: if there are fewer than 20 pictures.
    """
    reference = feature_statistics(references)
    return block_jackknife(
        lambda some: frechet_distance(feature_statistics(some), reference), features
    )
