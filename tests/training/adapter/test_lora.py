"""A new thing is learned from a few pictures, and what was known is kept."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.training.adapter.lessons import settings
from training import lora
from training.adapter.new_label import begin_label
from training.adapter.new_thing import encode_views, read_pictures
from training.adapter.training import batch, entropy, learn_adapter
from training.data.token_source import summed_features
from var_core import VARPipeline
from var_core.adapters import load_adapter
from var_core.condition import Condition


def test_the_command_teaches_a_thing_that_the_merged_model_draws(
    pipeline: VARPipeline, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    model, out, merged = tmp_path / "model", tmp_path / "adapter", tmp_path / "merged"
    pipeline.save_pretrained(model)
    command = f"--model {model} --images {images} --like cat --out {out} --merged {merged}"
    few = "--steps 3 --batch-size 4 --kept-pictures 4 --num-views 1"
    assert lora.main([*command.split(), *few.split(), "--name", "my cat"]) == 0
    assert "4 pictures of my cat" in capsys.readouterr().out
    loaded = VARPipeline.from_pretrained(merged)
    assert loaded.labels.resolve({"emoji": "my cat"})[:2] == (0, 4)
    ours, theirs = pipeline.with_adapter(out).transformer, loaded.transformer
    assert all(map(torch.equal, ours.state_dict().values(), theirs.state_dict().values()))


def test_its_pictures_become_likelier_and_known_labels_keep_their_rows(
    pipeline: VARPipeline, images: Path, tmp_path: Path
) -> None:
    chosen = settings(images, tmp_path)
    pictures = read_pictures(images, pipeline.tokenizer.image_shape)
    tokens = encode_views(pipeline, pictures, chosen).flatten(0, 1)
    adapter = learn_adapter(pipeline, pictures, chosen)
    after, names, _ = adapter.applied(pipeline.transformer, pipeline.labels)
    before, *_ = adapter.applied(pipeline.transformer, pipeline.labels, strength=0.0)
    labels = torch.tensor([names.resolve({"emoji": "my cat", "style": "flat"})] * len(tokens))
    asked = Condition.of_labels(labels)
    found = [
        entropy(one, pipeline.tokenizer, one.block_causal(4, "auto"), tokens, asked).item()
        for one in (before, after)
    ]
    assert found[1] < found[0] - 0.1
    table, old = after.label_embeds[1].weight, pipeline.transformer.label_embeds[1].weight
    assert torch.equal(torch.cat((table[:4], table[5:])), old)
    assert not torch.equal(table[4], old[0])


def test_a_batch_has_new_pictures_and_own_drawings_with_their_labels(
    pipeline: VARPipeline, images: Path, tmp_path: Path
) -> None:
    chosen = settings(images, tmp_path, kept_share=0.25)
    made = begin_label(pipeline, read_pictures(images, pipeline.tokenizer.image_shape), chosen)
    assert summed_features(pipeline.tokenizer, made.kept.tokens).shape == (8, 8, 4, 4)
    lesson = replace(made, new=torch.arange(8).view(2, 4, 1).expand(2, 4, 30))

    def labels_of(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        tokens, condition = batch(lesson, chosen, step)
        return tokens[:, 0], condition.labels

    _, labels = labels_of(0)
    assert (labels[2:, :2] == torch.tensor([0, 4])).all()
    assert (labels[:2] == torch.tensor([2, 5, 3])).all()  # open, in the grown network
    views = torch.cat([labels_of(step)[0][2:] for step in range(99)])
    assert 0.7 < (views < 4).float().mean() < 0.8  # the plain one, half by chance
    most = settings(images, tmp_path, kept_share=0.9, batch_size=2)
    assert batch(lesson, most, 0)[1].labels[-1, 1] == 4  # one is new at least
    styles = torch.bincount(torch.cat([labels_of(step)[1][2:, 2] for step in range(54)]))
    assert styles[3] > 90 and styles[:3].min() > 20


def test_open_labels_of_own_drawings_stay_open(
    class_pipeline: VARPipeline, images: Path, tmp_path: Path
) -> None:
    """The number of the open label is that of the new one in the grown network."""
    pictures = read_pictures(images, class_pipeline.tokenizer.image_shape)
    lesson = begin_label(class_pipeline, pictures, settings(images, tmp_path, like="3"))
    assert (lesson.kept.condition.labels == 11).all()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"like": "zebra"}, "zebra"),
        ({"name": "dog"}, "emoji has 'dog' already"),
        ({"attribute": "colour"}, "colour"),
    ],
)
def test_what_the_model_cannot_take_is_refused(
    pipeline: VARPipeline, images: Path, tmp_path: Path, more: dict, message: str
) -> None:
    pictures = read_pictures(images, pipeline.tokenizer.image_shape)
    with pytest.raises(ValueError, match=message):
        learn_adapter(pipeline, pictures, settings(images, tmp_path, **more))


def test_folders_without_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no folder"):
        read_pictures(tmp_path / "nothing", (32, 32))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no pictures"):
        read_pictures(tmp_path / "empty", (32, 32))


def test_an_adapter_trained_alone_is_one_that_loads(
    pipeline: VARPipeline, images: Path, tmp_path: Path
) -> None:
    pictures = read_pictures(images, pipeline.tokenizer.image_shape)
    adapter = learn_adapter(pipeline, pictures, settings(images, tmp_path, steps=1))
    adapter.save(tmp_path / "adapter")
    loaded = load_adapter(tmp_path / "adapter")
    assert loaded.settings == adapter.settings and loaded.down.keys() == adapter.down.keys()
