"""The labels that can be chosen on the page, and how they follow each other."""

import secrets
from collections.abc import Callable, Mapping

from var_core.labels import Attribute, LabelSpace

ANY = ""  # the value that leaves an attribute open

Chosen = Mapping[str, str]
SearchedChoice = tuple[str, str, str, tuple[str, ...]]  # value, symbol, name and search words


class LabelChoices:
    """The choices of every attribute of a model.

    A label of a finer attribute (an emoji) may imply one of a coarser attribute (its category).

    Args:
        labels: labels of the model.
    """

    def __init__(self, labels: LabelSpace) -> None:
        self.labels = labels
        self.names = [attribute.name for attribute in labels.attributes]

    def choices(self, attribute: Attribute) -> list[SearchedChoice]:
        """What a search goes through, "any" first."""
        count, name = len(attribute.values), attribute.name
        symbols = self.labels.characters.get(name) or ("",) * count
        tags = self.labels.tags.get(name) or ((),) * count
        rows = zip(attribute.values, symbols, attribute.values, tags, strict=True)
        return [(ANY, "", f"any {name}", ()), *rows]

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
