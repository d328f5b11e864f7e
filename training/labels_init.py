"""Label embeddings to start from: what the pictures of a label have in common."""

import torch
from torch import Tensor

from var_core.transformer import VARTransformer

CODE_STD = 0.25  # of the entries of a label map's codes


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
    means, parents = _label_means(latents, labels, parent, child)
    child_means = means[child]  # (children, F)
    _, _, components = torch.linalg.svd(child_means, full_matrices=False)  # (.., F), not random
    components = components[:width].t()
    projected = torch.zeros(len(child_means), width)
    projected[:, : components.shape[1]] = child_means @ components
    # spread the leading components over all channels, as later layers expect
    generator = torch.Generator().manual_seed(0)
    rotation, _ = torch.linalg.qr(torch.randn(width, width, generator=generator))
    projected = projected @ rotation
    projected = projected * (std / projected.std())
    parent_means = _means(projected, parents)
    parent_table, child_table = (transformer.label_embeds[i].weight for i in (parent, child))
    parent_table.zero_()
    child_table.zero_()
    parent_table[: len(parent_means)] = parent_means
    child_table[: len(projected)] = projected - parent_means[parents]


@torch.no_grad()
def init_label_maps(
    transformer: VARTransformer, latents: Tensor, labels: Tensor, parent: int, child: int
) -> None:
    """Set the label maps to mean latents, so that labels start from what their pictures look like.

    The basis holds the leading principal components over all children. A child has the mean of its
    pictures cleared of their other attributes, as the rest over its parent; other attributes have
    the mean of theirs. Null rows and the projection are zero: the network starts unchanged.

    Args:
        transformer: its label maps are changed in place.
        latents: (N, D * H * W) encoder features of the training pictures.
        labels: (N, A) int64.
        parent: column of the coarser attribute.
        child: column of the finer attribute, which implies the parent.
    """
    maps = transformer.label_maps
    means, parents = _label_means(latents, labels, parent, child)
    means[parent] = _means(means[child], parents)
    _, _, components = torch.linalg.svd(means[child], full_matrices=False)  # (.., D*H*W), unit rows
    components = components[: maps.basis.in_features]
    scale = (means[child] @ components.t()).std()
    maps.basis.weight.zero_()
    maps.basis.weight[:, : len(components)] = components.t() * (scale / CODE_STD)
    maps.proj.weight.zero_()
    for column, rows in means.items():
        if column == child:
            rows = rows - means[parent][parents]
        table = maps.codes[column].weight
        table.zero_()
        table[: len(rows), : len(components)] = rows @ components.t() * (CODE_STD / scale)


def _label_means(
    latents: Tensor, labels: Tensor, parent: int, child: int
) -> tuple[dict[int, Tensor], Tensor]:
    """What the pictures of a label have in common, the other attributes cleared one by one.

    Returns:
        Mean latents, (values, F), of every column but `parent`, and the parent of each child.
    """
    latents = latents.float() - latents.float().mean(dim=0)
    means = {}
    for column in range(labels.shape[1]):
        if column not in (parent, child):
            means[column] = _means(latents, labels[:, column])
            latents = latents - means[column][labels[:, column]]
    means[child] = _means(latents, labels[:, child])
    parents = torch.zeros(len(means[child]), dtype=torch.int64)
    parents[labels[:, child]] = labels[:, parent]
    return means, parents


def _means(rows: Tensor, groups: Tensor) -> Tensor:
    """Mean of the rows of each group: (N, F), (N,) -> (groups, F)."""
    sums = torch.zeros(int(groups.max()) + 1, rows.shape[1]).index_add_(0, groups, rows)
    return sums / torch.bincount(groups, minlength=len(sums)).clamp(min=1).unsqueeze(1)
