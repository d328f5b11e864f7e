"""Times a training step of the transformer: `python -m tests.benchmarks.train_step`.

With `--official PATH`, a checkout of FoundationVision/VAR, against a step of the official trainer
at the same sizes, in one process, in turn. Nothing is asserted.
"""

import argparse
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from tests.benchmarks.official_training import NUM_CLASSES, OfficialSteps
from tests.benchmarks.report import SHORT, Row, alternate, compare, host, print_table, write_json
from training.loop.checkpoint import step_generator
from training.loop.ema import ExponentialAverage
from training.loop.optim import MasterWeights, parameter_groups, step_if_finite
from training.loop.picture_random import PictureRandom
from training.loop.sharding import whole_norm
from training.transformer.conditioning import drop_labels
from training.transformer.objective import (
    TransformerObjective,
    TransformerSettings,
    branch_factors,
)
from training.transformer.sharded_weights import ShardedWeights
from var_core.condition import Condition
from var_core.devices import pick_device, pick_dtype
from var_core.scales import SIDES_256, ScaleSchedule
from var_core.tokenizer import VectorQuantizer
from var_core.transformer import VARTransformer, init_weights
from var_core.transformer.attention_kernels import BLOCK_CAUSAL_BACKENDS
from var_core.transformer.block_causal import BlockCausal

VOCAB_SIZE, CODE_DIM = 4096, 32
NUM_CACHED = 64  # pictures whose tokens are known


@dataclass(frozen=True)
class Sizes:
    """What both sides have in common; as in the official code, width and heads follow depth."""

    depth: int = 8
    batch_size: int = 2
    sides: tuple[int, ...] = SIDES_256

    @property
    def width(self) -> int:
        """Channels."""
        return 64 * self.depth


def settings_of(sizes: Sizes, attention: str = "auto") -> TransformerSettings:
    """The trainer's settings."""
    return TransformerSettings(
        data="",
        tokenizer="",
        out="",
        depth=sizes.depth,
        drop_path=0.1 * sizes.depth / 24,
        attention=attention,
    )


def network_of(sizes: Sizes) -> VARTransformer:
    """The network that both sides train."""
    return VARTransformer(
        sides=sizes.sides,
        vocab_size=VOCAB_SIZE,
        code_dim=CODE_DIM,
        label_counts=(NUM_CLASSES,),
        depth=sizes.depth,
        width=sizes.width,
        num_heads=sizes.depth,
    )


class OurStep:
    """What `TransformerRun` does in a step, without its files.

    Args:
        sizes: of the network.
        device: where it runs.
        dtype: of the weights; their masters are float32.
        compiler: backend of `torch.compile`; empty for none.
        attention: as the trainer's setting.
        is_sharded: whether FSDP2 holds the weights; needs a process group of one process.
    """

    def __init__(
        self,
        sizes: Sizes,
        device: torch.device,
        dtype: torch.dtype,
        compiler: str,
        attention: str = "auto",
        is_sharded: bool = False,
    ) -> None:
        self.sizes, self.device, self.number = sizes, device, 0
        self.config = settings_of(sizes, attention)
        with device:  # where many random numbers are soon made
            transformer = network_of(sizes)
        init_weights(transformer, torch.Generator(device).manual_seed(0))
        self.transformer = transformer.train()
        objective = TransformerObjective(transformer, self.config)
        self.masters: MasterWeights | ShardedWeights
        if is_sharded:
            self.masters = ShardedWeights(objective, 1, dtype)
            dtype = torch.float32  # the blocks cast what they need
        else:
            self.masters = MasterWeights(transformer)
        self.average = ExponentialAverage(transformer, self.config.ema_decay)
        nn.Module.to(transformer, dtype)
        self.objective = objective
        if compiler == "inductor":
            objective.compile_parts()  # as the trainer does
        elif compiler:
            objective.compile(backend=compiler)
        groups = parameter_groups(self.masters.named().items(), self.config.weight_decay)
        self.optimizer = torch.optim.AdamW(groups, lr=1e-6, betas=(0.9, 0.95), fused=True)
        self.schedule = transformer.schedule
        self.null = torch.tensor(transformer.null_labels)
        self.quantizer = VectorQuantizer(self.schedule, VOCAB_SIZE, CODE_DIM).to(device)
        self.quantizer.requires_grad_(False)
        shape = (NUM_CACHED, self.schedule.num_tokens)
        self.cache = torch.randint(
            VOCAB_SIZE, shape, generator=step_generator(0, -1), dtype=torch.int16
        )

    def __call__(self) -> Tensor:
        """One step; returns the loss, a scalar on the device."""
        generator = step_generator(0, self.number)
        rows = torch.randint(NUM_CACHED, (self.sizes.batch_size,), generator=generator)
        labels = torch.randint(NUM_CLASSES, (self.sizes.batch_size, 1), generator=generator)
        random = PictureRandom(0, self.number, range(len(rows)))
        drop_all, drop_each = self.config.drop_all, self.config.drop_each
        labels = drop_labels(labels, self.null, drop_all, drop_each, random).to(self.device)
        factors = branch_factors(self.sizes.depth, self.config.drop_path, random)
        tokens = self.cache[rows].long().to(self.device)
        inputs = self.quantizer.teacher_inputs(self.token_maps(tokens))
        dtype = self.transformer.dtype
        factors = factors.to(self.device, dtype)
        condition = Condition.of_labels(labels)
        loss, _ = self.objective(inputs.to(dtype), condition, tokens, factors)
        loss.backward()
        self.masters.take_gradients()
        norm = whole_norm(self.masters.masters, self.config.grad_clip)
        step_if_finite(self.optimizer, norm)
        self.masters.give_weights()
        self.optimizer.zero_grad()
        self.number += 1
        self.average.update(self.masters.named(), self.number)
        return loss.detach()

    def token_maps(self, tokens: Tensor) -> list[Tensor]:
        """Flat tokens (B, L) as K maps (B, S, S)."""
        return [
            tokens[:, self.schedule.token_range(index)].unflatten(1, (side, side))
            for index, side in enumerate(self.sizes.sides)
        ]


