"""Measures a model of clips.

python -m training.evaluation.clips.model_figures --model FOLDER --data data/motion \
    --judge runs/clip_judge/judge.safetensors --out figures.json

Prompts are those of `cases.py`, options the defaults, seeds count up from 0. The file is written
after each figure, and continued where it ends. Beside each figure stands that of real clips.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from training.data.motion import MovingScenes
from training.evaluation.clips.cases import HELD_OUT, TRAINED, ClipCase, clip_cases
from training.evaluation.clips.drawn_clips import ClipBench
from training.evaluation.clips.figures import psnr_by_frame
from training.evaluation.clips.judge_network import answers_of, judge_clips, load_clip_judge
from training.evaluation.clips.reconstruction import clip_figures
from training.evaluation.scenes.decisions import RIGHT, WRONG, Marks
from training.evaluation.scenes.figures_file import FiguresFile
from training.evaluation.scenes.intervals import ratio_estimate, to_json
from training.evaluation.scenes.measured_model import weights_hash
from training.evaluation.scenes.rates import DRAWN, REAL, difference, pairs_of, rates
from training.loop.command_line import Settings, run_command
from training.tokenizer.perceptual import PerceptualDistance, load_perceptual
from training.tokenizer.reconstruction import rebuild
from var_core.clip_pipeline import VARClipPipeline
from var_core.devices import PRECISIONS, pick_device, pick_dtype
from var_core.files import sha256_of
from var_core.option_fields import about, option

NUM_TRAINED, NUM_HELD_OUT, NUM_FIRST, NUM_REBUILT = 500, 60, 60, 128
QUESTIONS = ("thing", "motion")
FIRST_FRAME = "first_frame"
CLOSENESS = "closeness"  # marks that are numbers: distance of neighbouring frames
FLOORS = {  # wanted of a model that ships
    "psnr": 23.0,  # dB, of rebuilt clips
    "thing": 0.5,  # of the rate of real clips
    "motion": 0.6,  # of the rate of real clips
    "held_out_motion": -15.0,  # points to trained pairs
    "consistency": 2.0,  # at most: distance of neighbouring frames, of real clips
    "seconds": 3.0,  # at most: a clip on 2 cores
    "seconds_to_play": 0.5,  # at most: until it first plays
}

Figure = Callable[[ClipBench, FiguresFile], dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class ModelFigureSettings(Settings):
    """What to measure, and with what."""

    out_is_file = True

    model: str = field(metadata=about("model folder"))
    data: str = field(metadata=about("folder of training.prepare.motion"))
    judge: str = field(metadata=about("safetensors file of training.evaluation.clips.judge"))
    out: str = field(metadata=about("JSON file to write, or to go on with"))
    nets: str = option("data/nets", "folder of training.prepare.nets")
    limit: int = option(0, "largest number of cases of a figure; 0: no limit", low=0)
    precision: str = option("auto", "numbers of the networks", choices=PRECISIONS)


def reconstruction(bench: ClipBench, file: FiguresFile) -> dict[str, Any]:
    """How well real clips are rebuilt."""
    count = bench.size(NUM_REBUILT)
    return {"n": count, **clip_figures(bench.pipeline.tokenizer, bench.clips.table, count)}


def trained(bench: ClipBench, file: FiguresFile) -> dict[str, Any]:
    """Thing and motion of clips from words, of pairs that training shows."""
    found = _marked(bench, file, TRAINED, NUM_TRAINED)
    return {name: rates(pairs_of(found, name)) for name in QUESTIONS}


def held_out(bench: ClipBench, file: FiguresFile) -> dict[str, Any]:
    """As `trained`, of pairs that training never shows, and the difference."""
    found = _marked(bench, file, HELD_OUT, NUM_HELD_OUT)
    others = _marked(bench, file, TRAINED, NUM_TRAINED)
    figures: dict[str, Any] = {}
    for name in QUESTIONS:
        ours, theirs = pairs_of(found, name), pairs_of(others, name)
        figures[name] = (rates(ours) or {}) | {"points_to_trained": difference(ours, theirs)}
    return figures


def first_frame(bench: ClipBench, file: FiguresFile) -> dict[str, Any]:
    """Clips from words and a given first frame: whether it is kept, and what they show."""
    cases = clip_cases(bench.clips, TRAINED, bench.size(NUM_FIRST))
    real = bench.real(cases)
    drawn = bench.drawn_from(cases, real, FIRST_FRAME)
    rebuilt = torch.cat(
        [
            rebuild(bench.pipeline.tokenizer, one.to(bench.pipeline.device))[0].cpu()
            for one in real[:, :, 0].split(8)
        ]
    )  # (N, 3, H, W): the first frame alone, as the clip keeps it
    psnr = psnr_by_frame(drawn[:, :, :1], rebuilt[:, :, None])
    marks = {DRAWN: _marks(bench, cases, drawn), REAL: _marks(bench, cases, real)}
    figures: dict[str, Any] = {name: rates(pairs_of(marks, name)) for name in QUESTIONS}
    return {"n": len(cases), "psnr_of_first_frame": psnr.mean().item(), **figures}


def consistency(bench: ClipBench, file: FiguresFile) -> dict[str, Any]:
    """Perceptual distance of neighbouring frames, beside that of real clips."""
    _marked(bench, file, TRAINED, NUM_TRAINED)
    found = file.marks[CLOSENESS]
    drawn, real = (np.array(found[name]) for name in (DRAWN, REAL))
    means = {name: float(np.mean(found[name])) for name in (DRAWN, REAL)}
    return {"n": len(drawn), **means, "of_real": to_json(ratio_estimate(drawn, real))}


def seconds(bench: ClipBench, file: FiguresFile) -> dict[str, Any]:
    """Medians of five clips, and the number of threads."""
    (case,) = clip_cases(bench.clips, TRAINED, 1)
    played, done = bench.seconds(case)
    return {"seconds_to_play": played, "seconds": done, "threads": torch.get_num_threads()}


FIGURES: dict[str, Figure] = {
    "reconstruction": reconstruction,
    TRAINED: trained,
    HELD_OUT: held_out,
    FIRST_FRAME: first_frame,
    "consistency": consistency,
    "seconds": seconds,
}


def _marked(bench: ClipBench, file: FiguresFile, name: str, count: int) -> dict[str, Marks]:
    """Marks of the clips of a set, drawn and real; the file keeps them."""
    if name not in file.marks:
        cases = clip_cases(bench.clips, name, bench.size(count))
        drawn, real = bench.drawn(cases, name), bench.real(cases)
        if name == TRAINED:
            net = load_perceptual(bench.nets)
            both = {DRAWN: closeness(net, drawn), REAL: closeness(net, real)}
            file.add_marks(CLOSENESS, both)
        marks = {DRAWN: _marks(bench, cases, drawn), REAL: _marks(bench, cases, real)}
        file.add_marks(name, marks)
    return file.marks[name]


def _marks(bench: ClipBench, cases: list[ClipCase], clips: Tensor) -> Marks:
    """Whether thing and motion of clips are right, a letter for each."""
    found = judge_clips(bench.judge, clips)
    asked = [answers_of(case.clip, bench.judge.topics) for case in cases]
    signs = dict.fromkeys(QUESTIONS, "")
    for one, other in zip(found, asked, strict=True):
        for place, name in enumerate(QUESTIONS):
            signs[name] += RIGHT if one[place] == other[place] else WRONG
    return signs


@torch.inference_mode()
def closeness(net: PerceptualDistance, clips: Tensor) -> list[float]:
    """Mean perceptual distance of neighbouring frames, for each clip (N, 3, F, H, W)."""
    distances = []
    for clip in clips:
        frames = clip.transpose(0, 1)  # (F, 3, H, W)
        taps = net.taps(frames)
        pairs = [one[1:] for one in taps], [one[:-1] for one in taps]
        distances.append(float(net.compare(*pairs).mean()))
    return distances


def beside_floors(figures: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What is wanted, what is there, and whether that is enough; nothing of figures without cases.

    Args:
        figures: figures by name.
    """
    of_real = {name: figures[TRAINED][name]["of_real"] for name in QUESTIONS}
    points = figures[HELD_OUT]["motion"]["points_to_trained"]
    there = {
        "psnr": figures["reconstruction"]["psnr"],
        **{name: one and one["value"] for name, one in of_real.items()},
        "held_out_motion": points and points["value"],
        "consistency": figures["consistency"]["of_real"]["value"],
        **{name: figures["seconds"][name] for name in ("seconds", "seconds_to_play")},
    }
    highest = {"consistency", "seconds", "seconds_to_play"}  # the others are lowest
    return {
        name: {
            "there": value,
            "wanted": FLOORS[name],
            "is_enough": value <= FLOORS[name] if name in highest else value >= FLOORS[name],
        }
        for name, value in there.items()
        if value is not None
    }


