"""Starting values of label tables and label maps, from what pictures of a label have in common."""

from typing import cast

import torch
from torch import Tensor, nn

from training.transformer.label_tables import label_tables
from var_core.transformer import VARTransformer
from var_core.transformer.label_maps import TRUST, LabelMaps

CODE_STD = 0.25  # standard deviation of the entries of the codes
HEAD_SHARPNESS = 12.0  # 1 / variance of the latents around the map of a pair's own code
TRUST_START = (1.0, 0.08, 0.08)  # that variance over the variance for other codes


@torch.no_grad()
def init_label_embeddings(
    transformer: VARTransformer,
    latents: Tensor,
    labels: Tensor,
    parent: int,
    child: int,
    std: float,
) -> None:
    """Set two label tables from pictures, so that similar labels start with similar rows.

    A child label starts as the mean latent of its pictures, after the means of the other attributes
    were subtracted, projected on the principal components over all children. The parent takes the
    mean of its children, and each child keeps the difference. Null rows start at zero. The tables
    stay trainable.

    Args:
        transformer: network whose tables are changed in place.
        latents: (N, F) encoder features of the training pictures.
        labels: (N, A) int64.
        parent: column of the coarser attribute.
        child: column of the finer attribute, which implies the parent.
        std: standard deviation of the entries of parent plus child.
    """
    width = transformer.config["width"]
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
    tables = label_tables(transformer)
    parent_table, child_table = tables[parent], tables[child]
    parent_table.zero_()
    child_table.zero_()
    parent_table[: len(parent_means)] = parent_means
    child_table[: len(projected)] = projected - parent_means[parents]


def unique_pairs(labels: Tensor) -> Tensor:
    """The pairs of the last two labels that occur: (N, A) -> (P, 2) int64, sorted."""
    return torch.unique(labels[:, -2:], dim=0)


@torch.no_grad()
def init_label_maps(
    transformer: VARTransformer,
    codebook: Tensor,
    latents: Tensor,
    labels: Tensor,
    parent: int,
    child: int,
) -> None:
    """Set the label maps to mean latents, so that labels start from what their pictures look like.

    The basis holds the leading principal components of the pictures. A child, or each of its pairs,
    has the mean of its pictures after the means of the other attributes were subtracted, less that
    of its parent. Other attributes have the mean of their pictures. Null rows are zero. The head
    starts by favouring codes close to the part of the map that is not drawn yet.

    Args:
        transformer: network whose label maps and head are changed in place.
        codebook: (V, D), code vectors of the tokens.
        latents: (N, D * H * W) encoder features of the training pictures.
        labels: (N, A) int64.
        parent: column of the coarser attribute.
        child: column of the finer attribute, which implies the parent.
    """
    maps = transformer.label_maps
    assert maps is not None
    shape = (maps.row_of.shape[0], maps.row_of.shape[1]) if maps.num_pairs else (0, 0)
    if maps.num_pairs:
        pairs = unique_pairs(labels)
        maps.pairs.copy_(pairs)
        maps.row_of.copy_(_nearest_rows(pairs, latents, labels, shape))
        labels = labels.clone()
        labels[:, child] = _own_rows(pairs, shape)[labels[:, -2], labels[:, -1]]
    means, parents = _label_means(latents, labels, parent, child)
    means[parent] = _means(means[child], parents)
    mean = latents.float().mean(dim=0)
    components = _principal_components(latents.float() - mean, maps.basis.in_features)
    scale = (means[child] @ components.t()).std()
    maps.basis.weight.zero_()
    maps.basis.weight[:, : len(components)] = components.t() * (scale / CODE_STD)
    maps.basis.bias.copy_(mean)
    maps.proj.weight.zero_()
    for column, rows in means.items():
        if column == child:
            rows = rows - means[parent][parents]
        table = cast(nn.Embedding, maps.codes[column]).weight
        table.zero_()
        table[: len(rows), : len(components)] = rows @ components.t() * (CODE_STD / scale)
    width = transformer.config["width"]
    transformer.head.weight[:, width:-1] = HEAD_SHARPNESS * codebook
    transformer.head.weight[:, -1] = -HEAD_SHARPNESS / 2 * codebook.square().sum(dim=1)
    maps.trust_embed.weight.copy_(torch.tensor(TRUST_START).unsqueeze(1))
    if maps.num_pairs:
        maps.source_embed.weight.zero_()


def own_rows(maps: LabelMaps) -> Tensor:
    """Row of every pair that has a code: (children + 1, values), `num_pairs` elsewhere."""
    children, values = maps.row_of.shape
    return _own_rows(maps.pairs.long(), (children, values - 1))


def _principal_components(rows: Tensor, count: int) -> Tensor:
    """The leading directions of centred rows: (N, F) -> (at most count, F), orthonormal."""
    _, vectors = torch.linalg.eigh(rows.t() @ rows)  # ascending
    return vectors.flip(1)[:, : min(count, len(rows) - 1)].t()


def _own_rows(pairs: Tensor, shape: tuple[int, int]) -> Tensor:
    """Row of every pair: (P, 2) -> a table of that shape, P where there is no such pair."""
    table = torch.full(shape, len(pairs))
    table[pairs[:, 0], pairs[:, 1]] = torch.arange(len(pairs))
    return table


def _nearest_rows(pairs: Tensor, latents: Tensor, labels: Tensor, shape: tuple[int, int]) -> Tensor:
    """Row of every pair of the last two labels, borrowed where the pair has none of its own.

    A missing style borrows from the style whose pictures of other things are nearest to it; an open
    style takes the picture nearest to the mean of its thing.
    """
    table = _own_rows(pairs, shape)
    own = table[:, :-1].clone()  # (children + 1, styles)
    latents = latents.float()
    styles = labels[:, -1]
    cleared = torch.zeros(len(pairs) + 1, latents.shape[1])
    cleared[own[labels[:, -2], styles]] = latents - _means(latents, styles)[styles]
    num_styles = own.shape[1]
    distance = torch.zeros(num_styles, num_styles)
    for style in range(num_styles):
        for other in range(num_styles):
            both = (own[:, style] < len(pairs)) & (own[:, other] < len(pairs))
            gap = cleared[own[both, style]] - cleared[own[both, other]]
            distance[style, other] = gap.square().mean()
    distance = distance.nan_to_num(float("inf"))
    for child in pairs[:, 0].unique().tolist():
        known = (own[child] < len(pairs)).nonzero().squeeze(1)
        rows = own[child, known]
        for style in range(num_styles):
            if own[child, style] == len(pairs):
                table[child, style] = rows[distance[style, known].argmin()]
        spread = (cleared[rows] - cleared[rows].mean(dim=0)).square().sum(dim=1)
        table[child, -1] = rows[spread.argmin()]
    return table


def _label_means(
    latents: Tensor, labels: Tensor, parent: int, child: int
) -> tuple[dict[int, Tensor], Tensor]:
    """Means of the pictures of each label, subtracted attribute by attribute.

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


@torch.no_grad()
def trust_borrowed_codes(transformer: VARTransformer, trust: float) -> None:
    """Set how far the head relies on borrowed codes, in place; nothing without label maps."""
    if transformer.label_maps is not None:
        transformer.label_maps.trust_embed.weight[TRUST.index("borrowed")] = trust
