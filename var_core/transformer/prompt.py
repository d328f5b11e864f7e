"""Phrases as tokens at the front of the sequence."""

import torch
from torch import Tensor, nn

from var_core.condition import Condition
from var_core.packing import Linear


class PromptEmbedding(nn.Module):
    """Turns the phrases of a prompt into tokens, and into one vector for the adaptive norm.

    Every row has the same number of slots. A slot without a phrase holds the learned null token, so
    no mask is needed, and a row does not depend on how many phrases the others have. No slot has a
    position of its own: the order of the phrases has no meaning.

    Args:
        text_dim: width of a phrase vector (E).
        width: channels of the transformer (C).
    """

    def __init__(self, text_dim: int, width: int) -> None:
        super().__init__()
        self.proj = Linear(text_dim, width, bias=False)
        self.null_token = nn.Parameter(torch.zeros(1, 1, width))
        self.prefix_embed = nn.Parameter(torch.zeros(1, 1, width))

    def forward(self, condition: Condition) -> tuple[Tensor, Tensor]:
        """Tokens of all slots, (B, P, C), and the mean of the given phrases, (B, C).

        The mean is the null token where no phrase is given.
        """
        is_given = condition.is_given.unsqueeze(2)  # (B, P, 1)
        projected = self.proj(condition.phrases.to(self.null_token.dtype))  # (B, P, C)
        count = is_given.sum(dim=1)  # (B, 1)
        total = projected.masked_fill(~is_given, 0.0).sum(dim=1)
        mean = torch.where(count > 0, total / count.clamp(min=1), self.null_token[0])
        return torch.where(is_given, projected, self.null_token) + self.prefix_embed, mean
