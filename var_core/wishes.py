"""What pictures are asked to show: labels and words in, the condition of a network out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from var_core.condition import Condition
from var_core.labels import Label, LabelSpace
from var_core.text import PhraseVectors, TextEncoder, check_phrases, split_prompt
from var_core.text.nearest_names import NearestNames

MAX_IMAGES = 64
Prompt = str | Sequence[str] | None  # a text, or its phrases


@dataclass(frozen=True)
class Wish:
    """What one picture is asked to show.

    Attributes:
        label: one index per attribute; the null index leaves it open.
        phrases: phrases of the prompt, picked from menus or typed.
        negative: phrases that guidance pushes away from; none pushes away from the null condition.
        notes: how words were understood, a sentence each, where a model takes only labels.
    """

    label: tuple[int, ...]
    phrases: tuple[str, ...] = ()
    negative: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class WishReader:
    """Checks labels and prompts, and turns them into the condition of a network.

    Any thread may ask.

    Args:
        labels: names of the network's labels, and menus.
        num_slots: phrases that the network takes (P); 0 if it takes no text.
        text_dim: width of its phrase vectors (E).
        vectors: vectors of phrases; None refuses words.
        open_encoder: loads the encoder that finds names, where a network takes no text.
    """

    def __init__(
        self,
        labels: LabelSpace,
        num_slots: int,
        text_dim: int,
        vectors: PhraseVectors | None,
        open_encoder: Callable[[], TextEncoder],
    ) -> None:
        self.labels, self.num_slots, self.text_dim = labels, num_slots, text_dim
        self.vectors = vectors
        self.names = NearestNames(labels, open_encoder)

    def read_all(
        self,
        class_labels: Sequence[Label] | None = None,
        prompt: str | Sequence[Prompt] | None = None,
        negative_prompt: str | Sequence[Prompt] | None = None,
    ) -> list[Wish]:
        """The wishes of a call.

        Args:
            class_labels: a label for each picture; None leaves all labels open.
            prompt: a prompt for each picture, or a single text; None asks for nothing in words.
            negative_prompt: what the pictures should not look like, one text for all or one each.

        Raises:
            ValueError: if there are no pictures or too many, lengths differ, or a value is unknown
                or malformed.
        """
        prompts = [prompt] if isinstance(prompt, str) else prompt
        given = {"class_labels": class_labels, "prompt": prompts}
        for name, values in given.items():
            if values is None:
                continue
            if not isinstance(values, list | tuple) or not 1 <= len(values) <= MAX_IMAGES:
                raise ValueError(
                    f"{name} must be a list of 1 to {MAX_IMAGES}, one for each picture"
                )
        if class_labels is None and prompts is None:
            raise ValueError("nothing was asked for: give class_labels or a prompt")
        count = len(class_labels if class_labels is not None else prompts or ())
        labels = [None] * count if class_labels is None else class_labels
        prompts = [None] * count if prompts is None else prompts
        if isinstance(negative_prompt, str) or negative_prompt is None:
            negatives: Sequence[Prompt] = [negative_prompt] * count
        else:
            negatives = negative_prompt
        if not len(labels) == len(prompts) == len(negatives):
            raise ValueError(
                f"there are {len(labels)} class_labels, {len(prompts)} prompts and "
                f"{len(negatives)} negative prompts"
            )
        return [self.read(*one) for one in zip(labels, prompts, negatives, strict=True)]

    def read(self, label: Label = None, prompt: Prompt = None, negative: Prompt = None) -> Wish:
        """One wish: a label, and words.

        Raises:
            ValueError: as `read_all`.
        """
        indices = self.labels.resolve(label)
        picked, typed = self.labels.phrases(label), self._split(prompt)
        wish = Wish(indices, negative=self._split(negative))
        if self.num_slots:
            return replace(wish, phrases=check_phrases((*picked, *typed), self.num_slots))
        if wish.negative:
            raise ValueError("this model takes no text, so it takes no negative prompt")
        return self._find_names(wish, typed)

    def condition(self, wishes: Sequence[Wish], device: torch.device) -> Condition:
        """The condition of some wishes, without their negative phrases.

        Raises:
            ValueError: if words need an encoder that is missing.
        """
        return self._condition([wish.label for wish in wishes], [w.phrases for w in wishes], device)

    def against(self, wishes: Sequence[Wish], device: torch.device) -> Condition | None:
        """What guidance pushes away from; None is the null condition.

        Raises:
            ValueError: as `condition`.
        """
        if not any(wish.negative for wish in wishes):
            return None
        null = [self.labels.null] * len(wishes)
        return self._condition(null, [wish.negative for wish in wishes], device)

    def _condition(
        self,
        labels: Sequence[tuple[int, ...]],
        phrases: Sequence[tuple[str, ...]],
        device: torch.device,
    ) -> Condition:
        shape = len(labels), len(self.labels.attributes)
        rows = torch.tensor(labels, dtype=torch.int64).reshape(shape)
        if self.vectors is None or not any(phrases):
            if any(phrases):
                raise ValueError("this model was loaded without the vectors of its words")
            return Condition.of_labels(rows, self.num_slots, self.text_dim).to(device)
        return Condition(rows, *self.vectors.slots(phrases, self.num_slots)).to(device)

    def _split(self, prompt: Prompt) -> tuple[str, ...]:
        limit = self.num_slots or len(self.labels.attributes)
        if prompt is None:
            return ()
        if isinstance(prompt, list | tuple):
            return check_phrases(prompt, limit)
        return split_prompt(prompt, limit)

    def _find_names(self, wish: Wish, phrases: Sequence[str]) -> Wish:
        """Labels in place of words: each phrase fixes the attribute of the nearest name."""
        label, notes = list(wish.label), []
        for phrase in phrases:
            match = self.names.find(phrase)
            attribute = self.labels.attributes[match.attribute]
            if label[match.attribute] not in (match.index, len(attribute.values)):
                other = attribute.name_of(label[match.attribute])
                raise ValueError(
                    f"{phrase!r} was understood as {attribute.name} {match.name!r}, "
                    f"but {other!r} is asked for too"
                )
            label[match.attribute] = match.index
            notes.append(f"{phrase!r} was understood as {attribute.name} {match.name!r}")
        return replace(wish, label=self.labels.resolve(tuple(label)), notes=tuple(notes))
