"""A model that takes words learns a phrase from a few pictures, and keeps all others."""

from pathlib import Path

import pytest
import torch

from tests.prompted_models import (
    PHRASES,
    SPACE,
    TABLE,
    FakeEncoder,
    make_prompted,
    make_text_transformer,
)
from tests.training.adapter.lessons import settings
from training import lora
from training.adapter.new_phrase import begin_phrase, kept_prompts
from training.adapter.new_thing import encode_views, own_drawings, read_pictures
from training.adapter.training import batch, entropy, learn_adapter
from var_core import LabelSpace, VARPipeline, VARTransformer, pipeline_parts
from var_core.condition import Condition
from var_core.text import PhraseTable


@pytest.fixture(autouse=True)
def _fake_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_parts, "open_text_encoder", lambda name, folder: FakeEncoder())


def surprise(
    pipeline: VARPipeline, transformer: VARTransformer, tokens: torch.Tensor, condition: Condition
) -> float:
    attention = transformer.block_causal(4, "auto")
    with torch.no_grad():
        return entropy(transformer, pipeline.tokenizer, attention, tokens, condition).item()


def test_the_command_teaches_a_phrase_that_is_typed_or_chosen(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    model, out, merged = tmp_path / "model", tmp_path / "adapter", tmp_path / "merged"
    make_prompted().save_pretrained(model)
    command = f"--model {model} --images {images} --like fox --out {out} --merged {merged}"
    few = "--steps 3 --batch-size 4 --kept-pictures 4 --num-views 1"
    assert lora.main([*command.split(), *few.split(), "--name", "my cat"]) == 0
    assert "'my cat' is a new thing" in capsys.readouterr().out
    loaded = VARPipeline.from_pretrained(merged)
    choice = loaded.labels.menus[0].find("my cat")
    assert (choice.phrase, choice.group) == ("my cat", "animals")
    adapted = VARPipeline.from_pretrained(model).with_adapter(out)
    drawn = [
        one.draw(labels, prompt=prompt, generator=[torch.Generator().manual_seed(0)]).token_maps
        for one in (loaded, adapted)
        for labels, prompt in (([{"thing": "my cat"}], None), (None, "My cat"))
    ]
    for other in drawn[1:]:
        assert all(map(torch.equal, drawn[0], other))


@pytest.mark.parametrize("is_kept", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_the_new_phrase_is_learned_and_its_near_neighbour_is_kept(
    images: Path, tmp_path: Path, is_kept: bool
) -> None:
    """The new phrase begins as that of the fox; without drawings that are kept, the fox suffers."""
    pipeline = make_prompted()
    share = {"kept_share": 0.5 if is_kept else 0.0}
    chosen = settings(images, tmp_path, like="fox", steps=50, kept_pictures=32, **share)
    pictures = read_pictures(images, pipeline.tokenizer.image_shape)
    adapter = learn_adapter(pipeline, pictures, chosen)
    after, labels, table = adapter.applied(pipeline.transformer, pipeline.labels, TABLE)
    assert torch.dot(table.find("my cat"), table.find("a fox")) > 0.5  # neighbours all the same
    for row, phrase in enumerate(PHRASES):
        assert torch.equal(table.find(phrase), TABLE.vectors[row])

    adapted = VARPipeline.from_pipe(pipeline, transformer=after, labels=labels, phrases=table)
    tokens = encode_views(pipeline, pictures, chosen).flatten(0, 1)
    found = []
    for phrase, transformer in (("a fox", pipeline.transformer), ("my cat", after)):
        wishes = [adapted.info.reader.read(None, phrase)] * len(tokens)
        condition = adapted.wish_encoder.condition(wishes, adapted.device)
        found.append(surprise(pipeline, transformer, tokens, condition))
    assert found[1] < found[0] - 3

    harm = {}
    for phrase in ("a fox", "a pizza", "in the snow"):
        known = own_drawings(pipeline, [[phrase]] * 12, seed=1000)  # never learned from
        before, now = (
            surprise(pipeline, one, known.tokens, known.condition)
            for one in (pipeline.transformer, after)
        )
        harm[phrase] = now - before
    if is_kept:
        assert max(harm.values()) < 0.4, harm
    else:
        assert harm["a fox"] > 1.2, harm


def test_half_of_what_is_kept_lies_near_the_new_phrase(images: Path, tmp_path: Path) -> None:
    encoder = FakeEncoder()
    phrases = [*PHRASES, *(f"thing {number}" for number in range(50))]
    table = PhraseTable.encode(encoder, phrases)
    pipeline = VARPipeline.from_pipe(make_prompted(), phrases=table)
    like = "a puppy", encoder.encode(["a puppy"])[0]
    many = settings(images, tmp_path, kept_pictures=200)
    prompts = kept_prompts(pipeline, table, like, many)
    nearest = {phrases[row] for row in (table.vectors @ like[1]).topk(7).indices.tolist()}
    assert {prompt[0] for prompt in prompts[::2]} == {"a puppy", *nearest}
    others = prompts[1::2]  # from the menus
    assert all(set(prompt) <= set(PHRASES) for prompt in others)
    assert {len(prompt) for prompt in others} == {0, 1, 2}
    plain = VARPipeline.from_pipe(pipeline, labels=LabelSpace(SPACE.attributes))
    any_phrase = {prompt[0] for prompt in kept_prompts(plain, table, like, many)[1::2] if prompt}
    assert len(any_phrase) > 20


def test_a_batch_asks_for_the_phrase_alone_and_for_what_is_kept(
    images: Path, tmp_path: Path
) -> None:
    pipeline = make_prompted()
    chosen = settings(images, tmp_path, like="fox", kept_share=0.25)
    pictures = read_pictures(images, pipeline.tokenizer.image_shape)
    lesson = begin_phrase(pipeline, pictures, chosen)
    with torch.no_grad():
        lesson.learned.mul_(3)  # only its direction counts
    tokens, condition = batch(lesson, chosen, 0)
    assert condition.is_given[2:].sum(dim=1).tolist() == [1] * 6
    new = condition.phrases[2:, 0]
    assert torch.allclose(new, TABLE.find("a fox").expand_as(new))
    assert new.requires_grad and tokens.shape == (8, 30)
    for row in range(2):
        own = (lesson.kept.tokens == tokens[row]).all(dim=1).nonzero()[0]
        kept = lesson.kept.condition.rows(own)
        assert condition.rows(torch.tensor([row])).is_same(kept).all()


def test_a_phrase_that_no_menu_holds_is_typed_alone(images: Path, tmp_path: Path) -> None:
    pipeline = make_prompted()
    pictures = read_pictures(images, pipeline.tokenizer.image_shape)
    chosen = settings(images, tmp_path, like="a puppy", steps=1)
    adapter = learn_adapter(pipeline, pictures, chosen)
    assert adapter.settings.attribute == ""
    _, labels, table = adapter.applied(pipeline.transformer, pipeline.labels, TABLE)
    assert labels == pipeline.labels
    assert torch.equal(adapter.thing, table.find("MY CAT"))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"name": "A Fox"}, "'A Fox' has a meaning already"),
        ({"name": "fox"}, "thing has 'fox' already"),
        ({"name": "my cat, my dog"}, "nobody can type"),
        ({"name": "my  cat"}, "nobody can type"),
        ({"attribute": "place"}, "there is no place 'fox'"),
        ({"attribute": "size"}, "there is no menu 'size'"),
    ],
)
def test_names_that_cannot_be_taken_are_refused(
    images: Path, tmp_path: Path, more: dict, message: str
) -> None:
    pipeline = make_prompted()
    pictures = read_pictures(images, pipeline.tokenizer.image_shape)
    with pytest.raises(ValueError, match=message):
        begin_phrase(pipeline, pictures, settings(images, tmp_path, **{"like": "fox", **more}))


def test_a_model_without_its_vectors_is_refused(images: Path, tmp_path: Path) -> None:
    bare = VARPipeline(make_prompted().tokenizer, make_text_transformer(), SPACE)
    pictures = read_pictures(images, bare.tokenizer.image_shape)
    with pytest.raises(ValueError, match="without the vectors of its words"):
        learn_adapter(bare, pictures, settings(images, tmp_path, like="fox"))
