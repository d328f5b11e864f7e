"""The settings of a transformer run."""

from dataclasses import dataclass, field

from training.loop.optim import SCHEDULES
from training.loop.run_settings import (
    AUGMENTATION,
    FILES,
    LOSSES,
    MACHINE,
    NETWORK,
    PROGRESS,
    STEPS,
    RunSettings,
)
from var_core.option_fields import about, option

LABELS = "labels"
OPTIMIZERS = ("adamw", "muon")
ATTENTION = ("auto", "prefix", "math", "sdpa", "flex", "xformers")


@dataclass(frozen=True, kw_only=True)
class TransformerSettings(RunSettings):
    """Settings of a transformer run."""

    tokenizer: str = field(metadata=about("folder of the trained tokenizer", FILES))
    tokens: str = option(
        "", "folder of training.prepare.tokens; as a rule, tokens lie in that of the run", FILES
    )
    pool_folder: str = option("", "folder of the pool; as a rule, in that of the run", FILES)
    initial: str = option(
        "", "transformer or model folder to start from, with its width and heads", FILES
    )

    nets: str = option(
        "data/nets", "folder of training.prepare.nets, for --frechet-drawings", FILES
    )

    initial_blocks: int = option(
        0, "blocks to keep of --initial, evenly spaced; 0: all", NETWORK, low=0
    )
    depth: int = option(4, "number of blocks", NETWORK, low=1)
    width: int = option(384, "channels, a multiple of --num-heads", NETWORK, low=1)
    num_heads: int = option(6, "attention heads", NETWORK, low=1)
    mlp_ratio: float = option(3.0, "hidden width of the MLPs over the width", NETWORK, low=0)

    num_scales: int = option(
        0,
        "scales to learn, from the coarsest on; 0: all. Finer ones can be learned later",
        NETWORK,
        low=0,
    )
    coarse_part: float = option(
        1.0, "part of the run that learns --num-scales alone; then all", NETWORK, low=0, high=1
    )

    steps: int = option(8000, "optimizer steps", STEPS, low=1)
    optimizer: str = option(
        "adamw",
        "adamw; muon: orthogonal steps for the matrices of the blocks, not with --shard",
        STEPS,
        choices=OPTIMIZERS,
    )
    table_rate_factor: float = option(
        2.0, "learning rate of the label tables over that of the rest", STEPS, low=0
    )
    schedule: str = option("cosine", "how the rate falls", STEPS, choices=SCHEDULES)
    warmup_steps: int = option(200, "steps until the highest rate", STEPS, low=0)
    final_ratio: float = option(0.02, "last learning rate over the highest", STEPS, low=0, high=1)
    weight_decay: float = option(0.02, "weight decay of matrices", STEPS, low=0)
    final_weight_decay: float = option(
        -1.0, "weight decay at the end; -1: no change", STEPS, low=-1
    )
    grad_clip: float = option(2.0, "largest gradient norm; 0: any", STEPS, low=0)
    ema_decay: float = option(0.9985, "decay of the averaged weights", STEPS, low=0, high=1)

    scale_weight_power: float = option(
        1.0, "a scale of N tokens weighs N to this power in the loss", LOSSES, low=0
    )

    pool: int = option(
        0,
        "scenes of the pool that pictures are taken from, whose tokens are kept; 0: no picture "
        "comes twice, all are encoded anew",
        AUGMENTATION,
        low=0,
    )
    num_views: int = option(
        4, "cached views of each picture: the picture and crops of it", AUGMENTATION, low=1
    )
    flip: bool = option(False, "mirror half of the crops", AUGMENTATION)
    plain_view_share: float = option(
        0.5, "part of the pictures shown without zoom and shift", AUGMENTATION, low=0, high=1
    )
    drop_path: float = option(
        0.05,
        "chance that a branch of the last block is dropped; less in earlier blocks",
        AUGMENTATION,
        low=0,
        high=1,
    )
    self_correction: float = option(
        0.0, "largest chance of a wrong code in the input; 0: none", AUGMENTATION, low=0, high=1
    )
    correction_reach: int = option(
        32, "a wrong code is one of so many nearest ones", AUGMENTATION, low=1
    )

    drop_all: float = option(0.1, "chance of no label at all", LABELS, low=0, high=1)
    drop_each: float = option(
        0.05,
        "chance of no label for one attribute, where there are several labels or phrases",
        LABELS,
        low=0,
        high=1,
    )

    frechet_drawings: int = option(
        0,
        "drawings whose Frechet distance to real pictures each evaluation measures; 0: none",
        PROGRESS,
        low=0,
    )
    shard: bool = option(False, "FSDP2: every process keeps only a part of the weights", MACHINE)
    attention: str = option(
        "auto", "attention kernel; flex and xformers on CUDA only", MACHINE, choices=ATTENTION
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shard and self.optimizer == "muon":
            raise ValueError("--optimizer muon needs whole matrices: leave out --shard")
