"""Figures of the two networks: reconstruction, and cross-entropy for each scale."""

from collections.abc import Iterator
from itertools import count, islice
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from training.data.scenes import Scene, SpriteTable, make_held_out_scene
from training.data.scenes.held_out import KINDS
from training.data.token_source import encode_pictures, token_maps
from training.evaluation.scenes.decisions import join_marks, mark
from training.evaluation.scenes.figures_file import FiguresFile
from training.evaluation.scenes.intervals import mean_estimate, to_json
from training.evaluation.scenes.judge_network import judge_images
from training.evaluation.scenes.measured_model import AT_ONCE, Bench
from training.evaluation.scenes.prompts import Case, caption_case, validation_scenes
from training.evaluation.scenes.rates import DRAWN, REAL, pairs_of, rates
from training.tokenizer.perceptual import load_perceptual
from training.tokenizer.reconstruction import rebuild, rebuilt_psnr

NUM_SCENES = 256


@torch.inference_mode()
def reconstruction_figure(bench: Bench, file: FiguresFile) -> dict[str, Any]:
    """(k) PSNR in dB, perceptual distance, and what is right in rebuilt validation scenes.

    What the judge does not find in them ("drawn") beside real ones, no transformer can draw.
    """
    perceptual, tokenizer = load_perceptual(bench.nets), bench.pipeline.tokenizer
    scenes = list(islice(validation_scenes(bench.pictures.table), bench.size(NUM_SCENES)))
    psnr, distance, rebuilt_marks, real_marks = [], [], [], []
    for some in _batches(scenes, "rebuilding"):
        images = bench.paint(some)
        rebuilt, _ = rebuild(tokenizer, images.to(tokenizer.device))
        psnr.append(rebuilt_psnr(rebuilt.cpu(), images))
        distance.append(perceptual(rebuilt.cpu(), images))
        rebuilt_marks.append(mark(judge_images(bench.judge, rebuilt.cpu()), some))
        real_marks.append(mark(judge_images(bench.judge, images), some))
    marked = {DRAWN: join_marks(rebuilt_marks), REAL: join_marks(real_marks)}
    return {
        "psnr": to_json(mean_estimate(torch.cat(psnr).double().numpy())),
        "perceptual": to_json(mean_estimate(torch.cat(distance).double().numpy())),
        "judged": {name: rates(pairs_of(marked, name)) for name in marked[REAL]},
    }


def entropy_figure(bench: Bench, file: FiguresFile) -> dict[str, Any]:
    """(l) Cross-entropy in nats per token, with everything said, for each scale and over all."""
    table = bench.pictures.table
    kinds = {"validation": validation_scenes(table), "held_out": held_out_scenes_in_turn(table)}
    figure = {}
    for name, scenes in kinds.items():
        some = islice(scenes, bench.size(NUM_SCENES))
        cases = [caption_case(bench.pictures, scene) for scene in some]
        entropy = torch.cat([entropies(bench, part) for part in _batches(cases, name)])
        schedule = bench.pipeline.info.schedule
        scales = [entropy[:, schedule.token_range(k)] for k in range(schedule.num_scales)]
        figure[name] = {
            "all": to_json(mean_estimate(_means(entropy))),
            "per_scale": [to_json(mean_estimate(_means(one))) for one in scales],
        }
    return figure


def held_out_scenes_in_turn(table: SpriteTable) -> Iterator[Scene]:
    """Held-out scenes of all kinds in turn, in the order of training's own validation."""
    for index in count():
        yield make_held_out_scene(table, KINDS[index % len(KINDS)], index // len(KINDS))


@torch.inference_mode()
def entropies(bench: Bench, cases: list[Case]) -> Tensor:
    """Cross-entropy of each token of some real scenes, (B, L), in nats."""
    pipeline = bench.pipeline
    images = bench.paint([case.scene for case in cases]).to(pipeline.device)
    tokens, _ = encode_pictures(pipeline.tokenizer, images)
    maps = token_maps(pipeline.info.schedule, tokens)
    inputs = pipeline.tokenizer.quantizer.teacher_inputs(maps)
    condition = pipeline.wish_encoder.condition(bench.wishes(cases), pipeline.device)
    logits = pipeline.transformer(inputs, condition)
    return F.cross_entropy(logits.float().transpose(1, 2), tokens, reduction="none").cpu()


def _means(entropy: Tensor) -> np.ndarray:
    return entropy.double().mean(dim=1).numpy()


def _batches(values: list, name: str) -> Iterator[list]:
    starts = range(0, len(values), AT_ONCE)
    for start in tqdm(starts, desc=name, unit="batch", disable=None):
        yield values[start : start + AT_ONCE]
