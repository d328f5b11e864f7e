"""How the page's events run, and how their handlers name what they read and write.

A handler gets its inputs as a dictionary from widgets to values, and returns or yields a dictionary
from widgets to new values. Widgets that are left out stay as they are.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypedDict

import gradio as gr
from gradio.blocks import Block

from var_core.web.progress import Moment

Values = dict[Block, Any]
Updates = dict[Block, Any]
Handler = Callable[[Values], Updates]


class EventOptions(TypedDict, total=False):
    """Options of a gradio event."""

    queue: bool
    concurrency_limit: int | Literal["default"] | None
    trigger_mode: Literal["once", "multiple", "always_last"]
    show_progress: Literal["full", "minimal", "hidden"]
    api_visibility: Literal["public", "private", "undocumented"]


# an event that draws: the engine has its own queue, so gradio sets no limit
DRAWING: EventOptions = {
    "concurrency_limit": None,
    "trigger_mode": "once",
    "show_progress": "minimal",
    "api_visibility": "private",
}
# an event that only reads or changes widgets; it cannot show messages
QUICK: EventOptions = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
# a quick event that comes many times in a row, as from a slider: the last one is always answered
LATEST: EventOptions = {**QUICK, "trigger_mode": "always_last"}
# a quick event with which a script tells something: every one is answered, since gradio sends the
# words of the first one again where only the last should be answered
TOLD: EventOptions = {**QUICK, "trigger_mode": "multiple"}
# a quick event that may show a message, which gradio sends through its queue alone
SPOKEN: EventOptions = {**QUICK, "queue": True, "concurrency_limit": None}


def told(event: gr.EventData) -> Mapping[str, object]:
    """What a script of the page tells with an event; nothing if it comes from elsewhere."""
    return event._data if isinstance(event._data, dict) else {}


def moment_updates(moment: Moment, widgets: Mapping[str, Block]) -> Updates:
    """New values of the widgets that show a moment of a drawing.

    Args:
        moment: parts that are None leave their widgets as they are.
        widgets: widgets under the names of the parts that they show.
    """
    parts = {name: getattr(moment, name) for name in widgets}
    return {widgets[name]: part for name, part in parts.items() if part is not None}
