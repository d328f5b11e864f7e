"""What a transformer step optimises: dropped labels, weighted cross-entropy, dropped branches."""

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.loop.config import PRECISION_HELP
from training.loop.optim import SCHEDULES
from var_core.condition import Condition
from var_core.scales import ScaleSchedule
from var_core.transformer import VARTransformer

CATEGORY, EMOJI, STYLE = range(3)


@dataclass(frozen=True)
class TransformerTrainConfig:
    """Settings of a transformer run; the defaults made the embedded model."""

    data: str = field(metadata={"help": "folder that a training.prepare command wrote"})
    tokenizer: str = field(metadata={"help": "folder of the trained tokenizer"})
    out: str = field(metadata={"help": "folder of the run"})
    initial: str = field(
        default="",
        metadata={"help": "transformer or model folder to go on from, with its width and heads"},
    )
    initial_blocks: int = field(
        default=0, metadata={"help": "evenly spaced blocks to keep of initial; 0: all"}
    )
    depth: int = 4
    width: int = 384
    num_heads: int = 6
    mlp_ratio: float = 3.0
    label_map_rank: int = field(
        default=352, metadata={"help": "length of the codes of the label maps; 0: no maps"}
    )
    label_pairs: bool = field(
        default=True, metadata={"help": "a code for every (emoji, style), not every emoji"}
    )
    borrow: float = field(
        default=0.35, metadata={"help": "chance of a pair code from another style"}
    )
    steps: int = 8000
    batch_size: int = field(default=32, metadata={"help": "pictures per step and process"})
    accumulate: int = field(
        default=1, metadata={"help": "parts of a batch that go through the network in turn"}
    )
    num_views: int = field(default=4, metadata={"help": "cached crops of each picture"})
    flip: bool = field(default=False, metadata={"help": "mirror half of the crops"})
    plain_view_share: float = field(
        default=0.5, metadata={"help": "part of the pictures shown without zoom and shift"}
    )
    learning_rate: float = 8e-4
    table_rate_factor: float = field(
        default=2.0, metadata={"help": "factor on the rate of the label tables"}
    )
    schedule: str = field(default="cosine", metadata={"help": "cosine or linear"})
    warmup_steps: int = 200
    final_ratio: float = 0.02
    weight_decay: float = 0.02
    final_weight_decay: float = field(
        default=-1.0, metadata={"help": "weight decay at the end; negative: no change"}
    )
    grad_clip: float = 2.0
    ema_decay: float = 0.9985
    drop_path: float = 0.05
    drop_all: float = field(default=0.1, metadata={"help": "chance of no label at all"})
    drop_each: float = field(
        default=0.05, metadata={"help": "chance of each label alone, where there are several"}
    )
    drop_emoji: float = field(default=0.07, metadata={"help": "of the emoji set, as the next two"})
    drop_style: float = 0.05
    drop_category: float = field(
        default=0.3, metadata={"help": "chance of no category where the emoji is dropped"}
    )
    scale_weight_power: float = field(
        default=0.5, metadata={"help": "a scale of N tokens weighs N to this power"}
    )
    self_correction: float = field(
        default=0.0, metadata={"help": "largest chance of a wrong code in the input; 0: none"}
    )
    correction_reach: int = field(
        default=32, metadata={"help": "a wrong code is one of so many nearest ones"}
    )
    label_std: float = 0.06
    save_every: int = 500
    evaluate_every: int = 500
    mixed_precision: str = field(default="auto", metadata={"help": PRECISION_HELP})
    compile: bool = True
    shard: bool = field(
        default=False, metadata={"help": "FSDP2: every process keeps a part of the weights only"}
    )
    checkpoint_activations: bool = field(
        default=False, metadata={"help": "less memory: blocks run again for their gradient"}
    )
    attention: str = field(
        default="auto",
        metadata={"help": "auto, prefix, math, sdpa, on CUDA also flex and xformers"},
    )
    seed: int = 0
    dry_run: bool = field(
        default=False, metadata={"help": "print settings, sizes and memory, and stop"}
    )

    def __post_init__(self) -> None:
        if self.schedule not in SCHEDULES:
            raise ValueError(f"schedule must be {' or '.join(SCHEDULES)}, got {self.schedule!r}")
        if not 1 <= self.accumulate <= self.batch_size or self.batch_size % self.accumulate:
            raise ValueError(
                f"accumulate must divide the batch size {self.batch_size}, got {self.accumulate}"
            )
        if not 0 <= self.self_correction <= 1:
            raise ValueError(f"self_correction is 0 to 1, got {self.self_correction}")


