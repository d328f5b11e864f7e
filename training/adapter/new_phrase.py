"""A new thing as a phrase: a vector that is learned (arXiv 2208.01618), beside known ones.

Other phrases keep their vectors, so changes of weights alone could harm them, above all those that
lie near the new one. These are half of the drawings that the model learns from again.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.adapter.new_thing import Chosen, Drawings, any_values, encode_views, own_drawings
from training.adapter.settings import AdapterRunSettings
from training.loop.checkpoint import step_generator
from var_core.condition import Condition, join_conditions
from var_core.labels import LabelSpace
from var_core.pipeline import VARPipeline
from var_core.ranges import unknown_name
from var_core.text import PhraseTable, split_prompt
from var_core.text.prompt import phrase_key
from var_core.transformer import VARTransformer
from var_core.transformer.new_label import copied

NUM_NEAR = 8  # phrases that are kept above all
PICKED = 0.5  # chance of each menu to have a part in another kept drawing
PROMPTS = 1  # purpose of random numbers


@dataclass(frozen=True)
class PhraseLesson:
    """A new phrase among known ones, see `Lesson`.

    Attributes:
        place: menu that shows the phrase; "" for none.
        grown: copy of the network.
        learned: (E,), whose direction is the vector of the phrase.
        new: (V, N, L) int64, pictures of the new thing.
        kept: drawings of what the model knows.
    """

    place: str
    grown: VARTransformer
    learned: nn.Parameter
    new: Tensor
    kept: Drawings

    def condition(self, chosen: Chosen) -> Condition:
        """What the pictures of a batch are asked for with: the new ones with the phrase alone."""
        counts = self.grown.label_counts
        labels = any_values(counts, counts, chosen.random)
        phrases = torch.zeros(len(labels), self.grown.num_prefix, self.grown.text_dim)
        phrases[:, 0] = F.normalize(self.learned, dim=0)
        is_given = torch.zeros(phrases.shape[:2], dtype=torch.bool)
        is_given[:, 0] = True
        kept = self.kept.condition.rows(chosen.kept)
        return join_conditions((kept, Condition(labels, phrases, is_given)))

    def thing(self) -> Tensor:
        """The vector of the new phrase."""
        return F.normalize(self.learned.detach(), dim=0)


def begin_phrase(
    pipeline: VARPipeline, pictures: np.ndarray, settings: AdapterRunSettings
) -> PhraseLesson:
    """A network that a new phrase is taught to, and what it learns from.

    Raises:
        ValueError: if the name has a meaning already, or nobody could type it as one phrase; if
            there is nothing that it is like.
    """
    name, vectors = settings.name, pipeline.wish_encoder.vectors
    if vectors is None:
        raise ValueError("the model was loaded without the vectors of its words")
    if split_prompt(name, pipeline.transformer.num_prefix) != (name,):
        raise ValueError(f"nobody can type {name!r} as one phrase: choose another name")
    place, like = known_phrase(pipeline.labels, settings)
    start = vectors.vectors([like])[0]
    vectors.table.with_phrase(name, start)  # which refuses a name that has a meaning
    if place:
        pipeline.labels.with_choice(place, name, settings.like)
    new = encode_views(pipeline, pictures, settings)
    prompts = kept_prompts(pipeline, vectors.table, (like, start), settings)
    kept = own_drawings(pipeline, prompts, settings.seed)
    learned = nn.Parameter(start * len(start) ** 0.5)  # a rate means the same for any width
    return PhraseLesson(place, copied(pipeline.transformer), learned, new, kept)


def known_phrase(labels: LabelSpace, settings: AdapterRunSettings) -> tuple[str, str]:
    """The menu that a new thing belongs to, "" for none, and the phrase of what it is like.

    Raises:
        ValueError: if there is no such menu, or it does not hold what the thing is like.
    """
    names = [menu.name for menu in labels.menus]
    if settings.attribute and settings.attribute not in names:
        raise unknown_name("menu", settings.attribute, names)
    for menu in labels.menus:
        if settings.attribute == menu.name or (
            not settings.attribute and settings.like in menu.names
        ):
            return menu.name, menu.find(settings.like).phrase
    return "", settings.like


def kept_prompts(
    pipeline: VARPipeline,
    table: PhraseTable,
    like: tuple[str, Tensor],
    settings: AdapterRunSettings,
) -> list[list[str]]:
    """What kept drawings show: by turns a phrase near the new one, and anything.

    Args:
        pipeline: model.
        table: phrases that it knows.
        like: phrase that the new one starts from, with its vector.
        settings: how many there are, and the seed.
    """
    generator = step_generator(settings.seed, 0, PROMPTS)
    known = {phrase_key(like[0]): like[0]}
    for row in (table.vectors @ like[1]).argsort(descending=True)[:NUM_NEAR].tolist():
        known.setdefault(phrase_key(table.phrases[row]), table.phrases[row])
    near = list(known.values())[:NUM_NEAR]
    menus = [[choice.phrase for choice in menu.choices] for menu in pipeline.labels.menus]

    def any_prompt() -> list[str]:
        picked = []
        for phrases in menus or [table.phrases]:
            if torch.rand((), generator=generator).item() < PICKED:
                number = int(torch.randint(len(phrases), (), generator=generator))
                picked.append(phrases[number])
        return picked[: pipeline.transformer.num_prefix]

    return [
        any_prompt() if number % 2 else [near[number // 2 % len(near)]]
        for number in range(settings.kept_pictures)
    ]
