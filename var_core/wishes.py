"""Reads the labels and prompts of a call, checks them, and makes the `Condition` of a network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch

from var_core.condition import Condition
from var_core.labels import Label, LabelSpace
from var_core.text import PhraseVectors, TextEncoder, check_phrases, split_prompt
from var_core.text.encoder import open_embedded_encoder
from var_core.text.nearest_names import NearestNames

MAX_IMAGES = 64
Prompt = str | Sequence[str] | None  # a text, or its phrases


@dataclass(frozen=True)
class Wish:
    """What one picture is asked to show.

    Attributes:
        label: one index per attribute; the null index leaves it open.
        phrases: phrases of the prompt, picked from menus or typed.
        negative: phrases that guidance pushes away from; without any it pushes away from a picture
            of anything.
        notes: how words were understood, a sentence each, where a model takes only labels.
    """

    label: tuple[int, ...]
    phrases: tuple[str, ...] = ()
    negative: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class WishReader:
    """Checks labels and prompts before any network runs. Any thread may ask.

    Args:
        labels: names of a network's labels, and menus.
        max_phrases: number of phrases that the network takes; 0 if it takes no text.
        open_encoder: loads the encoder that finds class names, where a network takes no text.
    """

    def __init__(
        self,
        labels: LabelSpace,
        max_phrases: int,
        open_encoder: Callable[[], TextEncoder] = open_embedded_encoder,
    ) -> None:
        self.labels = labels
        self.max_phrases = max_phrases
        self._names = NearestNames(labels, open_encoder)

    def read_all(
        self,
        class_labels: Sequence[Label | Wish] | None = None,
        prompt: str | Sequence[Prompt] | None = None,
        negative_prompt: str | Sequence[Prompt] | None = None,
    ) -> list[Wish]:
        """The wishes of a call.

        Args:
            class_labels: a label or a wish for each picture; None leaves all labels open.
            prompt: a prompt for each picture, or a single text; None asks for nothing in words.
            negative_prompt: what the pictures should not look like, one text for all or one each.

        Raises:
            ValueError: if there are no pictures or too many, lengths differ, or a value is unknown
                or malformed.
        """
        prompts = [prompt] if isinstance(prompt, str) else prompt
        tolist = getattr(class_labels, "tolist", None)  # arrays of numpy and torch have it
        if callable(tolist):
            class_labels = cast(Sequence[Label], tolist())
        given = (("class_labels", "labels", class_labels), ("prompt", "prompts", prompts))
        for name, kind, values in given:
            is_list = isinstance(values, list | tuple)
            if values is not None and not (is_list and 1 <= len(values) <= MAX_IMAGES):
                raise ValueError(f"{name} must be a list of 1 to {MAX_IMAGES} {kind}")
        if class_labels is None and prompts is None:
            raise ValueError("nothing was asked for: give class_labels or a prompt")
        count = len(class_labels if class_labels is not None else prompts or ())
        labels = [None] * count if class_labels is None else class_labels
        prompts = [None] * count if prompts is None else prompts
        negatives: Sequence[Prompt] = [None] * count
        if isinstance(negative_prompt, str):
            negatives = [negative_prompt] * count
        elif negative_prompt is not None:
            if not isinstance(negative_prompt, list | tuple):
                raise ValueError(
                    "negative_prompt must be a text, or a list of one for each picture, "
                    f"got {negative_prompt!r:.40}"
                )
            negatives = negative_prompt
        if not len(labels) == len(prompts) == len(negatives):
            raise ValueError(
                f"there are {len(labels)} class_labels, {len(prompts)} prompts and "
                f"{len(negatives)} negative prompts"
            )
        return [self.read(*one) for one in zip(labels, prompts, negatives, strict=True)]

    def read(
        self, label: Label | Wish = None, prompt: object = None, negative: object = None
    ) -> Wish:
        """One wish: a label, and words that join those of the label.

        Args:
            label: label or wish; None leaves all attributes open.
            prompt: a text, a list of phrases, or None.
            negative: what is not wanted: a text, a list of phrases, or None.

        Raises:
            ValueError: if a value is unknown, or words are malformed or too many.
        """
        if isinstance(label, Wish):
            wish = replace(label, label=self.labels.resolve(label.label))
        else:
            wish = Wish(self.labels.resolve(label), self.labels.phrases(label))
        typed = self._split(prompt)
        unwanted = check_phrases((*wish.negative, *self._split(negative)), self._limit)
        if self.max_phrases:
            phrases = check_phrases((*wish.phrases, *typed), self.max_phrases)
            return replace(wish, phrases=phrases, negative=unwanted)
        if unwanted:
            raise ValueError("this model takes no text, so it takes no negative prompt")
        return self._find_names(wish, typed)

    @property
    def has_names(self) -> bool:
        """Whether there are names of labels that words can be taken for."""
        return self._names.has_names

    @property
    def _limit(self) -> int:
        return self.max_phrases or len(self.labels.attributes)

    def _split(self, prompt: object) -> tuple[str, ...]:
        if prompt is None:
            return ()
        if isinstance(prompt, list | tuple):
            return check_phrases(prompt, self._limit)
        return split_prompt(prompt, self._limit)

    def _find_names(self, wish: Wish, phrases: Sequence[str]) -> Wish:
        """Labels in place of words: each phrase fixes the attribute of the nearest name."""
        label, notes = list(wish.label), []
        for phrase in phrases:
            match = self._names.find(phrase)
            attribute = self.labels.attributes[match.attribute]
            if label[match.attribute] not in (match.index, len(attribute.values)):
                other = attribute.name_of(label[match.attribute])
                raise ValueError(
                    f"{phrase!r} was understood as {attribute.name} {match.name!r}, "
                    f"but {other!r} is asked for too"
                )
            label[match.attribute] = match.index
            notes.append(f"{phrase!r} was understood as {attribute.name} {match.name!r}")
        resolved = self.labels.resolve(tuple(label))
        return replace(wish, label=resolved, notes=(*wish.notes, *notes))


class WishEncoder:
    """Turns wishes into the condition of a network. Any thread may ask.

    Args:
        labels: names of the network's labels, and menus.
        num_slots: phrases that the network takes (P); 0 if it takes no text.
        text_dim: width of the network's phrase vectors (E).
        vectors: vectors of phrases; None refuses words.

    Raises:
        ValueError: if the vectors do not fit the network, or lack a phrase of a menu.
    """

    def __init__(
        self, labels: LabelSpace, num_slots: int, text_dim: int, vectors: PhraseVectors | None
    ) -> None:
        self.num_slots, self.text_dim, self.vectors = num_slots, text_dim, vectors
        self._null = labels.null
        if vectors is None:
            return
        if vectors.table.width != text_dim:
            raise ValueError(
                f"the phrase vectors have width {vectors.table.width}, the transformer takes "
                f"{text_dim or 'no text'}"
            )
        for menu in labels.menus:
            for choice in menu.choices:
                if vectors.table.find(choice.phrase) is None:
                    raise ValueError(f"there is no vector of {menu.name} {choice.name!r}")

    def condition(self, wishes: Sequence[Wish], device: torch.device) -> Condition:
        """The condition of some wishes, without their negative phrases.

        Raises:
            ValueError: if words need an encoder that is missing.
        """
        labels = [wish.label for wish in wishes]
        return self._condition(labels, [wish.phrases for wish in wishes], device)

    def against(self, wishes: Sequence[Wish], device: torch.device) -> Condition | None:
        """What guidance pushes away from; None is the null condition.

        Raises:
            ValueError: if words need an encoder that is missing.
        """
        if not any(wish.negative for wish in wishes):
            return None
        labels = [self._null] * len(wishes)
        return self._condition(labels, [wish.negative for wish in wishes], device)

    def _condition(
        self,
        labels: Sequence[tuple[int, ...]],
        phrases: Sequence[tuple[str, ...]],
        device: torch.device,
    ) -> Condition:
        rows = torch.tensor(labels, dtype=torch.int64).reshape(len(labels), len(self._null))
        if not any(phrases):
            return Condition.of_labels(rows, self.num_slots, self.text_dim).to(device)
        if self.vectors is None:
            raise ValueError("this model was loaded without the vectors of its words")
        return Condition(rows, *self.vectors.slots(phrases, self.num_slots)).to(device)
