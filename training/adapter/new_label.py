"""A new thing as a label: where its row starts, and what its pictures are asked for with."""

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from training.adapter.new_thing import Chosen, Drawings, any_values, encode_views, own_drawings
from training.adapter.settings import AdapterRunSettings
from var_core.condition import Condition
from var_core.labels import LabelSpace
from var_core.pipeline import VARPipeline
from var_core.transformer import VARTransformer
from var_core.transformer.new_label import with_label


@dataclass(frozen=True)
class LabelLesson:
    """A new label among known ones, see `Lesson`.

    Attributes:
        label: label of the new thing.
        place: attribute of the label.
        grown: network with the new label.
        learned: embedding of all labels of the attribute; only the new row learns.
        new: (V, N, L) int64, pictures of the new thing.
        kept: drawings of what the model knows.
    """

    label: tuple[int, ...]
    place: str
    grown: VARTransformer
    learned: nn.Parameter
    new: Tensor
    kept: Drawings

    def condition(self, chosen: Chosen) -> Condition:
        """What the pictures of a batch are asked for with."""
        labels = any_values(self.label, self.grown.label_counts, chosen.random)
        kept = self.kept.condition.labels[chosen.kept]
        return Condition.of_labels(torch.cat((kept, labels)))

    def thing(self) -> Tensor:
        """The embedding of the new label."""
        return self.learned[-2].detach().clone()


def begin_label(
    pipeline: VARPipeline, pictures: np.ndarray, settings: AdapterRunSettings
) -> LabelLesson:
    """A network with a new label, which starts as a known one, and what it learns from.

    Raises:
        ValueError: if the model cannot take such a label.
    """
    transformer = pipeline.transformer
    place = chosen_attribute(pipeline.labels, settings.attribute)
    labels = pipeline.labels.with_value(place, settings.name, settings.like)
    column = [one.name for one in labels.attributes].index(place)
    new = encode_views(pipeline, pictures, settings)
    like = pipeline.labels.resolve({place: settings.like})
    kept = own_drawings(pipeline, [None] * settings.kept_pictures, settings.seed)
    is_open = kept.condition.labels[:, column] == pipeline.labels.counts[column]
    kept.condition.labels[is_open, column] += 1  # the new label stands before it
    known = transformer.state_dict()[f"label_embeds.{column}.weight"]  # plain in any layout
    grown = with_label(transformer, column, known[like[column]])
    table = cast(nn.Parameter, grown.label_embeds[column].weight)
    table.requires_grad_()
    is_new = torch.zeros(len(table), 1)
    is_new[-2] = 1
    table.register_hook(lambda gradient: gradient * is_new.to(gradient))
    label = labels.resolve({place: settings.name})
    return LabelLesson(label, place, grown, table, new, kept)


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
