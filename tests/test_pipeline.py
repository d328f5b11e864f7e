import inspect
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline
from PIL import Image

import var_core
from tests.clip_models import make_clip_tokenizer, make_clip_transformer
from tests.prompted_models import make_prompted
from var_core import SamplingOptions, VARClipPipeline, VARPipeline, generators_from_seeds
from var_core.editing import Margins
from var_core.images import tensor_to_uint8
from var_core.option_fields import option_fields
from var_core.sampling.rng import one_for_each

LABELS = [{"emoji": "cat", "style": "flat"}, {"category": "fruit"}, None, (0, None, 2)]


def draw(pipeline: VARPipeline, labels: list, seeds: list[int], **changes: object) -> torch.Tensor:
    generator = generators_from_seeds(seeds)
    return pipeline(labels, generator=generator, output_type="pt", **changes).images


def test_every_preview_is_the_decode_of_its_token_maps(pipeline: VARPipeline) -> None:
    previews = list(
        pipeline.stream(LABELS[:2], generator=generators_from_seeds([1, 2]), output_type="pt")
    )
    assert [(p.number, p.total, len(p.token_maps)) for p in previews] == [
        (number, 4, number) for number in (1, 2, 3, 4)
    ]
    for preview in previews:
        maps = preview.token_maps
        decoded = pipeline.decode_latent(pipeline.tokenizer.quantizer.sum_scales(maps)[-1])
        assert torch.allclose(preview.images, (decoded + 1) / 2, atol=1e-6)
    assert [tuple(m.shape) for m in previews[-1].token_maps] == [(2, s, s) for s in (1, 2, 3, 4)]
    assert all(m.dtype == torch.int64 for m in previews[-1].token_maps)


def test_stream_ends_where_the_call_ends(pipeline: VARPipeline) -> None:
    generators = generators_from_seeds([1]), generators_from_seeds([1])
    last = list(pipeline.stream([None], generator=generators[0]))[-1].images[0]
    called = pipeline([None], generator=generators[1]).images[0]
    assert np.array_equal(np.asarray(last), np.asarray(called))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_seed_gives_the_same_picture_alone_and_in_a_batch(
    pipeline: VARPipeline, dtype: torch.dtype
) -> None:
    pipeline.to(dtype)
    together = draw(pipeline, LABELS, [1, 2, 3, 4])
    for index, label in enumerate(LABELS):
        alone = draw(pipeline, [label], [index + 1])
        assert torch.equal(together[index : index + 1], alone)


def test_output_types(pipeline: VARPipeline) -> None:
    results = {
        kind: pipeline([None], generator=generators_from_seeds([1]), output_type=kind).images
        for kind in ("pil", "np", "pt")
    }
    assert isinstance(results["pil"][0], Image.Image)
    assert results["np"].shape == (1, 8, 8, 3)
    assert results["pt"].shape == (1, 3, 8, 8)
    assert np.allclose(results["np"], results["pt"].permute(0, 2, 3, 1).numpy())
    assert results["pt"].min() >= 0 and results["pt"].max() <= 1
    levels = np.asarray(results["pil"][0]) / 255
    assert np.abs(levels - results["np"][0]).max() <= 0.5 / 255 + 1e-6


def test_one_attribute_takes_numbers(class_pipeline: VARPipeline) -> None:
    both = draw(class_pipeline, [None, 10], [5, 5])
    assert torch.equal(both[0], both[1])
    assert not torch.equal(draw(class_pipeline, [3], [5]), both[:1])


def test_the_default_top_k_is_clamped_and_a_larger_one_is_refused(pipeline: VARPipeline) -> None:
    assert pipeline.info.options.top_k == SamplingOptions().fitted(32).top_k == 32
    assert SamplingOptions(top_p=0.2).fitted(32) == SamplingOptions(top_p=0.2, top_k=32)
    same = (draw(pipeline, [None], [1]), draw(pipeline, [None], [1], top_k=32))
    assert torch.equal(*same)
    with pytest.raises(ValueError, match="top_k must be a whole number from 0 to 32, got 33"):
        pipeline([None], top_k=33)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"class_labels": []}, "1 to 64 labels"),
        ({"class_labels": 3}, "1 to 64 labels"),
        ({"class_labels": [3]}, "several attributes"),
        ({"guidance_scale": math.nan}, "guidance_scale"),
        ({"top_p": 2.0}, "top_p"),
        ({"temperature": 0.0}, "temperature"),
        ({"output_type": "jpeg"}, "output_type"),
        ({"generator": generators_from_seeds([1, 2])}, "list of 1"),
    ],
)
def test_bad_arguments_are_refused_before_the_model_runs(
    pipeline: VARPipeline, changes: dict, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline.transformer, "predict_scale", None)
    arguments = {"class_labels": [None], **changes}
    with pytest.raises(ValueError, match=message):
        pipeline(**arguments)


