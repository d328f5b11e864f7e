"""What the server keeps of visitors between two of their calls."""

from collections import Counter
from contextvars import ContextVar
from copy import copy
from typing import Any

from gradio.blocks import Blocks
from gradio.state_holder import SessionState, StateHolder

CLOSED_SECONDS = 3600  # how long the values of a closed page are kept


class PageState(SessionState):
    """The values of one open page.

    Gradio would add a copy of the settings of all widgets, for links that are switched off here.
    It makes a widget anew for every update, also for one that changes nothing; here the new one
    treats values as the widget of the page does.
    """

    def __init__(self, blocks: Blocks) -> None:
        self.blocks_config = copy(blocks.default_config)
        self.config_values: dict[int, Any] = {}
        self.state_data: dict[int, Any] = {}
        self._state_ttl: dict[int, Any] = {}
        self.is_closed = False
        self.STATE_TTL_WHEN_CLOSED = CLOSED_SECONDS

    def __setitem__(self, key: int, value: object) -> None:
        widget = self.blocks_config.blocks.get(key)
        if widget is not None and "postprocess" in vars(widget):
            vars(value)["postprocess"] = vars(widget)["postprocess"]
        super().__setitem__(key, value)
        self.config_values.clear()

    def _update_config(self, key: int) -> None:
        """Keep no settings."""

    def _update_value_in_config(self, key: int, value: object) -> None:
        """Keep no settings."""


class Sessions(StateHolder):
    """The open pages, each with the address that opened it.

    A page is opened by a call of the page, announced by `announce`; calls of programs and steps in
    the background get values that nobody keeps. Where there are too many pages, one of the address
    that has most of them gives way, so that nobody can drive the pages of others out.

    Args:
        blocks: gradio's blocks.
        capacity: number of pages that are kept.
    """

    def __init__(self, blocks: Blocks, capacity: int) -> None:
        super().__init__()
        blocks.state_session_capacity = capacity
        self.set_blocks(blocks)
        self._owners: dict[str, str] = {}
        self._caller: ContextVar[str | None] = ContextVar("caller", default=None)

    def announce(self, client: str) -> None:
        """Note that what follows in this context is a call of a page.

        Args:
            client: address of its visitor.
        """
        self._caller.set(client)

    def __getitem__(self, session_id: str) -> SessionState:
        client = self._caller.get()
        if session_id in self.session_data:
            return super().__getitem__(session_id)
        if client is None:
            return PageState(self.blocks)
        self.session_data[session_id] = PageState(self.blocks)
        self._owners[session_id] = client
        return super().__getitem__(session_id)

    def update(self, session_id: str) -> None:
        """Note that a page was used, and let another one go where there are too many."""
        with self.lock:
            if session_id in self.session_data:
                self.session_data.move_to_end(session_id)
            while len(self.session_data) > self.capacity:
                self._drop_one()

    def _drop_one(self) -> None:
        """Drop the page that was used longest ago of the address with most pages."""
        ((most, _),) = Counter(self._owners.values()).most_common(1)
        dropped = next(one for one in self.session_data if self._owners.get(one) == most)
        del self.session_data[dropped], self._owners[dropped]
        self.time_last_used.pop(dropped, None)