def write_figures(settings: ModelFigureSettings) -> None:
    """Make the figures that are missing, and print all.

    Raises:
        ValueError: if model, clips, nets or judge cannot be used, or the file holds figures of
            something else.
        OSError: if the file cannot be written.
    """
    device = pick_device()
    dtype = pick_dtype(device, settings.precision)
    pipeline = VARClipPipeline.from_pretrained(settings.model, dtype).to(device)
    judge = load_clip_judge(settings.judge).to(device)
    clips = MovingScenes.open(settings.data)
    bench = ClipBench(pipeline, judge, clips, Path(settings.nets), settings.limit)
    depends_on = {
        "weights": weights_hash(settings.model, "", ""),
        "judge": sha256_of(Path(settings.judge))[:16],
        "numbers": str(dtype).removeprefix("torch."),
        "limit": settings.limit,
    }
    file = FiguresFile(Path(settings.out), depends_on)
    for name, figure in FIGURES.items():
        if name not in file.figures:
            file.add_figure(name, figure(bench, file))
        print(f"{name}: {json.dumps(file.figures[name])}", flush=True)
    print(f"floors: {json.dumps(beside_floors(dict(file.figures)))}")


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(write_figures, ModelFigureSettings, "Measure a model of clips.", argv)


if __name__ == "__main__":
    sys.exit(main())
