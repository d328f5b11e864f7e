"""From words to vectors: prompts, phrases and text encoders."""

from var_core.text.encoder import TextEncoder, open_text_encoder
from var_core.text.phrase_table import PHRASES_FILE, PhraseTable
from var_core.text.phrase_vectors import PhraseVectors
from var_core.text.prompt import MAX_PROMPT_CHARACTERS, check_phrases, split_prompt

__all__ = [
    "MAX_PROMPT_CHARACTERS",
    "PHRASES_FILE",
    "PhraseTable",
    "PhraseVectors",
    "TextEncoder",
    "check_phrases",
    "open_text_encoder",
    "split_prompt",
]
