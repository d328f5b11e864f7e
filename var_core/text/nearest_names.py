"""Words for models that know nothing but classes: the class whose name comes nearest."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from var_core.labels import LabelSpace
from var_core.text.encoder import TextEncoder
from var_core.text.prompt import phrase_key

ARTICLES = ("a ", "an ", "the ")


@dataclass(frozen=True)
class NameMatch:
    """The label that a phrase was understood as.

    Attributes:
        attribute: column of the label.
        index: value of the attribute.
        name: name of the value.
    """

    attribute: int
    index: int
    name: str


class NearestNames:
    """Finds the nearest of all value names; names and search words themselves need no encoder.

    Any thread may ask.

    Args:
        labels: names to choose from. Values that are only numbered have none.
        open_encoder: loads the encoder; its ValueError is for people.
    """

    def __init__(self, labels: LabelSpace, open_encoder: Callable[[], TextEncoder]) -> None:
        self._open_encoder = open_encoder
        self._matches = [
            NameMatch(column, index, name)
            for column, attribute in enumerate(labels.attributes)
            for index, name in enumerate(attribute.values)
            if not name.isdecimal()
        ]
        self._known = {phrase_key(match.name): match for match in reversed(self._matches)}
        for match in self._matches:
            words = labels.tags.get(labels.attributes[match.attribute].name, ())
            for word in words[match.index] if match.index < len(words) else ():
                self._known.setdefault(phrase_key(word), match)
        self._encoder: TextEncoder | None = None
        self._vectors: Tensor | None = None  # (n, E), of all names
        self._lock = threading.Lock()

    @property
    def has_names(self) -> bool:
        """Whether any label has a name."""
        return bool(self._matches)

    def find(self, phrase: str) -> NameMatch:
        """The label that comes nearest to a phrase.

        Raises:
            ValueError: if the labels have no names, or the encoder is missing.
        """
        if not self._matches:
            raise ValueError("this model takes no text, and its classes have no names")
        key = phrase_key(phrase)
        for article in ("", *ARTICLES):
            known = self._known.get(key.removeprefix(article))
            if known is not None:
                return known
        with self._lock:
            if self._encoder is None:
                self._encoder = self._open_encoder()
            if self._vectors is None:
                self._vectors = self._encoder.encode([match.name for match in self._matches])
            cosines = self._vectors @ self._encoder.encode([phrase])[0]
        return self._matches[int(cosines.argmax())]
