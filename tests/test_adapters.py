"""Adapters: a new label beside all known ones, merged, and refused where they do not fit."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.conftest import make_labels, make_tokenizer, make_transformer
from tests.prompted_models import make_prompted, unit_vectors
from var_core import VARPipeline, generators_from_seeds
from var_core.adapters import (
    CONFIG_FILE,
    LABEL,
    PHRASE,
    WEIGHTS_FILE,
    Adapter,
    AdapterSettings,
    adapted_layers,
    base_digest,
    load_adapter,
)
from var_core.checkpoints import CheckpointError
from var_core.transformer import VARTransformer

RANK = 2


def numbers(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def make_adapter(
    transformer: VARTransformer, attribute: str, like: str, size: float = 1.0
) -> Adapter:
    weights = transformer.state_dict()
    shapes = {name: weights[f"{name}.weight"].shape for name in adapted_layers(transformer)}
    return Adapter(
        AdapterSettings("my cat", attribute, like, RANK, base_digest(transformer)),
        {name: numbers(RANK, inputs) * size for name, (_, inputs) in shapes.items()},
        {name: numbers(outputs, RANK) * size for name, (outputs, _) in shapes.items()},
        LABEL,
        numbers(32),
    )


def make_phrase_adapter() -> Adapter:
    """Of the tiny model that takes words."""
    made = make_adapter(make_prompted().transformer, "thing", "fox")
    return replace(made, kind=PHRASE, thing=unit_vectors(1)[0])


@pytest.fixture
def folder(pipeline: VARPipeline, tmp_path: Path) -> Path:
    make_adapter(pipeline.transformer, "emoji", "cat").save(tmp_path / "adapter")
    return tmp_path / "adapter"


def draw(pipeline: VARPipeline, *labels: dict | None) -> list[torch.Tensor]:
    generators = generators_from_seeds(range(len(labels)))
    return pipeline.draw(list(labels), generator=generators).token_maps


def same(ours: list[torch.Tensor], theirs: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("attribute", ["category", "emoji", "style", "class"])
def test_a_label_more_leaves_all_that_was_drawn_before(attribute: str) -> None:
    """Without changes of weights, every known label draws what it drew, to the last bit."""
    if attribute == "class":
        pipeline, column, like = VARPipeline(make_tokenizer(), make_transformer((10,))), 0, "3"
        known = [{"class": "3"}, {"class": "9"}, None]
    else:
        pipeline = VARPipeline(make_tokenizer(), make_transformer(), make_labels())
        likes = {"category": "fruit", "emoji": "cat", "style": "flat"}
        column, like = [*likes].index(attribute), likes[attribute]
        known = [{"emoji": "apple", "style": "3d"}, {"style": "flat", "emoji": "cat"}]
    adapter = make_adapter(pipeline.transformer, attribute, like, size=0.0)
    transformer, labels, _ = adapter.applied(pipeline.transformer, pipeline.labels)
    grown = VARPipeline.from_pipe(pipeline, transformer=transformer, labels=labels)
    assert same(draw(grown, *known), draw(pipeline, *known))
    assert labels.counts[column] == pipeline.labels.counts[column] + 1


def test_a_new_thing_is_drawn_by_name_with_the_category_of_what_it_is_like(
    pipeline: VARPipeline, folder: Path
) -> None:
    before = draw(pipeline, {"emoji": "dog"})
    adapted = pipeline.with_adapter(folder)
    assert adapted.labels.resolve({"emoji": "my cat"}) == (0, 4, 3)
    new = draw(adapted, {"emoji": "my cat", "style": "round"})
    assert not same(new, draw(adapted, {"emoji": "cat", "style": "round"}))
    assert not same(draw(adapted, {"emoji": "dog"}), before)  # weights have changed
    assert same(draw(pipeline, {"emoji": "dog"}), before)  # not those of the first pipeline
    with pytest.raises(ValueError, match="emoji"):
        draw(pipeline, {"emoji": "my cat"})


def test_a_merged_model_is_a_model_folder_that_draws_the_same(
    pipeline: VARPipeline, folder: Path, tmp_path: Path
) -> None:
    adapted = pipeline.with_adapter(folder)
    adapted.save_pretrained(tmp_path / "model")
    loaded = VARPipeline.from_pretrained(tmp_path / "model")
    label = {"emoji": "my cat"}
    assert same(draw(loaded, label), draw(adapted, label))


def test_changes_are_added_to_weights_by_their_strength(
    pipeline: VARPipeline, folder: Path
) -> None:
    name = adapted_layers(pipeline.transformer)[0]
    adapter = load_adapter(folder)
    whole, half, none = (
        adapter.applied(pipeline.transformer, pipeline.labels, None, strength)[0].state_dict()
        for strength in (1.0, 0.5, 0.0)
    )
    change = adapter.up[name] @ adapter.down[name]
    torch.testing.assert_close(whole[f"{name}.weight"] - none[f"{name}.weight"], change)
    torch.testing.assert_close(half[f"{name}.weight"] - none[f"{name}.weight"], change / 2)
    with pytest.raises(ValueError, match="strength must be"):
        pipeline.with_adapter(folder, strength=3.0)


def test_weights_that_are_laid_out_for_drawing_are_recognised(
    pipeline: VARPipeline, folder: Path
) -> None:
    draw(pipeline, None)  # which packs them
    pipeline.with_adapter(folder)


def test_an_adapter_of_other_weights_or_with_a_taken_name_is_refused(
    pipeline: VARPipeline, folder: Path
) -> None:
    adapted = pipeline.with_adapter(folder)
    with pytest.raises(ValueError, match="the adapter 'my cat' belongs to weights"):
        adapted.with_adapter(folder)
    settings = json.loads((folder / CONFIG_FILE).read_text())
    (folder / CONFIG_FILE).write_text(json.dumps({**settings, "name": "dog"}))
    with pytest.raises(ValueError, match="emoji has 'dog' already"):
        pipeline.with_adapter(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rank": 0}, "rank is 1 to 256"),
        ({"rank": True}, "rank is 1 to 256"),
        ({"name": " "}, "names are texts"),
        ({"name": "x" * 101}, "names are texts"),
        ({"attribute": 3}, "names are texts"),
        ({"more": 1}, "must name"),
        ({"rank": 3}, "has shape"),
        ({"attribute": "size"}, "attribute"),
        ({"like": "zebra"}, "zebra"),
    ],
)
def test_damaged_settings_are_refused(
    pipeline: VARPipeline, folder: Path, change: dict, message: str
) -> None:
    settings = json.loads((folder / CONFIG_FILE).read_text())
    (folder / CONFIG_FILE).write_text(json.dumps(settings | change))
    with pytest.raises(ValueError, match=message):
        pipeline.with_adapter(folder)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("row", None, "is no label"),
        ("row", torch.zeros(31), "a label of this network has 32"),
        ("row", torch.full((32,), torch.nan), "not finite"),
        ("row", torch.zeros(32, dtype=torch.int32), "not finite"),
        ("other", torch.zeros(1), "is no label"),
        ("phrase", torch.zeros(6), "is no label and no phrase"),
        ("up.blocks.0.mlp.fc1", None, "is missing"),
        ("up.blocks.7.mlp.fc1", torch.zeros(1, 1), "is not part of the model"),
    ],
)
def test_damaged_weights_are_refused(
    pipeline: VARPipeline, folder: Path, name: str, value: torch.Tensor | None, message: str
) -> None:
    tensors = load_file(folder / WEIGHTS_FILE)
    tensors.pop(name, None)
    save_file(tensors if value is None else {**tensors, name: value}, folder / WEIGHTS_FILE)
    with pytest.raises(ValueError, match=message):
        pipeline.with_adapter(folder)


@pytest.fixture
def phrase_folder(tmp_path: Path) -> Path:
    """An adapter of a tiny model that takes words."""
    make_phrase_adapter().save(tmp_path / "phrase")
    return tmp_path / "phrase"


def test_a_new_phrase_is_drawn_by_its_words_and_is_in_the_menu(phrase_folder: Path) -> None:
    pipeline = make_prompted()
    adapted = pipeline.with_adapter(phrase_folder)
    assert adapted.labels.menus[0].names == ["fox", "pizza", "my cat"]
    chosen = draw(adapted, {"thing": "my cat"})
    typed = adapted.draw(prompt="MY cat", generator=generators_from_seeds([0])).token_maps
    assert same(chosen, typed) and not same(chosen, draw(adapted, {"thing": "fox"}))
    assert torch.equal(adapted.wish_encoder.vectors.table.find("my cat"), unit_vectors(1)[0])
    assert pipeline.wish_encoder.vectors.table.find("my cat") is None
    with pytest.raises(ValueError, match="belongs to weights"):
        adapted.with_adapter(phrase_folder)


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        (torch.ones(6), "must have length 1"),
        (unit_vectors(1, width=5)[0], "a phrase has 6 numbers"),
        (torch.full((6,), torch.inf), "not finite"),
    ],
)
def test_a_damaged_vector_of_a_phrase_is_refused(
    phrase_folder: Path, vector: torch.Tensor, message: str
) -> None:
    tensors = load_file(phrase_folder / WEIGHTS_FILE)
    save_file({**tensors, "phrase": vector}, phrase_folder / WEIGHTS_FILE)
    with pytest.raises(ValueError, match=message):
        make_prompted().with_adapter(phrase_folder)


def test_a_phrase_that_has_a_meaning_or_no_vectors_beside_it_is_refused(
    phrase_folder: Path,
) -> None:
    pipeline = make_prompted()
    bare = VARPipeline(pipeline.tokenizer, pipeline.transformer, pipeline.labels)
    with pytest.raises(ValueError, match="without the vectors of its words"):
        bare.with_adapter(phrase_folder)
    settings = json.loads((phrase_folder / CONFIG_FILE).read_text())
    for name, message in (("A FOX", "has a meaning already"), ("fox", "thing has 'fox' already")):
        (phrase_folder / CONFIG_FILE).write_text(json.dumps({**settings, "name": name}))
        with pytest.raises(ValueError, match=message):
            pipeline.with_adapter(phrase_folder)


def test_no_pickle_and_no_broken_file_is_read(pipeline: VARPipeline, folder: Path) -> None:
    (folder / WEIGHTS_FILE).write_bytes(b"no weights")
    with pytest.raises(CheckpointError, match="is damaged"):
        pipeline.with_adapter(folder)
    (folder / "weights.pt").write_bytes(b"")
    with pytest.raises(CheckpointError, match="only safetensors are loaded"):
        pipeline.with_adapter(folder)