def test_tokenize_gives_the_decodes_of_every_prefix_of_its_token_maps(
    pipeline: VARPipeline,
) -> None:
    image = Image.radial_gradient("L").convert("RGB")
    token_maps, frames = pipeline.tokenize(image)
    for count, frame in enumerate(frames, start=1):
        latent = pipeline.tokenizer.quantizer.sum_scales(token_maps[:count])[-1]
        assert np.array_equal(np.asarray(frame), tensor_to_uint8(pipeline.decode_latent(latent))[0])
    again = pipeline.reconstruct(image)
    assert all(map(np.array_equal, map(np.asarray, frames), map(np.asarray, again)))


def test_reconstruct_shows_every_scale(pipeline: VARPipeline) -> None:
    scales = pipeline.reconstruct(Image.new("RGB", (30, 20), "red"))
    assert [image.size for image in scales] == [(8, 8)] * 4


def test_kept_scales_stay_and_the_rest_is_drawn_anew(pipeline: VARPipeline) -> None:
    labels = [{"emoji": "cat", "style": "flat"}, {"emoji": "dog", "style": "3d"}]
    first = pipeline(labels, generator=generators_from_seeds([1, 2]))
    kept = first.token_maps[:2]
    again = pipeline(labels, generator=generators_from_seeds([3, 4]), keep=kept)
    assert all(torch.equal(a, b) for a, b in zip(again.token_maps, kept, strict=False))
    assert not torch.equal(again.token_maps[3], first.token_maps[3])
    one = pipeline(
        labels[1:], generator=generators_from_seeds([4]), keep=[maps[1:] for maps in kept]
    )
    for alone, both in zip(one.token_maps, again.token_maps, strict=True):
        assert torch.equal(alone[0], both[1])


def test_keeping_a_whole_prefix_continues_as_if_it_had_been_drawn(pipeline: VARPipeline) -> None:
    label = [{"emoji": "cat", "style": "flat"}]
    options = {"top_k": 1, "temperature": 0.01}  # the likeliest code whatever the generator
    first = pipeline(label, generator=generators_from_seeds([1]), **options)
    again = pipeline(
        label, generator=generators_from_seeds([2]), keep=first.token_maps[:2], **options
    )
    assert all(torch.equal(a, b) for a, b in zip(first.token_maps, again.token_maps, strict=True))


def test_scales_that_cannot_be_kept_are_refused(pipeline: VARPipeline) -> None:
    label = [{"emoji": "cat"}]
    maps = pipeline(label).token_maps
    for keep, message in (
        (maps, "1 to 3 scales can be kept of 4, got 4"),
        (maps[1:2], r"tokens of scale 1 must be \(1, 1, 1\), got \(1, 2, 2\)"),
        ([maps[0] + 32], "whole numbers from 0 to 31"),
        (maps[1], "keep: token maps are given as a list, one for each scale, got a Tensor"),
        ([0], "keep: what is given for scale 1 must be of type Tensor, got 0"),
        ([maps[0].repeat(2, 1, 1)], "keep must hold tokens of 1 drawings, got 2"),
    ):
        with pytest.raises(ValueError, match=message):
            pipeline.stream(label, keep=keep)


def test_the_call_takes_every_sampling_option_and_leaves_them_to_the_model() -> None:
    taken = inspect.signature(VARPipeline.__call__).parameters
    for option in option_fields(SamplingOptions):
        assert taken[option.name].default is None


def test_scalars_of_numpy_and_torch_are_numbers(class_pipeline: VARPipeline) -> None:
    photo = Image.new("RGB", (20, 20), "teal")
    plain = draw(class_pipeline, [3], [3], guidance_scale=2.0, top_k=5, smooth=True)
    for number, real, flag in (
        (np.int64(3), np.float32(2), np.bool_(True)),
        (torch.tensor(3), torch.tensor(2.0), torch.tensor(True)),
        (np.array(3), np.float64(2), True),
    ):
        changes = {"guidance_scale": real, "top_k": number + 2, "smooth": flag}
        assert torch.equal(draw(class_pipeline, [number], [number], **changes), plain)
        options = SamplingOptions(guidance_scale=real, top_k=number)
        assert json.loads(json.dumps(vars(options)))["top_k"] == 3
        assert Margins(left=number) == Margins(left=3)
        assert class_pipeline.vary(photo, number).images[0].size == (8, 8)
    for many in (np.array([3]), torch.tensor([3])):
        changes = {"guidance_scale": 2.0, "top_k": 5, "smooth": True}
        assert torch.equal(draw(class_pipeline, many, np.array([3]), **changes), plain)
    for wrong in (np.float64(3.5), np.bool_(True), torch.tensor([3, 4])):
        with pytest.raises(ValueError, match="seed must be a whole number"):
            generators_from_seeds([wrong])


