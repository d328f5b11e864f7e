"""Recognizes the place, time and weather of a picture, so that an edit need not be told them.

A network that draws from words also tells which words a picture was drawn from: those that make its
tokens likeliest. With equal chances for all phrases, p(phrase | tokens) is proportional to
p(tokens | phrase), which one teacher-forced pass over all phrases of a menu measures.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

import torch
from torch import Tensor

from var_core.condition import Condition
from var_core.menus import Menu
from var_core.own_settings import in_own_settings
from var_core.tokenizer import MultiScaleQuantizer, MultiScaleVQVAE
from var_core.transformer import VARTransformer
from var_core.wishes import Wish, WishEncoder

PLACE = "place"  # every picture has one
SCENERY = (PLACE, "time", "weather")  # menus that tell of a whole picture, not of a thing in it
MAX_TOKENS = 16  # coarse tokens that are looked at; they tell a place as surely as 32, and faster


def knows_scenery(encoder: WishEncoder, menus: Sequence[Menu]) -> bool:
    """Whether a model takes words, and has a menu of scenery."""
    return encoder.vectors is not None and any(menu.name in SCENERY for menu in menus)


@torch.inference_mode()
@in_own_settings
def add_scenery(
    transformer: VARTransformer,
    tokenizer: MultiScaleVQVAE,
    encoder: WishEncoder,
    menus: Sequence[Menu],
    picture: Tensor,
    wishes: Sequence[Wish],
) -> list[Wish]:
    """Wishes that also name the scenery of a picture, where they say nothing of it themselves.

    Each menu of `SCENERY` gives at most one phrase. It gives none if a wish names one of its
    choices, or something that is nearer to one of them than to those of all other menus, be it
    wanted or not wanted; nor if the prompt is full. Time and weather are often not to be seen, so
    none of their phrases is taken that does not make the tokens likelier by the number of choices.

    Args:
        transformer: predicts tokens; see `knows_scenery`.
        tokenizer: encodes the picture.
        encoder: makes conditions of wishes.
        menus: menus of the model.
        picture: the picture in the size of the model, (1, 3, H, W) in [-1, 1].
        wishes: what is asked for; equal ones are answered once.

    Raises:
        ValueError: if words need an encoder that is missing.
    """
    untold = {wish: _untold(wish, menus, encoder) for wish in dict.fromkeys(wishes)}
    if not any(untold.values()):
        return list(wishes)
    maps = _coarse(tokenizer.encode(picture.to(tokenizer.device)).token_maps)
    answers: dict[Wish, Wish] = {}
    for wish, scenery in untold.items():
        phrases = wish.phrases
        for menu in scenery:
            if len(phrases) == encoder.num_slots:
                break
            tried = [(*phrases, choice.phrase) for choice in menu.choices] + [phrases]
            asked = [replace(wish, phrases=one) for one in tried]
            condition = encoder.condition(asked, transformer.device)
            fit = _log_likelihood(transformer, tokenizer.quantizer, maps, condition)
            fit[-1] += -math.inf if menu.name == PLACE else math.log(len(menu.choices))
            phrases = tried[int(fit.argmax())]
        answers[wish] = _noted(wish, phrases)
    return [answers[wish] for wish in wishes]


def _untold(wish: Wish, menus: Sequence[Menu], encoder: WishEncoder) -> list[Menu]:
    """Menus of scenery that have no choice near to a phrase of a wish; none if it has no room."""
    scenery = [menu for menu in menus if menu.name in SCENERY]
    phrases = (*wish.phrases, *wish.negative)
    if not phrases:
        return scenery
    assert encoder.vectors is not None
    known = [(menu.name, choice.phrase) for menu in menus for choice in menu.choices]
    vectors = encoder.vectors.vectors([phrase for _, phrase in known])
    asked = encoder.vectors.vectors(phrases)
    likeness = torch.cosine_similarity(asked[:, None], vectors[None], dim=2)
    told = {known[index][0] for index in likeness.argmax(dim=1).tolist()}
    room = encoder.num_slots - len(wish.phrases)
    return [menu for menu in scenery if menu.name not in told] if room else []


def _coarse(token_maps: Sequence[Tensor]) -> list[Tensor]:
    """The first scales, as many as have `MAX_TOKENS` tokens in all; at least one."""
    counts = accumulate(tokens[0].numel() for tokens in token_maps)
    return list(token_maps[: max(1, sum(count <= MAX_TOKENS for count in counts))])


def _noted(wish: Wish, phrases: tuple[str, ...]) -> Wish:
    """A wish with more phrases, and a note of these."""
    found = phrases[len(wish.phrases) :]
    if not found:
        return wish
    note = f"the picture was taken for one {', '.join(found)}"
    return replace(wish, phrases=phrases, notes=(*wish.notes, note))


def _log_likelihood(
    transformer: VARTransformer,
    quantizer: MultiScaleQuantizer,
    token_maps: Sequence[Tensor],
    condition: Condition,
) -> Tensor:
    """Log-likelihood of the tokens of a picture under each of N conditions, in nats, (N,)."""
    maps = [tokens.expand(len(condition), -1, -1) for tokens in token_maps]
    logits = transformer.first_logits(quantizer.teacher_inputs(maps), condition, len(maps))
    tokens = torch.cat([one.flatten(1) for one in maps], dim=1)
    return logits.log_softmax(dim=-1).gather(2, tokens.unsqueeze(2)).sum(dim=(1, 2))
