"""How many bytes visitors may hold at once: all together, and each of them."""

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from var_core.serving.fair_queue import BusyError


class ClientBudget:
    """Bytes that are held, in all and by each client.

    Args:
        what: what is held, in the plural.
        total: bytes of all clients together.
        share: bytes of one client.
    """

    def __init__(self, what: str, total: int, share: int) -> None:
        self.what, self.total, self.share = what, total, share
        self._lock = threading.Lock()
        self._held: Counter[str] = Counter()

    def check(self, client: str, size: int) -> None:
        """Check that there is room for some bytes.

        Raises:
            BusyError: if there is none.
        """
        if self._held[client] + size > self.share:
            raise BusyError(
                f"your {self.what} take all the room of one visitor: try again in a few minutes"
            )
        if self._held.total() + size > self.total:
            raise BusyError(f"there is no room for more {self.what}: try again in a few minutes")

    def take(self, client: str, size: int) -> None:
        """Hold some bytes.

        Raises:
            BusyError: if there is no room for them.
        """
        with self._lock:
            self.check(client, size)
            self._held[client] += size

    def give_back(self, client: str, size: int) -> None:
        """Hold some bytes no longer."""
        with self._lock:
            self._held[client] -= size
            if self._held[client] <= 0:
                del self._held[client]

    @contextlib.contextmanager
    def hold(self, client: str) -> Iterator["Held"]:
        """Take bytes bit by bit, and give them all back at the end of a block."""
        held = Held(self, client)
        try:
            yield held
        finally:
            self.give_back(client, held.size)

    def held(self) -> int:
        """Bytes of all clients together."""
        return self._held.total()


@dataclass
class Held:
    """What one piece of work holds of a budget.

    Attributes:
        budget: the budget.
        client: client that it counts for.
        size: bytes so far.
    """

    budget: ClientBudget
    client: str
    size: int = 0

    def take(self, size: int) -> None:
        """Hold some more bytes.

        Raises:
            BusyError: if there is no room for them.
        """
        self.budget.take(self.client, size)
        self.size += size
