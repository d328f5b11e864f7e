"""What the pictures of a label have in common, learned place by place."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from var_core.scales import ScaleSchedule


class LabelMaps(nn.Module):
    """Expected latent of a set of labels, averaged down to every scale and added to its tokens.

    A label embedding of width C tells a whole picture in one vector; here each label also has a
    short code, and a basis shared by all labels turns the summed codes into a latent of the size
    of the tokenizer's. A named emoji so starts from what its pictures look like, and the blocks
    are left to redraw it in the asked style. Not part of the published network.

    Args:
        schedule: of the transformer.
        label_counts: values of each attribute; the entry after the last one is null.
        rank: length of a label's code.
        code_dim: channels of the latent (D).
        width: channels of the transformer (C).
    """

    def __init__(
        self,
        schedule: ScaleSchedule,
        label_counts: Sequence[int],
        rank: int,
        code_dim: int,
        width: int,
    ) -> None:
        super().__init__()
        self.schedule = schedule
        self.codes = nn.ModuleList(nn.Embedding(count + 1, rank) for count in label_counts)
        self.basis = nn.Linear(rank, code_dim * schedule.final_side**2, bias=False)
        self.proj = nn.Linear(code_dim, width, bias=False)

    def forward(self, labels: Tensor) -> Tensor:
        """What to add to the input of every token: (B, A) int64 -> (B, L, C)."""
        columns = zip(self.codes, labels.unbind(1), strict=True)
        code = sum(embed(column) for embed, column in columns)  # (B, rank)
        side = self.schedule.final_side
        latent = self.basis(code).unflatten(1, (-1, side, side))  # (B, D, H, W)
        pooled = [
            F.interpolate(latent, size=(side, side), mode="area").flatten(2)
            for side in self.schedule.sides
        ]
        return self.proj(torch.cat(pooled, dim=2).transpose(1, 2))
