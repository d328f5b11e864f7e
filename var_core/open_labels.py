"""Labels that a request leaves open, drawn from those of the training pictures."""

from collections.abc import Sequence

import torch
from torch import Tensor

from var_core.labels import LabelSpace
from var_core.transformer import VARTransformer


def fill_open_labels(
    transformer: VARTransformer,
    space: LabelSpace,
    labels: Tensor,
    generators: Sequence[torch.Generator],
) -> Tensor:
    """Draw open labels, where the transformer knows which labels occur together.

    With pairs (see `LabelMaps`), an open attribute is first drawn from the labels of the training
    pictures, and then the picture from all its labels:
    p(x | category) is the sum of p(emoji, style | category) p(x | category, emoji, style).

    Args:
        transformer: network that may hold pairs.
        space: attributes of the network and what they imply.
        labels: labels with null indices where they are open, (B, A) int64.
        generators: one per picture; used only where something is open.

    Returns:
        (B, A); the given labels where the transformer has no pairs or none that fits.
    """
    maps = transformer.label_maps
    if maps is None or not maps.num_pairs:
        return labels
    null = torch.tensor(space.null, device=labels.device)
    known = null.repeat(maps.num_pairs, 1)
    known[:, -2:] = maps.pairs
    for (source, target), table in space.implies.items():
        known[:, target] = torch.tensor(table, device=labels.device)[known[:, source]]
    filled = labels.clone()
    for index, generator in enumerate(generators):
        given = labels[index] != null
        if given.all():
            continue
        fitting = known[(known == labels[index])[:, given].all(dim=1)]
        if len(fitting):
            pick = torch.randint(len(fitting), (), generator=generator, device=labels.device)
            filled[index] = fitting[pick]
    return filled
