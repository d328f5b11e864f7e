"""A prompt as the phrases that it is made of."""

import re
import unicodedata
from collections.abc import Sequence

MAX_PHRASE_CHARACTERS = 120
MAX_PROMPT_CHARACTERS = 2000
JOINING_WORDS = ("and", "with", "und", "mit", "et", "avec", "y", "con")
COMMAS = ",;\uff0c\uff1b\u3001\u060c"  # of Latin, Chinese, Japanese and Arabic writing
LINE_ENDS = "\n\r\v\f\x85\u2028\u2029"
SEPARATORS = re.compile(
    f"[{COMMAS}{LINE_ENDS}]|(?<!\\S)(?:{'|'.join(JOINING_WORDS)})(?!\\S)", re.IGNORECASE
)
FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cs"})  # control characters, lone surrogates
TEXT_DIRECTION = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def split_prompt(prompt: object, max_phrases: int) -> tuple[str, ...]:
    """Split a prompt at commas, semicolons, line ends, and at words such as "and" and "with".

    Args:
        prompt: words of a visitor, for example "a fox and a pizza, in the snow".
        max_phrases: largest number of phrases.

    Returns:
        The phrases in their order, without those that occur again.

    Raises:
        ValueError: if the prompt is no text, empty or too long, holds control characters, or has
            too many phrases or one that is too long.
    """
    if not isinstance(prompt, str):
        raise ValueError(f"a prompt must be text, got {prompt!r:.40}")
    if len(prompt) > MAX_PROMPT_CHARACTERS:
        raise ValueError(
            f"a prompt has at most {MAX_PROMPT_CHARACTERS} characters, got {len(prompt)}"
        )
    phrases = check_phrases(SEPARATORS.split(prompt), max_phrases)
    if not phrases:
        raise ValueError("the prompt is empty")
    return phrases


def check_phrases(phrases: Sequence[object], max_phrases: int) -> tuple[str, ...]:
    """Tidy phrases: single spaces, no empty ones, none twice.

    Args:
        phrases: any number of them.
        max_phrases: largest number that may remain.

    Raises:
        ValueError: if there are too many, or one is no text, too long, or holds control characters.
    """
    tidy: dict[str, str] = {}
    for phrase in phrases:
        if not isinstance(phrase, str):
            raise ValueError(f"a phrase must be text, got {phrase!r:.40}")
        _check_characters(phrase)
        words = " ".join(unicodedata.normalize("NFC", phrase).split())
        if len(words) > MAX_PHRASE_CHARACTERS:
            raise ValueError(
                f"a phrase has at most {MAX_PHRASE_CHARACTERS} characters, "
                f"got {len(words)}: {words[:30]!r}..."
            )
        if words:
            tidy.setdefault(phrase_key(words), words)
    if len(tidy) > max_phrases:
        raise ValueError(f"a prompt has at most {max_phrases} phrases, got {len(tidy)}")
    return tuple(tidy.values())


def phrase_key(phrase: str) -> str:
    """What phrases that differ only in their capital letters have in common."""
    return phrase.casefold()


def _check_characters(text: str) -> None:
    for character in text:
        is_forbidden = unicodedata.category(character) in FORBIDDEN_CATEGORIES
        if (is_forbidden and character not in LINE_ENDS + "\t") or character in TEXT_DIRECTION:
            raise ValueError(
                f"a prompt must not hold control characters, got U+{ord(character):04X}"
            )
