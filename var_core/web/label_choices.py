"""The labels that can be chosen on the page, and how they follow each other."""

import secrets
from collections.abc import Callable, Mapping

from var_core.labels import Attribute, LabelSpace

ANY = ""  # the value that leaves an attribute open

Chosen = Mapping[str, str]


class LabelChoices:
    """The choices of every attribute of a model.

    A label of a finer attribute (an emoji) may imply one of a coarser attribute (its category).

    Args:
        labels: labels of the model.
    """

    def __init__(self, labels: LabelSpace) -> None:
        self.labels = labels
        self.names = [attribute.name for attribute in labels.attributes]

    def choices(self, attribute: Attribute) -> list[tuple[str, str | int | float]]:
        """Words to show and values of an attribute, "any" first; tags can be searched.

        A search lists what holds the words in this order, so short names go first: a value whose
        name is exactly the words is then the first hit.
        """
        shown = list(attribute.values)
        if characters := self.labels.characters.get(attribute.name):
            shown = [f"{symbol} {name}" for symbol, name in zip(characters, shown, strict=True)]
        if tags := self.labels.tags.get(attribute.name):
            shown = [
                f"{name} ({', '.join(words)})" if words else name
                for name, words in zip(shown, tags, strict=True)
            ]
        choices = list(zip(shown, attribute.values, strict=True))
        if tags:
            choices.sort(key=lambda choice: len(choice[1]))
        return [(f"any {attribute.name}", ANY), *choices]

    def follower(self, name: str) -> Callable[[Chosen], dict[str, str]] | None:
        """What changes the other labels after this one was chosen; None if nothing has to."""
        index = self.names.index(name)
        if any(index == finer for finer, _ in self.labels.implies):
            return self.follow_finer
        if any(index == coarser for _, coarser in self.labels.implies):
            return self.follow_coarser
        return None

    def follow_finer(self, chosen: Chosen) -> dict[str, str]:
        """After a finer attribute (an emoji) was chosen: set the coarser ones that it implies."""
        return {**chosen, **{coarser: label for _, coarser, label in self._implied(chosen)}}

    def follow_coarser(self, chosen: Chosen) -> dict[str, str]:
        """After a coarser attribute was chosen: open finer ones that contradict it."""
        opened = {
            finer: ANY
            for finer, coarser, label in self._implied(chosen)
            if chosen[coarser] not in (ANY, label)
        }
        return {**chosen, **opened}

    def roll(self, name: str, chosen: Chosen) -> dict[str, str]:
        """A random label for one attribute that fits the coarser labels that are chosen."""
        attribute = self.labels.attributes[self.names.index(name)]
        allowed = list(range(len(attribute.values)))
        for (finer, coarser), table in self.labels.implies.items():
            label = chosen[self.names[coarser]]
            if self.names[finer] == name and label:
                wanted = self.labels.attributes[coarser].index(label)
                allowed = [index for index in allowed if table[index] == wanted]
        return self.follow_coarser({**chosen, name: attribute.values[secrets.choice(allowed)]})

    def _implied(self, chosen: Chosen) -> list[tuple[str, str, str]]:
        """(finer attribute, coarser attribute, implied label) for every chosen finer label."""
        found = []
        for (finer_index, coarser_index), table in self.labels.implies.items():
            finer = self.labels.attributes[finer_index]
            coarser = self.labels.attributes[coarser_index]
            if chosen[finer.name]:
                label = coarser.values[table[finer.index(chosen[finer.name])]]
                found.append((finer.name, coarser.name, label))
        return found