def test_vary_has_the_defaults_of_edit(pipeline: VARPipeline) -> None:
    photo = Image.new("RGB", (20, 20), "teal")
    assert len(pipeline.vary(photo, 3).images) == 1
    assert len(list(pipeline.vary_stream(photo, 3))[-1].images) == 1


def same_pictures(pipeline: VARPipeline, other: VARPipeline) -> bool:
    return torch.equal(draw(pipeline, LABELS, [1, 2, 3, 4]), draw(other, LABELS, [1, 2, 3, 4]))


def test_a_pipeline_is_made_again_of_its_components(pipeline: VARPipeline) -> None:
    assert pipeline.components["labels"] is pipeline.labels
    for again in (VARPipeline(**pipeline.components), VARPipeline.from_pipe(pipeline)):
        assert again.transformer is pipeline.transformer and again.labels == pipeline.labels
        assert same_pictures(pipeline, again)
    with pytest.raises(ValueError, match=r"is made of tokenizer, .*, not 'vae'"):
        VARPipeline.from_pipe(pipeline, vae=None)


def test_a_pipeline_with_words_is_made_again_of_its_components() -> None:
    prompted = make_prompted()
    again = VARPipeline(**prompted.components)
    drawn = [
        one(prompt="a fox", generator=generators_from_seeds([1]), output_type="pt").images
        for one in (prompted, again, VARPipeline.from_pipe(prompted))
    ]
    assert torch.equal(drawn[0], drawn[1]) and torch.equal(drawn[0], drawn[2])


def test_keywords_of_diffusers_work_or_say_why_not(pipeline: VARPipeline, tmp_path: Path) -> None:
    pipeline.save_pretrained(tmp_path, safe_serialization=True)
    fine = {"local_files_only": True, "cache_dir": "x", "use_safetensors": True}
    loaded = VARPipeline.from_pretrained(tmp_path, low_cpu_mem_usage=True, **fine)
    assert same_pictures(pipeline, loaded)
    for refused, message in (
        (lambda: VARPipeline.from_pretrained(tmp_path, variant="fp16"), "use torch_dtype"),
        (lambda: VARPipeline.from_pretrained(tmp_path, use_safetensors=False), "no pickles"),
        (lambda: VARPipeline.from_pretrained(tmp_path, device_map="auto"), "use .to"),
        (lambda: pipeline.save_pretrained(tmp_path, safe_serialization=False), "no pickles"),
        (lambda: pipeline([None], return_dict=False), "return_dict must be true"),
        (pipeline.enable_model_cpu_offload, "use .to"),
        (pipeline.enable_sequential_cpu_offload, "use .to"),
        (pipeline.enable_group_offload, "use .to"),
    ):
        with pytest.raises(ValueError, match=message):
            refused()


def test_diffusers_names_the_class_that_loads_a_folder(
    pipeline: VARPipeline, tmp_path: Path
) -> None:
    clips = VARClipPipeline(make_clip_tokenizer(), make_clip_transformer())
    for name, made in (("pictures", pipeline), ("clips", clips)):
        made.save_pretrained(tmp_path / name)
        missing = r"^module diffusers has no attribute VAR\w+$"
        with pytest.raises(AttributeError, match=missing) as caught:
            DiffusionPipeline.from_pretrained(tmp_path / name)
        kind = getattr(var_core, str(caught.value).split()[-1])
        assert isinstance(kind.from_pretrained(tmp_path / name), type(made))


def test_one_generator_seeds_the_pictures_of_a_batch(pipeline: VARPipeline) -> None:
    def drawn(labels: list) -> torch.Tensor:
        generator = torch.Generator().manual_seed(5)
        return pipeline(labels, generator=generator, output_type="pt").images

    assert torch.equal(drawn([None]), draw(pipeline, [None], [5]))
    together = drawn([None] * 3)
    assert torch.equal(together, drawn([None] * 3)) and not torch.equal(together[0], together[1])
    photo = Image.new("RGB", (8, 8), "teal")
    mask = np.ones((8, 8))
    varied = pipeline.vary(photo, 1, [None] * 2, generator=torch.Generator().manual_seed(5))
    edited = pipeline.edit(photo, mask, [None] * 2, generator=torch.Generator().manual_seed(5))
    assert len(varied.images) == len(edited.images) == 2


def test_what_is_no_generator_is_refused() -> None:
    for wrong in ([5, 6], [torch.Generator()], 7):
        with pytest.raises(ValueError, match=r"a torch\.Generator or a list of 2"):
            one_for_each(wrong, 2, torch.device("cpu"))