def our_steps(sizes: Sizes, device: torch.device, compiler: str) -> dict[str, OurStep]:
    """Eager, compiled, and compiled in bf16: the trainer's default where bf16 is fast."""
    return {
        "ours, fp32, eager": OurStep(sizes, device, torch.float32, ""),
        "ours, fp32, compiled": OurStep(sizes, device, torch.float32, compiler),
        "ours, bf16, compiled": OurStep(sizes, device, torch.bfloat16, compiler),
    }


def attention_steps(
    sizes: Sizes, device: torch.device, dtype: torch.dtype, compiler: str
) -> dict[str, Callable[[], object]]:
    """Attention of one block, forward and backward, by every kernel that the device has."""
    schedule = ScaleSchedule(sizes.sides)
    shape = (sizes.batch_size, schedule.num_tokens, 3, sizes.depth, 64)
    qkv = torch.randn(shape, device=device, dtype=dtype, requires_grad=True)
    push = torch.randn(qkv[:, :, 0].transpose(1, 2).shape, device=device, dtype=dtype)

    def step_of(run: Callable[..., Tensor]) -> Callable[[], object]:
        def step() -> object:
            return torch.autograd.grad(run(*qkv.permute(2, 0, 3, 1, 4).unbind(0), 1.0), qkv, push)

        return step

    steps = {}
    for backend in BLOCK_CAUSAL_BACKENDS[1:]:
        try:
            run = BlockCausal(schedule, device, backend)
        except ValueError:
            continue  # not for this device
        steps[f"{backend}, {SHORT[dtype]}, eager"] = step_of(run)
        compiled = torch.compile(run.__call__, backend=compiler)
        steps[f"{backend}, {SHORT[dtype]}, compiled"] = step_of(compiled)
    return steps


@torch._dynamo.config.patch(recompile_limit=64)  # one function, many kernels and dtypes
def measure(
    sizes: Sizes, device: torch.device, runs: int, compiler: str, checkout: Path | None
) -> dict[str, list[Row]]:
    """The rows of both tables.

    Args:
        sizes: of the network and the batch.
        device: where all runs.
        runs: of each row.
        compiler: backend of `torch.compile`.
        checkout: of the official code; None times ours alone.

    Raises:
        ValueError: if sizes or folder do not do.
    """
    steps: dict[str, Callable[[], object]] = {}
    if checkout is not None:
        official = OfficialSteps(checkout, sizes.sides, sizes.depth, sizes.batch_size, device)
        steps |= official.steps()
    steps |= our_steps(sizes, device, compiler)
    tables = {"steps": compare(alternate(steps, runs, device), next(iter(steps))), "attention": []}
    for dtype in dict.fromkeys((torch.float32, pick_dtype(device))):
        kernels = attention_steps(sizes, device, dtype, compiler)
        dense = f"math, {SHORT[dtype]}, compiled"
        tables["attention"] += compare(alternate(kernels, runs, device), dense)
    return tables


def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--official", type=Path, help="checkout of FoundationVision/VAR")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--depth", type=int, default=Sizes.depth, help="blocks; width / 64")
    parser.add_argument("--batch-size", type=int, default=Sizes.batch_size)
    parser.add_argument("--sides", type=int, nargs="+", default=Sizes.sides)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--compiler", default="inductor", help="backend of torch.compile")
    arguments = parser.parse_args(argv)
    warnings.filterwarnings("ignore", category=FutureWarning)  # of the official code
    sizes = Sizes(arguments.depth, arguments.batch_size, tuple(arguments.sides))
    device, runs = pick_device(), arguments.runs
    described = {"host": host(device), "sizes": asdict(sizes)}
    print(
        *(f"{key} {value}" for part in described.values() for key, value in part.items()), sep=", "
    )
    try:
        tables = measure(sizes, device, runs, arguments.compiler, arguments.official)
    except ValueError as error:
        parser.error(str(error))
    print_table(f"training step; times: against {tables['steps'][0].name!r}", tables["steps"], runs)
    print_table("attention of one block; times: against the dense mask", tables["attention"], runs)
    if arguments.json:
        write_json(arguments.json, described, tables)


if __name__ == "__main__":
    main()
