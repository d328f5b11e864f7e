"""The settings that every training run has, and the groups that `--help` shows them in."""

from dataclasses import dataclass, field

from training.data.augment import KINDS, KINDS_HELP
from training.loop.command_line import Settings
from var_core.option_fields import about, option

FILES = "files"
NETWORK = "network"
STEPS = "steps and optimizer"
LOSSES = "losses"
AUGMENTATION = "data and augmentation"
PROGRESS = "progress and checkpoints"
MACHINE = "machine"

PRECISIONS = ("auto", "bf16", "no")
RATE_PICTURES = 256  # that the base rate is for, as published
TRACKERS = ("tensorboard", "wandb", "none")
TOO_NARROW = ("fp16", "float16", "fp8")


@dataclass(frozen=True, kw_only=True)
class RunSettings(Settings):
    """Settings of a training run; the trainers add their own."""

    data: str = field(metadata=about("folder that a training.prepare command wrote", FILES))
    out: str = field(metadata=about("folder of the run", FILES))
    steps: int = option(6000, "optimizer steps", STEPS, low=1)
    minutes: float = option(
        0.0,
        "time limit of the run, over all calls; the learning rate follows it. 0: none",
        STEPS,
        low=0,
    )
    batch_size: int = option(32, "pictures per step and process", STEPS, low=1)
    accumulate: int = option(
        1, "parts of a batch that go through the network one after another", STEPS, low=1
    )
    base_rate: float = option(
        6.4e-3,
        "highest learning rate for each 256 pictures of a step",
        STEPS,
        low=0,
    )
    learning_rate: float = option(
        0.0, "highest learning rate, whatever the batch; 0: from --base-rate", STEPS, low=0
    )
    augmentation: str = option("auto", KINDS_HELP, AUGMENTATION, choices=KINDS)
    save_every: int = option(500, "steps between checkpoints", PROGRESS, low=1)
    evaluate_every: int = option(500, "steps between evaluations", PROGRESS, low=1)
    tracker: str = option(
        "tensorboard", "where figures go beside log.jsonl", PROGRESS, choices=TRACKERS
    )
    mixed_precision: str = option(
        "auto", "auto takes bf16 where the device multiplies it fast", MACHINE, choices=PRECISIONS
    )
    seed: int = option(0, "seed of all randomness", STEPS)
    workers: int = option(
        -1,
        "processes that read pictures ahead; -1: 4 beside a GPU, else none",
        MACHINE,
        low=-1,
        high=256,
    )
    painters: int = option(
        0,
        "processes that paint scenes beside the training, for a GPU; each scene comes several "
        "times. 0: none",
        MACHINE,
        low=0,
    )
    compile: bool = option(True, "compile the network", MACHINE)
    checkpoint_activations: bool = option(
        False, "less memory: blocks run again for their gradient", MACHINE
    )
    continue_with_other_processes: bool = option(
        False, "resume a run of another number of processes; not bit for bit", MACHINE
    )
    dry_run: bool = option(False, "print settings, sizes, memory and duration, then stop", MACHINE)

    def highest_rate(self, total_batch: int) -> float:
        """The highest learning rate for steps of so many pictures of all processes."""
        return self.learning_rate or self.base_rate * total_batch / RATE_PICTURES

    def __post_init__(self) -> None:
        check_precision(self.mixed_precision)
        super().__post_init__()
        if self.accumulate > self.batch_size or self.batch_size % self.accumulate:
            raise ValueError(
                f"accumulate must divide the batch size {self.batch_size}, got {self.accumulate}"
            )


def check_precision(name: str) -> None:
    """Refuse precisions in which small gradients vanish.

    Raises:
        ValueError: if it is one of these.
    """
    if name in TOO_NARROW:
        raise ValueError(
            f"{name} is not supported, as small gradients vanish in it: choose bf16, which is as "
            "fast, or no for float32"
        )
