"""Texts for the page that nobody takes for HTML, whoever wrote parts of them."""

import json
from html import escape

MAX_WORDS = 500  # characters of a sentence


def plain_html(text: str) -> str:
    """HTML that shows a text as it is, whoever wrote parts of it; long texts are cut."""
    shown = text if len(text) <= MAX_WORDS else text[: MAX_WORDS - 3] + "..."
    return escape(shown, quote=False)


def plain_json(content: object) -> str:
    """JSON that holds no tags, for scripts that read it from the value of a widget."""
    return json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")