def drop_each(
    labels: Tensor, null: Tensor, config: TransformerTrainConfig, generator: torch.Generator
) -> Tensor:
    """Leave attributes open at random, each alone and all together.

    Args:
        labels: (B, A) int64; the attributes imply nothing of each other.
        null: (A,) int64.
        config: holds the chances.
        generator: source of randomness.
    """
    chance = torch.rand(len(labels), len(null) + 1, generator=generator)
    drop = chance[:, 1:] < (config.drop_each if len(null) > 1 else 0.0)
    drop |= chance[:, :1] < config.drop_all
    return torch.where(drop, null, labels)


def drop_labels(
    labels: Tensor, null: Tensor, config: TransformerTrainConfig, generator: torch.Generator
) -> Tensor:
    """Leave attributes open at random, so that each may be left open when drawing.

    Args:
        labels: (B, 3) int64: category, emoji, style.
        null: (3,) int64.
        config: holds the chances.
        generator: source of randomness.

    Returns:
        (B, 3); a category is never dropped where its emoji stays, for an emoji implies it.
    """
    chance = torch.rand(4, len(labels), generator=generator)
    drop = torch.zeros_like(labels, dtype=torch.bool)
    drop[:, EMOJI] = chance[0] < config.drop_emoji
    drop[:, CATEGORY] = drop[:, EMOJI] & (chance[1] < config.drop_category)
    drop[:, STYLE] = chance[2] < config.drop_style
    drop |= (chance[3] < config.drop_all).unsqueeze(1)
    return torch.where(drop, null, labels)


def borrow_rows(own: Tensor, labels: Tensor, chance: float, generator: torch.Generator) -> Tensor:
    """Rows of the pair codes to train with, some borrowed from the same emoji in another style.

    Args:
        own: (emojis + 1, styles) int64, row of every pair; the largest value where there is none.
        labels: (B, 3) int64, as shown to the network.
        chance: of borrowing, where another style is known.
        generator: source of randomness.

    Returns:
        (B,) int64; the null row (the largest value) where the emoji is dropped.
    """
    null = int(own.max())
    rows = own[labels[:, EMOJI]]  # (B, styles)
    score = torch.rand(rows.shape, generator=generator)
    score[rows == null] = -1.0
    borrows = torch.rand(len(labels), 1, generator=generator) < chance
    is_own = torch.arange(rows.shape[1]) == labels[:, STYLE : STYLE + 1]
    score = torch.where(is_own & (rows < null), torch.where(borrows, -0.5, 2.0), score)
    picked = score.argmax(dim=1, keepdim=True)
    return rows.gather(1, picked).squeeze(1)


def token_weights(schedule: ScaleSchedule, power: float) -> Tensor:
    """Weight of each token in the loss, (L,), summing to 1; a scale of N tokens weighs N^power."""
    weights = torch.tensor([side ** (2 * (power - 1)) for side in schedule.sides])
    weights = weights[torch.tensor(schedule.scale_of_token())]
    return weights / weights.sum()


class TransformerObjective(nn.Module):
    """Transformer and loss as one module, so that data-parallel wrappers see one forward."""

    def __init__(self, transformer: VARTransformer, config: TransformerTrainConfig) -> None:
        super().__init__()
        self.transformer = transformer
        schedule = transformer.schedule
        self.attention = transformer.block_causal(backend=config.attention)
        weights = token_weights(schedule, config.scale_weight_power)
        self.register_buffer("weights", weights, persistent=False)

    def forward(
        self,
        inputs: Tensor,
        condition: Condition,
        rows: Tensor | None,
        tokens: Tensor,
        branch_factors: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Weighted loss, and the cross-entropy of every token (B, L), in nats."""
        transformer = self.transformer
        hidden = transformer.hidden_states(
            inputs,
            transformer.embed(condition, rows),
            self.attention,
            branch_factors=branch_factors,
        )
        logits = transformer.logits(hidden)
        entropy = F.cross_entropy(logits.flatten(0, 1), tokens.flatten(), reduction="none")
        entropy = entropy.view_as(tokens)
        return (entropy * self.weights).sum(dim=1).mean(), entropy.detach()


def branch_factors(
    depth: int, batch_size: int, drop_path: float, generator: torch.Generator
) -> Tensor:
    """Stochastic depth: (depth, 2, B, 1, 1), 0 where a branch is dropped, more often deep down."""
    rates = torch.linspace(0, drop_path, depth).view(depth, 1, 1)
    kept = torch.rand(depth, 2, batch_size, generator=generator) >= rates
    return (kept / (1 - rates)).unsqueeze(-1).unsqueeze(-1)
