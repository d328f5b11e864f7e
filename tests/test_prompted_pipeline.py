"""Drawing and editing from words, from the pipeline on."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.conftest import make_tokenizer
from tests.prompted_models import (
    SPACE,
    TABLE,
    FakeEncoder,
    make_prompted,
    make_text_transformer,
)
from var_core import VARPipeline, generators_from_seeds
from var_core import pipeline_parts as pipeline_module
from var_core.checkpoints import CheckpointError
from var_core.editing import EditOptions, Margins
from var_core.model_info import read_model_info
from var_core.packing import can_pack
from var_core.sampling import SamplingOptions
from var_core.text import PHRASES_FILE
from var_core.wishes import Wish

OPTIONS = SamplingOptions(guidance_scale=2.0, top_k=12, top_p=0.9)
LABEL = {"thing": "fox", "place": "snow", "style": "noto"}


@pytest.fixture(autouse=True)
def _fake_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_module, "open_text_encoder", lambda name, folder: FakeEncoder())


PIPELINE = make_prompted()


def draw(*seeds: int, **arguments: object) -> torch.Tensor:
    generator = generators_from_seeds(seeds)
    out = PIPELINE.draw(options=OPTIONS, generator=generator, output_type="pt", **arguments)
    return torch.cat([one.flatten(1) for one in out.token_maps], dim=1)


def test_choosing_draws_what_typing_draws_in_any_order() -> None:
    chosen = draw(1, class_labels=[LABEL])
    for prompt in ("a fox, in the snow", "in the snow and A FOX"):
        assert torch.equal(draw(1, class_labels=[{"style": "noto"}], prompt=[prompt]), chosen)
    assert not torch.equal(draw(1, prompt="a fox, in the snow"), chosen)
    free = draw(1, class_labels=[LABEL], prompt=["a puppy"])
    assert not torch.equal(free, chosen)


def test_a_seed_is_the_same_picture_alone_and_beside_others() -> None:
    prompts = ["a fox", None, "a puppy, a kitten, an owl, in the snow", "a pizza"]
    negative = ["a pizza", None, None, "a fox"]
    together = draw(1, 2, 3, 4, prompt=prompts, negative_prompt=negative)
    for index, prompt in enumerate(prompts):
        alone = draw(index + 1, prompt=[prompt], negative_prompt=[negative[index]])
        assert torch.equal(together[index : index + 1], alone)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_packed_weights_draw_a_seed_alone_and_beside_others_alike(dtype: torch.dtype) -> None:
    if not can_pack(dtype):
        pytest.skip(f"no kernels for {dtype}")
    pipeline = make_prompted(dtype)
    prompts = ["a fox", None, "a puppy, a kitten, an owl, in the snow", "a pizza", "a fox"]

    def images(prompt: list, seeds: list[int]) -> torch.Tensor:
        generators = generators_from_seeds(seeds)
        return pipeline.draw(None, OPTIONS, generators, "pt", prompt=prompt).images

    together = images(prompts, list(range(5)))
    assert pipeline.transformer.head.weight.is_mkldnn
    for index, prompt in enumerate(prompts):
        assert torch.equal(together[index : index + 1], images([prompt], [index]))


def test_a_negative_prompt_changes_what_is_drawn() -> None:
    plain = draw(1, prompt="a fox")
    assert not torch.equal(draw(1, prompt="a fox", negative_prompt="a pizza"), plain)
    both = draw(1, 2, prompt=["a fox", "a fox"], negative_prompt="a pizza")
    assert torch.equal(both[:1], draw(1, prompt="a fox", negative_prompt="a pizza"))


def test_streaming_ends_in_what_drawing_returns_and_says_what_was_asked() -> None:
    arguments = {"class_labels": [LABEL], "prompt": ["at night"], "negative_prompt": "rain"}
    parts = OPTIONS, generators_from_seeds([3])
    *_, last = PIPELINE.stream(arguments.pop("class_labels"), *parts, **arguments)
    wish = Wish((0,), ("a fox", "in the snow", "at night"), ("rain",))
    assert last.wishes == [wish] and last.labels == [(0,)]
    out = PIPELINE.draw([wish], OPTIONS, generators_from_seeds([3]))
    assert np.array_equal(np.asarray(out.images[0]), np.asarray(last.images[0]))
    assert out.wishes == [wish]


def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 24, 3), np.uint8))


def test_edits_go_by_the_prompt_and_keep_the_rest() -> None:
    image = picture()
    mask = np.zeros((20, 24), bool)
    mask[6:14, 8:16] = True

    def edit(**words: object) -> np.ndarray:
        out = PIPELINE.edit(
            image, mask, None, OPTIONS, generator=generators_from_seeds([1]), **words
        )
        return np.asarray(out.images[0])

    fox, pizza = edit(prompt="a fox"), edit(prompt="a pizza")
    assert (fox != pizza).any() and (edit(prompt="a fox", negative_prompt="rain") != fox).any()
    far = np.ones((20, 24), bool)
    far[3:17, 5:19] = False
    assert np.array_equal(fox[far], np.asarray(image)[far])
    best = PIPELINE.edit(
        image,
        mask,
        [LABEL],
        OPTIONS,
        EditOptions(best_of=2),
        generators_from_seeds([1]),
        prompt=["at night"],
    )
    assert best.wishes[0].phrases == ("a fox", "in the snow", "at night")


def test_outpainting_and_varying_go_by_the_prompt() -> None:
    generators = generators_from_seeds([1, 2])
    out = PIPELINE.outpaint(
        picture(), Margins(0, 0, 12, 0), None, OPTIONS, generator=generators, prompt=["a", "b"]
    )
    assert [image.size for image in out.images] == [(36, 20)] * 2
    generators = generators_from_seeds([1, 1])
    varied = PIPELINE.vary(picture(), 1, None, OPTIONS, generators, prompt=["a fox", "a pizza"])
    assert [wish.phrases for wish in varied.wishes] == [("a fox",), ("a pizza",)]
    assert not np.array_equal(*(np.asarray(image) for image in varied.images))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "nothing was asked for"),
        ({"prompt": ""}, "the prompt is empty"),
        ({"prompt": "a, b, c, d, e"}, "at most 4 phrases, got 5"),
        ({"prompt": "x" * 10_000}, "at most 2000 characters"),
        ({"prompt": "a\x07"}, "control characters"),
        ({"prompt": "a", "negative_prompt": " "}, "the prompt is empty"),
        ({"prompt": ["a"], "class_labels": [0, 1]}, "2 class_labels, 1 prompts"),
        ({"class_labels": [{"thing": "foks"}]}, "the nearest is 'fox'"),
    ],
)
def test_bad_words_are_refused_before_a_network_runs(
    arguments: dict, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PIPELINE.transformer, "predict_scale", None)
    for run in (PIPELINE, PIPELINE.draw, PIPELINE.stream):
        with pytest.raises(ValueError, match=message):
            run(**arguments)
    if arguments:
        with pytest.raises(ValueError, match=message):
            PIPELINE.edit(picture(), np.ones((20, 24)), **arguments)


def test_a_missing_or_wrong_encoder_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.undo()
    with pytest.raises(ValueError, match="need the text encoder fake: name its folder"):
        make_prompted()(prompt="a puppy")
    parts = make_tokenizer(), make_text_transformer(), SPACE, TABLE, tmp_path / "none"
    with pytest.raises(ValueError, match="there is no text encoder folder"):
        VARPipeline(*parts)(prompt="a puppy")


def test_a_model_with_text_is_saved_and_loaded_strictly(tmp_path: Path) -> None:
    PIPELINE.save_pretrained(tmp_path)
    loaded = VARPipeline.from_pretrained(tmp_path)
    assert loaded.labels == SPACE and loaded.info.max_phrases == 4
    assert read_model_info(tmp_path).reader.read(LABEL).phrases == ("a fox", "in the snow")
    generators = [generators_from_seeds([1]) for _ in range(2)]
    drawn = [
        one([LABEL], generator=own, output_type="pt").images
        for one, own in zip((PIPELINE, loaded), generators, strict=True)
    ]
    assert torch.equal(*drawn)
    vectors = (tmp_path / PHRASES_FILE).read_bytes()
    (tmp_path / PHRASES_FILE).unlink()
    with pytest.raises(CheckpointError, match=r"phrase_vectors\.safetensors cannot be read"):
        VARPipeline.from_pretrained(tmp_path)
    (tmp_path / PHRASES_FILE).write_bytes(vectors)
    labels = json.loads((tmp_path / "labels.json").read_text())
    labels["menus"][0]["choices"].append({"name": "owl", "phrase": "an owl"})
    (tmp_path / "labels.json").write_text(json.dumps(labels))
    with pytest.raises(CheckpointError, match="no vector of thing 'owl'"):
        VARPipeline.from_pretrained(tmp_path)


def test_a_model_without_text_takes_the_nearest_names(pipeline: VARPipeline) -> None:
    out = pipeline(prompt=["an apple, round"], generator=generators_from_seeds([1]))
    assert out.labels == [(1, 2, 1)]
    assert "'an apple' was understood as emoji 'apple'" in out.wishes[0].notes
    same = pipeline([(1, 2, 1)], generator=generators_from_seeds([1]))
    assert np.array_equal(np.asarray(out.images[0]), np.asarray(same.images[0]))
