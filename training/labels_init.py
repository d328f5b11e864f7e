"""Label embeddings to start from: what the pictures of a label have in common."""

import torch
from torch import Tensor

from var_core.transformer import VARTransformer


@torch.no_grad()
def init_label_embeddings(
    transformer: VARTransformer,
    latents: Tensor,
    labels: Tensor,
    parent: int,
    child: int,
    std: float,
) -> None:
    """Set two label tables from pictures, so that like labels start alike.

    A child label (an emoji) starts as the mean of its pictures' latents, cleared of what their
    other attributes (the style) have in common and projected on the principal components over all
    children; the parent (its category) takes the mean over its children, the child keeps the rest.
    Null rows start at zero. The tables stay trainable.

    Args:
        transformer: its tables are changed in place.
        latents: (N, F) encoder features of the training pictures.
        labels: (N, A) int64.
        parent: column of the coarser attribute.
        child: column of the finer attribute, which implies the parent.
        std: standard deviation of the entries of parent plus child.
    """
    width = transformer.config.width
    latents = latents.float() - latents.float().mean(dim=0)
    for column in range(labels.shape[1]):
        if column not in (parent, child):
            latents = latents - _means(latents, labels[:, column])[labels[:, column]]
    child_means = _means(latents, labels[:, child])  # (children, F)
    _, _, components = torch.linalg.svd(child_means, full_matrices=False)  # (.., F), not random
    components = components[:width].t()
    projected = torch.zeros(len(child_means), width)
    projected[:, : components.shape[1]] = child_means @ components
    # spread the leading components over all channels, as later layers expect
    generator = torch.Generator().manual_seed(0)
    rotation, _ = torch.linalg.qr(torch.randn(width, width, generator=generator))
    projected = projected @ rotation
    projected = projected * (std / projected.std())
    parents = torch.zeros(len(projected), dtype=torch.int64)
    parents[labels[:, child]] = labels[:, parent]
    parent_means = _means(projected, parents)
    parent_table, child_table = (transformer.label_embeds[i].weight for i in (parent, child))
    parent_table.zero_()
    child_table.zero_()
    parent_table[: len(parent_means)] = parent_means
    child_table[: len(projected)] = projected - parent_means[parents]


def _means(rows: Tensor, groups: Tensor) -> Tensor:
    """Mean of the rows of each group: (N, F), (N,) -> (groups, F)."""
    sums = torch.zeros(int(groups.max()) + 1, rows.shape[1]).index_add_(0, groups, rows)
    return sums / torch.bincount(groups, minlength=len(sums)).clamp(min=1).unsqueeze(1)
