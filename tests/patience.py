"""How long a test waits for a state: as long as a busy machine needs."""

import time
from collections.abc import Callable

LIMIT_SECONDS = 600  # only a failing test ever waits so long


def until(what: Callable[[], object], pause: Callable[[float], object] = time.sleep) -> bool:
    """Wait for a state.

    Args:
        what: condition that tells whether it is there.
        pause: function that lets some seconds pass.

    Raises:
        TimeoutError: if it never comes.
    """
    deadline = time.monotonic() + LIMIT_SECONDS
    while not what():
        if time.monotonic() > deadline:
            raise TimeoutError("the state that was waited for never came")
        pause(0.02)
    return True
