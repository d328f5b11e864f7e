"""HTML of sentences."""

from html import escape

MAX_WORDS = 500  # characters of a sentence


def plain_html(text: str) -> str:
    """HTML that shows a text as it is, whoever wrote parts of it; long texts are cut."""
    shown = text if len(text) <= MAX_WORDS else text[: MAX_WORDS - 3] + "..."
    return escape(shown, quote=False)
