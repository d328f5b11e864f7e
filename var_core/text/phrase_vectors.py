"""The phrases of pictures as tensors: stored vectors where there are some, else encoded ones."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from var_core.own_settings import in_own_settings
from var_core.text.encoder import TextEncoder
from var_core.text.phrase_table import PhraseTable

MAX_KEPT = 4096  # vectors of words typed so far, 2 kB each


class PhraseVectors:
    """Vectors of any phrases; the encoder is opened when the first unknown one is met.

    Any thread may ask.

    Args:
        table: phrases whose vectors are stored.
        open_encoder: loads the encoder; its ValueError is for people.
    """

    def __init__(self, table: PhraseTable, open_encoder: Callable[[], TextEncoder]) -> None:
        self.table = table
        self._open_encoder = open_encoder
        self._encoder: TextEncoder | None = None
        self._kept: OrderedDict[str, Tensor] = OrderedDict()
        self._lock = threading.Lock()

    def vectors(self, phrases: Sequence[str]) -> Tensor:
        """Vectors of some phrases, (n, E) float32 on the CPU.

        Raises:
            ValueError: if the encoder is needed and missing, or of another width.
        """
        found = [torch.zeros(0, self.table.width, dtype=torch.float32)]
        for phrase in phrases:
            stored = self.table.find(phrase)
            found.append((self._encode(phrase) if stored is None else stored)[None])
        return torch.cat(found)

    def slots(self, rows: Sequence[Sequence[str]], num_slots: int) -> tuple[Tensor, Tensor]:
        """Phrases of B pictures, in the order of their letters: (B, P, E) float32, (B, P) bool.

        The order has no meaning to the network, but to the last bits of its sums.

        Args:
            rows: phrases of each picture, at most P.
            num_slots: P, the slots of the network.

        Raises:
            ValueError: as `vectors`.
        """
        shape = (len(rows), num_slots, self.table.width)
        phrases = torch.zeros(shape, dtype=torch.float32)
        is_given = torch.zeros(len(rows), num_slots, dtype=torch.bool)
        for index, row in enumerate(rows):
            phrases[index, : len(row)] = self.vectors(sorted(row))
            is_given[index, : len(row)] = True
        return phrases, is_given

    @in_own_settings
    def _encode(self, phrase: str) -> Tensor:
        with self._lock:
            if phrase not in self._kept:
                if self._encoder is None:
                    self._encoder = self._opened()
                self._kept[phrase] = self._encoder.encode([phrase])[0]
            self._kept.move_to_end(phrase)
            while len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
            return self._kept[phrase]

    def _opened(self) -> TextEncoder:
        encoder = self._open_encoder()
        if encoder.width != self.table.width:
            raise ValueError(
                f"the text encoder {encoder.name} has vectors of width {encoder.width}, "
                f"this model takes {self.table.width}"
            )
        return encoder
