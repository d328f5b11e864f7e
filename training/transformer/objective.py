"""What a transformer step minimises: weighted cross-entropy, with branches dropped at random."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.loop.picture_random import PictureRandom
from training.transformer.settings import TransformerSettings
from var_core.condition import Condition
from var_core.scales import ScaleSchedule
from var_core.transformer import VARTransformer


def token_weights(schedule: ScaleSchedule, power: float) -> Tensor:
    """Weight of each token in the loss, (L,), summing to 1; a scale of N tokens weighs N^power."""
    weights = torch.tensor([size ** (power - 1) for size in schedule.sizes])
    weights = weights[torch.tensor(schedule.scale_of_token())]
    return weights / weights.sum()


class TransformerObjective(nn.Module):
    """Transformer and loss as one module, so that data-parallel wrappers see one forward.

    Args:
        transformer: the network.
        settings: attention and weights of the scales.
        num_scales: scales to learn, from the coarsest on; 0 takes all.
    """

    weights: Tensor  # (L,), share of each token in the loss

    def __init__(
        self, transformer: VARTransformer, settings: TransformerSettings, num_scales: int = 0
    ) -> None:
        super().__init__()
        self.transformer = transformer
        schedule = transformer.schedule
        schedule = schedule.first(num_scales or schedule.num_scales)
        self.attention = transformer.block_causal(schedule.num_scales, settings.attention)
        weights = token_weights(schedule, settings.scale_weight_power)
        self.register_buffer("weights", weights, persistent=False)

    def forward(
        self, inputs: Tensor, condition: Condition, tokens: Tensor, branch_factors: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Weighted loss, and the cross-entropy of every token (B, M), in nats.

        M tokens are those of the scales that are learned.
        """
        transformer = self.transformer
        hidden = transformer.hidden_states(
            inputs,
            transformer.embed(condition),
            self.attention,
            branch_factors=branch_factors,
        )
        entropy = self.score(hidden, tokens)
        return (entropy * self.weights).sum(dim=1).mean(), entropy.detach()

    def score(self, hidden: Tensor, tokens: Tensor) -> Tensor:
        """Cross-entropy of states before the head, (B, M, C), and tokens (B, M): (B, M)."""
        logits = self.transformer.logits(hidden)
        entropy = F.cross_entropy(logits.flatten(0, 1), tokens.flatten(), reduction="none")
        return entropy.view_as(tokens)

    def compile_parts(self) -> None:
        """Compile block and loss: as fast as the whole, which takes several times as long to do.

        All blocks share one compiled form.
        """
        for block in self.transformer.each_block():
            block.compile(dynamic=False)
        self.score = torch.compile(self.score, dynamic=False)


def branch_factors(depth: int, drop_path: float, random: PictureRandom) -> Tensor:
    """Stochastic depth: (depth, 2, B, 1, 1), 0 where a branch is dropped, more often deep down."""
    rates = torch.linspace(0, drop_path, depth).view(depth, 1, 1)
    kept = random.uniform(depth, 2).permute(1, 2, 0) >= rates
    return (kept / (1 - rates)).unsqueeze(-1).unsqueeze(-1)
