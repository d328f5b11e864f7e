"""What pictures are asked to show, in labels and in words."""

import pytest
import torch

from tests.conftest import make_labels
from tests.prompted_models import PHRASES, SLOTS, SPACE, STYLES, TABLE, TEXT_DIM, FakeEncoder
from var_core.labels import LabelSpace
from var_core.text import PhraseTable, PhraseVectors
from var_core.wishes import Wish, WishEncoder, WishReader

CPU = torch.device("cpu")


def refuse() -> FakeEncoder:
    raise AssertionError("the encoder was opened")


READER = WishReader(SPACE, SLOTS, refuse)
ENCODER = WishEncoder(SPACE, SLOTS, TEXT_DIM, PhraseVectors(TABLE, FakeEncoder))


def test_choosing_is_the_same_as_typing_and_both_can_be_mixed() -> None:
    chosen = READER.read({"thing": "fox", "place": "snow", "style": "noto"})
    typed = READER.read({"style": "noto"}, "in the snow, a fox")
    mixed = READER.read({"place": "snow", "style": "noto"}, "A fox, in the snow")
    assert chosen == Wish((0,), ("a fox", "in the snow"))
    assert READER.read(chosen, "at night") == Wish((0,), ("a fox", "in the snow", "at night"))
    encoder = WishEncoder(SPACE, SLOTS, TEXT_DIM, PhraseVectors(TABLE, refuse))
    conditions = encoder.condition([chosen, typed, mixed], CPU)
    first = conditions.rows(slice(0, 1))
    assert conditions.is_same(first.expand(3)).all()
    assert torch.equal(conditions.phrases[0], conditions.phrases[1])


def test_free_words_are_encoded() -> None:
    condition = ENCODER.condition([READER.read(None, "a puppy"), READER.read()], CPU)
    assert torch.equal(condition.phrases[0, 0], FakeEncoder().encode(["a puppy"])[0])
    assert condition.is_given.tolist() == [[True, False, False, False], [False] * SLOTS]
    assert condition.labels.tolist() == [[STYLES], [STYLES]]


def test_a_negative_prompt_is_a_condition_without_labels() -> None:
    wishes = READER.read_all([{"style": "flat"}, None], None, [None, "a fox"])
    against = ENCODER.against(wishes, CPU)
    assert against is not None and against.labels.tolist() == [[STYLES], [STYLES]]
    assert against.is_given.sum(dim=1).tolist() == [0, 1]
    assert ENCODER.against(wishes[:1], CPU) is None


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (([None, 1],), [Wish((3,)), Wish((1,))]),
        ((None, "a fox"), [Wish((3,), ("a fox",))]),
        ((None, ["a fox", None]), [Wish((3,), ("a fox",)), Wish((3,))]),
        (([0], [("a cat with a hat", "b")]), [Wish((0,), ("a cat with a hat", "b"))]),
        (([0, 1], None, "x"), [Wish((0,), (), ("x",)), Wish((1,), (), ("x",))]),
    ],
)
def test_a_call_has_a_wish_for_each_picture(call: tuple, expected: list[Wish]) -> None:
    assert READER.read_all(*call) == expected


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ((), "nothing was asked for"),
        (([],), "class_labels must be a list of 1 to 64"),
        (("noto",), "class_labels must be a list"),
        ((None, ["a"] * 65), "prompt must be a list of 1 to 64"),
        (([0], ["a", "b"]), "1 class_labels, 2 prompts"),
        (([0], None, ["a", "b"]), "2 negative prompts"),
        ((None, ""), "the prompt is empty"),
        ((None, [3]), "a prompt must be text, got 3"),
        ((None, "a, b, c, d, e"), "at most 4 phrases, got 5"),
        (([{"thing": ["fox", "pizza"], "place": "snow"}], ["a, b"]), "at most 4 phrases, got 5"),
        ((None, "a", ","), "the prompt is empty"),
        (([{"thing": "wolf"}],), "there is no thing 'wolf'"),
        (([{"time": "night"}],), "not 'time'"),
    ],
)
def test_what_cannot_be_wished_for_is_one_sentence(call: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        READER.read_all(*call)


def test_a_model_without_text_takes_the_nearest_names_and_says_so() -> None:
    reader = WishReader(make_labels(), 0, FakeEncoder)
    wish = reader.read({"style": "3d"}, "an apple")
    assert wish.label == (1, 2, 2) and wish.phrases == ()
    assert wish.notes == ("'an apple' was understood as emoji 'apple'",)
    condition = WishEncoder(make_labels(), 0, 0, None).condition([wish], CPU)
    assert condition.labels.tolist() == [[1, 2, 2]] and condition.phrases.shape == (1, 0, 0)
    assert reader.read(None, "a dog, round").label == (0, 1, 1)
    for prompt, message in (
        ("apple, cat", "'apple' is asked for too"),
        ("a, b, c, d", "3 phrases"),
    ):
        with pytest.raises(ValueError, match=message):
            reader.read(None, prompt)
    with pytest.raises(ValueError, match="takes no negative prompt"):
        reader.read(None, None, "a cat")


def test_a_model_without_text_and_names_refuses_words() -> None:
    reader = WishReader(LabelSpace.single("class", 10), 0, refuse)
    with pytest.raises(ValueError, match="takes no text"):
        reader.read(None, "a fox")


def test_without_stored_vectors_words_are_refused_and_labels_still_work() -> None:
    encoder = WishEncoder(SPACE, SLOTS, TEXT_DIM, None)
    assert encoder.condition([READER.read(1)], CPU).phrases.shape == (1, SLOTS, TEXT_DIM)
    with pytest.raises(ValueError, match="without the vectors of its words"):
        encoder.condition([READER.read(None, "a fox")], CPU)


def test_vectors_must_fit_the_network_and_hold_the_menus() -> None:
    vectors = PhraseVectors(TABLE, FakeEncoder)
    with pytest.raises(ValueError, match="have width 6, the transformer takes 7"):
        WishEncoder(SPACE, SLOTS, 7, vectors)
    with pytest.raises(ValueError, match="have width 6, the transformer takes no text"):
        WishEncoder(SPACE, 0, 0, vectors)
    few = PhraseVectors(PhraseTable.encode(FakeEncoder(), PHRASES[:2]), FakeEncoder)
    with pytest.raises(ValueError, match="no vector of place 'snow'"):
        WishEncoder(SPACE, SLOTS, TEXT_DIM, few)


def test_a_model_without_labels_takes_words_alone() -> None:
    vectors = PhraseVectors(PhraseTable("fake", (), torch.zeros(0, TEXT_DIM)), FakeEncoder)
    encoder = WishEncoder(LabelSpace(()), SLOTS, TEXT_DIM, vectors)
    wishes = WishReader(LabelSpace(()), SLOTS, refuse).read_all(None, ["a fox", None])
    condition = encoder.condition(wishes, CPU)
    assert condition.labels.shape == (2, 0) and condition.is_given[:, 0].tolist() == [True, False]
