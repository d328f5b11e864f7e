"""A new thing as a label: where its row starts, and what its pictures are asked for with."""

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from training.adapter.new_thing import (
    Chosen,
    Drawings,
    Encoded,
    any_values,
    encode_views,
    own_drawings,
)
from training.adapter.settings import AdapterRunSettings
from var_core.condition import Condition
from var_core.labels import LabelSpace
from var_core.pipeline import VARPipeline
from var_core.transformer import VARTransformer
from var_core.transformer.new_label import LabelRows, code_shape, with_label


@dataclass(frozen=True)
class LabelLesson:
    """A new label among known ones, see `Lesson`.

    Attributes:
        label: label of the new thing.
        place: attribute of the label.
        grown: network with the new label.
        learned: embedding of all labels of the attribute; only the new row learns.
        codes: codes of the label map of the new label; None without label maps.
        values: (V, N) int64, the value of the last attribute that each view is shown with; None
            where it may be any.
        new: pictures of the new thing.
        kept: drawings of what the model knows.
    """

    label: tuple[int, ...]
    place: str
    grown: VARTransformer
    learned: nn.Parameter
    codes: Tensor | None
    values: Tensor | None
    new: Encoded
    kept: Drawings

    def condition(self, chosen: Chosen) -> Condition:
        """What the pictures of a batch are asked for with."""
        labels = any_values(self.label, self.grown.label_counts, chosen.random)
        if self.values is not None:
            labels[:, -1] = self.values[chosen.view, chosen.picture]
        kept = self.kept.condition.labels[chosen.kept]
        return Condition.of_labels(torch.cat((kept, labels)))

    def thing(self) -> LabelRows:
        """What the network holds of the new label."""
        return LabelRows(self.learned[-2].detach().clone(), self.codes)


def begin_label(
    pipeline: VARPipeline, pictures: np.ndarray, settings: AdapterRunSettings
) -> LabelLesson:
    """A network with a new label, and what it learns from.

    Raises:
        ValueError: if the model cannot take such a label.
    """
    transformer = pipeline.transformer
    place = chosen_attribute(pipeline.labels, settings.attribute)
    labels = pipeline.labels.with_value(place, settings.name, settings.like)
    column = [one.name for one in labels.attributes].index(place)
    count = num_typical(transformer, column)
    new = encode_views(pipeline, pictures, settings)
    typical = new.features[0][typical_pictures(new.features[0], count)]
    like = pipeline.labels.resolve({place: settings.like})
    rows = first_rows(transformer, column, like, typical)
    values = torch.cdist(new.features, typical).argmin(dim=2) if count > 1 else None
    kept = own_drawings(pipeline, [None] * settings.kept_pictures, settings.seed)
    is_open = kept.condition.labels[:, column] == pipeline.labels.counts[column]
    kept.condition.labels[is_open, column] += 1  # the new label stands before it
    grown = with_label(transformer, column, rows)
    table = cast(nn.Parameter, grown.label_embeds[column].weight)
    table.requires_grad_()
    is_new = torch.zeros(len(table), 1)
    is_new[-2] = 1
    table.register_hook(lambda gradient: gradient * is_new.to(gradient))
    label = labels.resolve({place: settings.name})
    return LabelLesson(label, place, grown, table, rows.codes, values, new, kept)


def chosen_attribute(labels: LabelSpace, name: str) -> str:
    """The attribute that a new thing is a value of.

    Raises:
        ValueError: if the model has no labels.
    """
    if name:
        return name
    if not labels.attributes:
        raise ValueError("a model without labels cannot learn a new one")
    sources = [source for source, _ in labels.implies]
    return labels.attributes[sources[0] if sources else 0].name


def typical_pictures(features: Tensor, count: int) -> Tensor:
    """Pictures near which all others are, chosen one after another: (N, F) -> (count,) int64.

    Where there are fewer, they come again.
    """
    distances = torch.cdist(features, features)
    nearest = torch.full((len(features),), torch.inf)
    chosen: list[int] = []
    for _ in range(min(count, len(features))):
        left = torch.minimum(distances, nearest).sum(dim=1)  # of each further choice
        left[chosen] = torch.inf
        chosen.append(int(left.argmin()))
        nearest = torch.minimum(nearest, distances[chosen[-1]])
    return torch.tensor(chosen)[torch.arange(count) % len(chosen)]


def first_rows(
    transformer: VARTransformer, column: int, like: tuple[int, ...], typical: Tensor
) -> LabelRows:
    """The rows that a new label starts from: those of a known one, and how its pictures look.

    A label map is the expected picture. A mean of pictures would be a blur, so it takes a typical
    one; with pairs, one for each value of the last attribute.

    Args:
        transformer: network.
        column: attribute of the new label.
        like: label of the known thing.
        typical: (P, F), features of as many typical pictures as `num_typical` says.
    """
    state = transformer.state_dict()  # plain, whatever the layout of the weights
    embedding = state[f"label_embeds.{column}.weight"][like[column]].clone()
    shape = code_shape(transformer, column)
    if shape is None:
        return LabelRows(embedding)
    basis, bias = state["label_maps.basis.weight"], state["label_maps.basis.bias"]
    codes = torch.linalg.lstsq(basis, (typical - bias).t()).solution.t()  # of all attributes
    last = len(transformer.label_counts) - 1
    for other in set(range(last + 1)) - {column, last}:  # which have a share in the same picture
        codes = codes - state[f"label_maps.codes.{other}.weight"][like[other]]
    table = state[f"label_maps.codes.{last}.weight"]
    if len(shape) == 2:
        return LabelRows(embedding, codes - table[: len(codes)])
    return LabelRows(embedding, (codes if column == last else codes - table[-1])[0])


def num_typical(transformer: VARTransformer, column: int) -> int:
    """How many typical pictures the label map of a new label is made of.

    Raises:
        ValueError: if the attribute takes no new values.
    """
    shape = code_shape(transformer, column)
    return shape[0] if shape is not None and len(shape) == 2 else 1
