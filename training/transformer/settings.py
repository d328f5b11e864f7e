"""The settings of a transformer run."""

from dataclasses import dataclass, field

from training.loop.command_line import about, setting
from training.loop.optim import SCHEDULES
from training.loop.run_settings import (
    AUGMENTATION,
    FILES,
    LOSSES,
    MACHINE,
    NETWORK,
    STEPS,
    RunSettings,
)
from training.transformer.label_maps.settings import LabelMapSettings

LABELS = "labels"
ATTENTION = ("auto", "prefix", "math", "sdpa", "flex", "xformers")


@dataclass(frozen=True, kw_only=True)
class TransformerSettings(RunSettings):
    """Settings of a transformer run; the defaults made the embedded model."""

    tokenizer: str = field(metadata=about("folder of the trained tokenizer", FILES))
    pool_folder: str = setting("", "folder of the pool; as a rule, in that of the run", FILES)
    initial: str = setting(
        "", "transformer or model folder to start from, with its width and heads", FILES
    )

    initial_blocks: int = setting(
        0, "blocks to keep of --initial, evenly spaced; 0: all", NETWORK, low=0
    )
    depth: int = setting(4, "number of blocks", NETWORK, low=1)
    width: int = setting(384, "channels, a multiple of --num-heads", NETWORK, low=1)
    num_heads: int = setting(6, "attention heads", NETWORK, low=1)
    mlp_ratio: float = setting(3.0, "hidden width of the MLPs over the width", NETWORK, low=0)

    num_scales: int = setting(
        0, "scales to learn, from the coarsest on; 0: all. Finer ones can be learned later", NETWORK
    )

    steps: int = setting(8000, "optimizer steps", STEPS, low=1)
    accumulate: int = setting(
        1, "parts of a batch that go through the network one after another", STEPS, low=1
    )
    learning_rate: float = setting(8e-4, "highest learning rate", STEPS, low=0)
    table_rate_factor: float = setting(
        2.0, "learning rate of the label tables over that of the rest", STEPS, low=0
    )
    schedule: str = setting("cosine", "how the rate falls", STEPS, choices=SCHEDULES)
    warmup_steps: int = setting(200, "steps until the highest rate", STEPS, low=0)
    final_ratio: float = setting(0.02, "last learning rate over the highest", STEPS, low=0, high=1)
    weight_decay: float = setting(0.02, "weight decay of matrices", STEPS, low=0)
    final_weight_decay: float = setting(-1.0, "weight decay at the end; negative: no change", STEPS)
    grad_clip: float = setting(2.0, "largest gradient norm", STEPS, low=0)
    ema_decay: float = setting(0.9985, "decay of the averaged weights", STEPS, low=0, high=1)

    scale_weight_power: float = setting(
        0.5, "a scale of N tokens weighs N to this power in the loss", LOSSES
    )

    pool: int = setting(
        0,
        "scenes of the pool that pictures are taken from, whose tokens are kept; 0: no picture "
        "comes twice, all are encoded anew",
        AUGMENTATION,
        low=0,
    )
    num_views: int = setting(
        4, "cached views of each picture: the picture and crops of it", AUGMENTATION, low=1
    )
    flip: bool = setting(False, "mirror half of the crops", AUGMENTATION)
    plain_view_share: float = setting(
        0.5, "part of the pictures shown without zoom and shift", AUGMENTATION, low=0, high=1
    )
    drop_path: float = setting(
        0.05,
        "chance that a branch of the last block is dropped; less in earlier blocks",
        AUGMENTATION,
        low=0,
        high=1,
    )
    self_correction: float = setting(
        0.0, "largest chance of a wrong code in the input; 0: none", AUGMENTATION, low=0, high=1
    )
    correction_reach: int = setting(
        32, "a wrong code is one of so many nearest ones", AUGMENTATION, low=1
    )

    drop_all: float = setting(0.1, "chance of no label at all", LABELS, low=0, high=1)
    drop_each: float = setting(
        0.05,
        "chance of no label for one attribute, where there are several labels or phrases",
        LABELS,
        low=0,
        high=1,
    )
    label_maps: LabelMapSettings = field(default_factory=LabelMapSettings)

    describers: int = setting(
        0, "processes that describe scenes in advance, for a GPU; 0: none", MACHINE, low=0
    )
    compile: bool = setting(True, "compile the network", MACHINE)
    shard: bool = setting(False, "FSDP2: every process keeps only a part of the weights", MACHINE)
    checkpoint_activations: bool = setting(
        False, "less memory: blocks run again for their gradient", MACHINE
    )
    attention: str = setting(
        "auto", "attention kernel; flex and xformers on CUDA only", MACHINE, choices=ATTENTION
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.accumulate > self.batch_size or self.batch_size % self.accumulate:
            raise ValueError(
                f"accumulate must divide the batch size {self.batch_size}, got {self.accumulate}"
            )
