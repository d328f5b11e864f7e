"""The page in other languages: from English sentences to others, in `assets/words/`.

Gradio translates the labels of its widgets; `assets/words.js` does the rest, with the same tables.
"""

import json

import gradio as gr

from var_core.web.assets import read_asset

LANGUAGES = ("de", "fr", "es", "zh-CN", "ja")


def read_words(language: str) -> dict[str, str]:
    """The table of a language; {0}, {1} ... stand for what changes in a sentence."""
    return json.loads(read_asset(f"words/{language}.json"))


def translations() -> gr.I18n:
    """All tables, for gradio."""
    return gr.I18n(**{language: read_words(language) for language in LANGUAGES})
