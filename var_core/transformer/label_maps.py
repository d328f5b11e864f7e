"""What the pictures of a label have in common, learned place by place."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from var_core.packing import Linear
from var_core.scales import ScaleSchedule

TRUST = ("own", "borrowed", "none")  # kinds of codes, which the head trusts differently


class LabelMaps(nn.Module):
    """Expected latent of a set of labels, averaged down to every scale.

    A label embedding of width C tells a whole picture in one vector; here each label also has a
    short code, and a basis shared by all labels turns the summed codes into a latent of the size
    of the tokenizer's. The network sees it beside its tokens, and the head sees how much of it the
    scales drawn so far have left open. Not part of the published network.

    With pairs, the last attribute but one (ours: the emoji) has a code for each of its pictures'
    values of the last one (the style) instead of a single code: what a picture of that emoji looks
    like once the style's own share is taken away. A pair that was never seen borrows the code of
    the same emoji in another style, and the style it was borrowed from is told to the network.

    Args:
        schedule: schedule of the transformer.
        label_counts: values of each attribute; the entry after the last one is null.
        rank: length of a label's code.
        code_dim: channels of the latent (D).
        width: channels of the transformer (C).
        num_pairs: (last but one, last) attribute values that have a code; 0: no pairs.
    """

    row_of: Tensor
    pairs: Tensor

    def __init__(
        self,
        schedule: ScaleSchedule,
        label_counts: Sequence[int],
        rank: int,
        code_dim: int,
        width: int,
        num_pairs: int = 0,
    ) -> None:
        super().__init__()
        self.schedule = schedule
        self.num_pairs = num_pairs
        sizes = list(label_counts)
        if num_pairs:
            sizes[-2] = num_pairs
            table = torch.full((label_counts[-2] + 1, label_counts[-1] + 1), num_pairs)
            self.register_buffer("row_of", table.to(torch.int32))
            self.register_buffer("pairs", torch.zeros(num_pairs, 2, dtype=torch.int32))
            self.source_embed = nn.Embedding(label_counts[-1] + 1, width)
        self.codes = nn.ModuleList(nn.Embedding(size + 1, rank) for size in sizes)
        self.basis = Linear(rank, code_dim * schedule.size_of(-1))
        self.proj = Linear(code_dim, width, bias=False)
        self.trust_embed = nn.Embedding(len(TRUST), schedule.num_scales)

    def check_pairs(self) -> None:
        """Refuse tables that point nowhere.

        Raises:
            ValueError: if a row or a label is out of range.
        """
        if not self.num_pairs:
            return
        limits = torch.tensor(self.row_of.shape, device=self.pairs.device) - 2  # the last is null
        for name, table, limit in (
            ("row_of", self.row_of, self.num_pairs),
            ("pairs", self.pairs, limits),
        ):
            if ((table < 0) | (table > limit)).any():
                raise ValueError(f"label_maps.{name} holds an index out of range")

    def rows(self, labels: Tensor) -> Tensor:
        """Row of the pair table for each of the labels: (B, A) int64 -> (B,) int64.

        The pair's own row, or the one it borrows; `num_pairs` (a null row) where there is none.
        """
        return self.row_of[labels[:, -2], labels[:, -1]].long()

    def sources(self, rows: Tensor) -> Tensor:
        """Value of the last attribute that each row was seen with; null for the null row."""
        null = torch.tensor([self.source_embed.num_embeddings - 1], device=rows.device)
        return torch.cat((self.pairs[:, 1].long(), null))[rows]

    def trust(self, labels: Tensor, rows: Tensor | None) -> Tensor:
        """Factors on what is still open of the maps, by the kind of code: (B, L, 1)."""
        kind = torch.zeros(len(labels), dtype=torch.int64, device=labels.device)
        if rows is not None:
            kind[self.sources(rows) != labels[:, -1]] = TRUST.index("borrowed")
            kind[rows == self.num_pairs] = TRUST.index("none")
        scale_of_token = torch.tensor(self.schedule.scale_of_token(), device=labels.device)
        return self.trust_embed(kind)[:, scale_of_token].unsqueeze(2)

    def forward(self, labels: Tensor, rows: Tensor | None) -> Tensor:
        """Expected latents at all scales.

        Args:
            labels: (B, A) int64.
            rows: (B,) int64, rows of the pair table; None without pairs.

        Returns:
            (B, L, D), coarse to fine.
        """
        columns = list(labels.unbind(1))
        if rows is not None:
            columns[-2] = rows
        code = sum(embed(column) for embed, column in zip(self.codes, columns, strict=True))
        latent = self.basis(code).unflatten(1, (-1, *self.schedule.final_shape))  # (B, D, H, W)
        pooled = [
            F.interpolate(latent, size=shape, mode="area").flatten(2)
            for shape in self.schedule.shapes
        ]
        return torch.cat(pooled, dim=2).transpose(1, 2)
