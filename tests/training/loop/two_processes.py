"""Runs under torchrun: stops two processes at some steps and looks for differences.

`torchrun --standalone --nproc-per-node 2 -m tests.training.loop.two_processes DATA OUT STEP ...`
"""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from accelerate import PartialState
from accelerate.utils import gather_object

from tests.training.tiny import (
    different,
    tokenizer_arguments,
    transformer_arguments,
)
from training.loop.checkpoint import load_newest
from training.loop.command_line import parse_settings
from training.loop.picture_random import PictureRandom
from training.loop.run import Run
from training.loop.stop_signals import StopFlag
from training.loop.train_loop import train
from training.tokenizer.reconstruction import rebuild, rebuilt_psnr
from training.tokenizer.run import TokenizerRun
from training.tokenizer.settings import TokenizerSettings
from training.transformer.run import TransformerRun
from training.transformer.settings import TransformerSettings

STEPS = 4  # two epochs of the 16 training pictures, four at a time in each process
LEARNING_STEPS = 6
EVERY_CHANCE = {  # all that is random: crops, noise, dropped scales and labels, wrong codes
    "tokenizer": "--adversarial-weight 0.5 --adversarial-after 0.3 --adversary-channels 16 "
    "--latent-noise 0.2 --scale-dropout 0.3 --augmentation white",
    "transformer": "--self-correction 0.3 --drop-path 0.2 --drop-all 0.2 --plain-view-share 0.3",
}


def go_on(make_run: Callable[[], Run], stop_at: int | None = None) -> Run:
    """Resume a run and train it; one process of two is asked to stop during a step."""
    run = make_run()
    run.resume()
    stop, original = StopFlag(), run.next_batch

    def next_batch(random: PictureRandom) -> object:
        if run.step == stop_at and run.accelerator.process_index == stop_at % 2:
            stop.set(signal.SIGUSR2, None)
        return original(random)

    run.next_batch = next_batch
    train(run, stop)
    run.accelerator.wait_for_everyone()
    return run


def same_everywhere(run: Run) -> bool:
    """Whether all processes hold the same weights, averages and optimiser states."""
    parts = run.parts()
    mine = [{f"{p}.{k}": v for p, found in parts.items() for k, v in found.items()}]
    first, second = gather_object(mine)
    return not different(first, second)


def check_stops(
    name: str, make_run: Callable[[Path], Run], out: Path, steps: Sequence[int]
) -> None:
    """Stop after each of these steps, go on, and compare with the run that was never stopped."""
    whole = go_on(lambda: make_run(out / "whole"))
    assert same_everywhere(whole), f"{name}: the processes drifted apart"
    expected, _ = load_newest(out / "whole")
    equal = 0
    for step in steps:
        folder = out / f"cut-{step}"
        stopped = go_on(lambda folder=folder: make_run(folder), stop_at=step)
        assert stopped.step == step + 1, f"{name}: stopped at {stopped.step}, not {step + 1}"
        go_on(lambda folder=folder: make_run(folder))
        found, _ = load_newest(folder)
        equal += all(not different(found[part], expected[part]) for part in expected)
    if PartialState().is_main_process:
        print(f"{name}: {equal}/{len(steps)} equal", flush=True)


def learn(data: Path, tokenizer: Path, out: Path, *more: str) -> None:
    """Train both networks a little, with all that is random."""
    words = tokenizer_arguments(data, out / "tokenizer", LEARNING_STEPS)
    words += [*more, *EVERY_CHANCE["tokenizer"].split()]
    go_on(lambda: TokenizerRun(parse_settings(TokenizerSettings, words, "")))
    words = transformer_arguments(data, tokenizer, out / "transformer", LEARNING_STEPS)
    words += [*more, *EVERY_CHANCE["transformer"].split()]
    go_on(lambda: TransformerRun(parse_settings(TransformerSettings, words, "")))


def check_shards(make_run: Callable[..., Run], out: Path) -> None:
    """Train with whole and with sharded weights: the same up to rounding, and resumed alike."""
    whole = go_on(lambda: make_run(out / "plain"))
    go_on(lambda: make_run(out / "sharded", "--shard"), stop_at=1)
    sharded = go_on(lambda: make_run(out / "sharded", "--shard"))
    ours, theirs = sharded.parts(), whole.parts()
    parts_kept = sum(p.to_local().numel() for p in sharded.masters.masters)
    total = sum(p.numel() for p in whole.masters.masters)
    gap = max(
        (value - theirs["weights"][name]).abs().max().item()
        for name, value in ours["weights"].items()
    )
    if PartialState().is_main_process:
        print(f"shards: gap {gap:.1e}, kept {parts_kept / total:.2f}", flush=True)


def check_evaluation(make_run: Callable[[Path], Run], out: Path) -> None:
    """Evaluate with both processes: each has the figures that one alone finds."""
    run = make_run(out / "evaluated")
    assert isinstance(run, TokenizerRun)
    figures, _ = run.evaluate()
    images = run.validation_images
    rebuilt, _ = rebuild(run.averaged(), images)
    alone = rebuilt_psnr(rebuilt, images).mean().item()
    ours, theirs = gather_object([figures])
    if PartialState().is_main_process:
        gap = abs(alone - figures["validation_psnr"])
        print(f"evaluation: same {ours == theirs}, gap {gap:.1e}", flush=True)


def check_poison(make_run: Callable[[Path], Run], out: Path) -> None:
    """Give the second process pictures of NaN in one step: both must leave it out."""
    run = make_run(out / "poison")
    original = run.next_batch

    def next_batch(random: PictureRandom) -> torch.Tensor:
        images = original(random)
        is_poisoned = run.step == 2 and run.accelerator.process_index == 1
        return images * float("nan") if is_poisoned else images

    run.next_batch = next_batch
    train(run, StopFlag())
    same = same_everywhere(run)
    finite = all(v.isfinite().all() for v in run.tokenizer.state_dict().values())
    if PartialState().is_main_process:
        print(f"poison: skipped {run.skipped}, same {same}, finite {finite}", flush=True)


def main() -> None:
    data, out = map(Path, sys.argv[1:3])
    stops = [int(step) for step in sys.argv[3:]]
    tokenizer_out = out / "tokenizer" / "whole"

    def tokenizer_run(folder: Path) -> Run:
        arguments = tokenizer_arguments(data, folder, STEPS)
        arguments += ["--adversarial-weight", "0.5"]
        return TokenizerRun(parse_settings(TokenizerSettings, arguments, ""))

    def transformer_run(folder: Path, *more: str) -> Run:
        arguments = transformer_arguments(data, tokenizer_out / "tokenizer", folder, STEPS)
        arguments += ["--self-correction", "0.3", "--accumulate", "2", *more]
        return TransformerRun(parse_settings(TransformerSettings, arguments, ""))

    check_stops("tokenizer", tokenizer_run, out / "tokenizer", stops)
    check_stops("transformer", transformer_run, out / "transformer", stops)
    check_evaluation(tokenizer_run, out)
    check_poison(tokenizer_run, out)
    check_shards(transformer_run, out / "shards")
    learn(data, tokenizer_out / "tokenizer", out / "two")
    PartialState().wait_for_everyone()
    os._exit(0)  # gloo, with sharded weights, sometimes aborts while it is taken down


if __name__ == "__main__":
    main()
