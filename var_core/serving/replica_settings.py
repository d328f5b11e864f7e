"""How many replicas draw, and in which cluster: what `--replicas` and `--address` say."""

import re
from dataclasses import dataclass

from var_core.ranges import check_int

MAX_REPLICAS = 1000
NUMBERS = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?")


@dataclass(frozen=True)
class ReplicaSettings:
    """Replicas of a server.

    Attributes:
        least: number of replicas that are always there; with 0 the first visitor waits for one.
        most: number of replicas under load.
        address: address of a cluster, as "10.0.0.1:6379" or "ray://10.0.0.1:10001"; "auto" is the
            one that this machine belongs to; None starts one of its own.
    """

    least: int = 1
    most: int = 1
    address: str | None = None

    @property
    def is_fixed(self) -> bool:
        """Whether their number never changes."""
        return self.least == self.most


def read_replicas(text: str, address: str | None) -> ReplicaSettings:
    """Read what the command line says, as "2", or "0-4" for as many as the queue needs.

    Raises:
        ValueError: if it is no number or range, or too large.
    """
    found = NUMBERS.fullmatch(text)
    if found is None:
        raise ValueError(f'replicas must be a number as "2", or a range as "0-4", got {text!r:.40}')
    most = check_int("replicas", int(found[2] or found[1]), 1, MAX_REPLICAS)
    least = check_int("replicas", int(found[1]), 0, most) if found[2] else most
    return ReplicaSettings(least, most, address)
