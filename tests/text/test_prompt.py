import pytest

from var_core.text import split_prompt
from var_core.text.prompt import MAX_PROMPT_CHARACTERS


@pytest.mark.parametrize(
    ("prompt", "phrases"),
    [
        ("a fox", ("a fox",)),
        (
            "a fox, a birthday cake; in the snow\nat night",
            ("a fox", "a birthday cake", "in the snow", "at night"),
        ),
        ("A fox and a pizza WITH cheese", ("A fox", "a pizza", "cheese")),
        ("ein Fuchs und eine Eule mit Hut", ("ein Fuchs", "eine Eule", "Hut")),
        ("a sandwich, android, withdrawal", ("a sandwich", "android", "withdrawal")),
        ("狐、雪\uff0c夜", ("狐", "雪", "夜")),
        ("  a   fox\t,, and ,;\r\n", ("a fox",)),
        ("a fox, A Fox, a fox", ("a fox",)),
        ("cafe\u0301", ("caf\u00e9",)),
        ("👩‍🚀", ("👩‍🚀",)),
    ],
)
def test_a_prompt_is_split_into_phrases(prompt: str, phrases: tuple[str, ...]) -> None:
    assert split_prompt(prompt, 8) == phrases


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("", "the prompt is empty"),
        (" , and ; ", "the prompt is empty"),
        (", ".join("abcdefghi"), "at most 8 phrases, got 9"),
        ("x" * 121, "a phrase has at most 120 characters, got 121"),
        ("x" * 10_000, f"at most {MAX_PROMPT_CHARACTERS} characters, got 10000"),
        ("a\x00fox", r"control characters, got U\+0000"),
        ("a fox\x1b[31m", r"U\+001B"),
        ("a \ud800", r"U\+D800"),
        ("a \u202exof", r"U\+202E"),
        (None, "a prompt must be text, got None"),
        (["a fox"], "a prompt must be text"),
        (7, "a prompt must be text, got 7"),
    ],
)
def test_what_is_no_prompt_is_one_sentence(prompt: object, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        split_prompt(prompt, 8)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200


def test_as_many_phrases_and_characters_as_are_allowed() -> None:
    assert len(split_prompt(", ".join(f"{'x' * 119}{index}" for index in range(8)), 8)) == 8
