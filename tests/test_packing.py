"""What is laid out for speed gives what the plain weights give."""

import copy
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from safetensors.torch import load_file

from tests.conftest import EMBEDDED_MODEL
from var_core import VARPipeline, generators_from_seeds
from var_core.condition import Condition
from var_core.packing import Linear, can_pack, is_packed, pack_weights
from var_core.sampling import KeepScales, SamplingOptions
from var_core.tokenizer.autoencoder import Upsample

needs_kernels = pytest.mark.skipif(
    not can_pack(torch.float32), reason="this processor has no kernels for packed weights"
)
pytestmark = needs_kernels

GOOD = SamplingOptions(guidance_scale=4.0, top_k=900, top_p=0.95)
OPTIONS = (
    GOOD,
    SamplingOptions(),
    SamplingOptions(guidance_scale=0.0),
    SamplingOptions(guidance_scale=10.0, top_k=0, top_p=0.3),
    SamplingOptions(top_k=0, top_p=0.0),
    SamplingOptions(top_k=50, top_p=0.0, temperature=1.5),
    SamplingOptions(top_k=1, temperature=0.5),
    SamplingOptions(guidance_scale=4.0, smooth=True),
)
LABELS = ((0,), (1,), (2,), (3,))  # three styles, and any
Open = Callable[..., VARPipeline]


def slow(*values: object) -> list:
    """Further values of a parameter, for exhaustive runs."""
    return [pytest.param(value, marks=pytest.mark.slow) for value in values]


@pytest.fixture(scope="module")
def open_scenes(small_scenes: Path) -> Open:
    """Loads the tiny model of scenes anew."""

    def load(dtype: torch.dtype = torch.float32, packs: bool = True) -> VARPipeline:
        pipeline = VARPipeline.from_pretrained(small_scenes, torch_dtype=dtype)
        pipeline.packs = packs
        return pipeline

    return load


def styled(pipeline: VARPipeline, labels: list[tuple[int, ...]]) -> Condition:
    """The condition of some styles, without words."""
    config = pipeline.transformer.config
    return Condition.of_labels(torch.tensor(labels), config["max_phrases"], config["text_dim"])


def plain_layer(dtype: torch.dtype) -> Linear:
    torch.manual_seed(0)
    return Linear(48, 80).to(dtype).requires_grad_(False)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("gelu", [False, True])
def test_a_packed_layer_multiplies_as_a_plain_one(dtype: torch.dtype, gelu: bool) -> None:
    if not can_pack(dtype):
        pytest.skip(f"no kernels for {dtype}")
    layer = plain_layer(dtype)
    rows, bias = torch.randn(2, 7, 48).to(dtype), torch.randn(80).to(dtype)
    expected = [layer(rows, gelu=gelu), layer(rows, bias, gelu)]
    layer.pack()
    tolerance = 1e-5 if dtype == torch.float32 else 2e-2
    for found, wanted in zip(
        (layer(rows, gelu=gelu), layer(rows, bias, gelu)), expected, strict=True
    ):
        assert found.dtype == dtype and torch.allclose(found, wanted, tolerance, tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_row_is_the_same_whatever_is_beside_it(dtype: torch.dtype) -> None:
    if not can_pack(dtype):
        pytest.skip(f"no kernels for {dtype}")
    torch.manual_seed(0)
    layer = Linear(1536, 384).to(dtype).requires_grad_(False)
    layer.pack()
    rows = torch.randn(600, 1536).to(dtype)
    together = layer(rows)
    for count in (1, 2, 3, 9, 50, 338):
        assert torch.equal(layer(rows[:count]), together[:count])


def test_a_packed_layer_is_saved_moved_copied_and_unpacked_as_it_was() -> None:
    layer = plain_layer(torch.float32)
    before = layer.weight.clone()
    layer.pack()
    assert layer.weight.is_mkldnn
    assert torch.equal(layer.state_dict()["weight"], before)
    moved = layer.double()
    assert torch.equal(moved.weight, before.double())
    layer.float().pack()
    assert torch.equal(copy.deepcopy(layer).weight, before)
    layer.pack()
    layer.unpack()
    assert torch.equal(layer.weight, before)


def test_a_folded_upsampling_equals_the_plain_one() -> None:
    torch.manual_seed(0)
    layer = Upsample(6).requires_grad_(False)
    maps = torch.randn(2, 6, 5, 4)
    expected = layer(maps)
    layer.pack()
    assert torch.allclose(layer(maps), expected, atol=1e-6)
    layer.conv.weight.mul_(2)
    assert not torch.allclose(layer.float()(maps), expected, atol=1e-2)  # moved: folded no more


def test_weights_that_are_being_trained_stay_plain(open_scenes: Open) -> None:
    pipeline = open_scenes()
    pipeline.transformer.head.weight.requires_grad_(True)
    pipeline([None], generator=generators_from_seeds([0]))
    assert not pipeline.transformer.head.weight.is_mkldnn


@pytest.fixture(scope="module")
def pair(open_scenes: Open) -> tuple[VARPipeline, VARPipeline]:
    """The tiny model in float32, plain and packed."""
    return open_scenes(packs=False), open_scenes()


@pytest.mark.parametrize("seed", [*range(len(OPTIONS)), *slow(*range(len(OPTIONS), 20))])
def test_packed_weights_draw_the_tokens_of_plain_ones(
    pair: tuple[VARPipeline, VARPipeline], seed: int
) -> None:
    options = OPTIONS[seed % len(OPTIONS)]
    labels = [LABELS[seed % len(LABELS)], LABELS[(seed + 1) % len(LABELS)]]
    drawn = []
    for pipeline in pair:
        generators = generators_from_seeds([seed, 2**32 - 1 - seed])
        together = 1 if options.smooth else 2
        steps = list(
            pipeline.sample(styled(pipeline, labels), options, generators, lambda _: None, together)
        )
        drawn.append((steps, pipeline.decode_latent(steps[-1].latent)))
    assert not pair[0].transformer.head.weight.is_mkldnn
    assert pair[1].transformer.head.weight.is_mkldnn
    (plain, picture), (packed, fast_picture) = drawn
    for slow, fast in zip(plain, packed, strict=True):
        assert torch.equal(slow.token_map, fast.token_map)
    assert torch.allclose(picture, fast_picture, atol=1e-3)


def test_a_rule_is_kept_with_packed_weights(pair: tuple[VARPipeline, VARPipeline]) -> None:
    plain, packed = pair
    kept = plain([None], generator=generators_from_seeds([1])).token_maps[:3]

    def drawn(pipeline: VARPipeline) -> torch.Tensor:
        rule = KeepScales(pipeline.tokenizer.quantizer, kept)
        condition = styled(pipeline, [LABELS[2]])
        steps = pipeline.sample(condition, GOOD, generators_from_seeds([5]), lambda _: rule)
        return torch.cat([step.token_map.flatten() for step in steps])

    assert torch.equal(drawn(plain), drawn(packed))


@pytest.mark.skipif(not can_pack(torch.bfloat16), reason="no kernels for bf16")
def test_bf16_logits_of_the_embedded_model_stay_within_two_percent(embedded: VARPipeline) -> None:
    plain, half = embedded, VARPipeline.from_pretrained(EMBEDDED_MODEL, torch_dtype=torch.bfloat16)
    half.pack()
    maps = plain.draw([LABELS[1]], generator=generators_from_seeds([0])).token_maps
    conditions = [p.transformer.embed(styled(p, [LABELS[1]])) for p in (plain, half)]
    caches = [p.transformer.new_cache(1) for p in (plain, half)]
    quantizer = plain.tokenizer.quantizer
    latents = [quantizer.empty_latent(1), *quantizer.sum_scales(maps)]
    for index in range(quantizer.schedule.num_scales):
        inputs = quantizer.next_input(latents[index], index)
        exact, rough = (
            p.transformer.logits(p.transformer.predict_scale(inputs, condition, index, cache))
            for p, condition, cache in zip((plain, half), conditions, caches, strict=True)
        )
        assert (rough - exact).norm() / exact.norm() < 0.02


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("options", [GOOD, OPTIONS[-1], *slow(*OPTIONS[1:-1])])
def test_a_seed_is_the_same_picture_alone_and_beside_others(
    open_scenes: Open, dtype: torch.dtype, options: SamplingOptions
) -> None:
    if not can_pack(dtype):
        pytest.skip(f"no kernels for {dtype}")
    pipeline = open_scenes(dtype)
    settings = vars(options)

    def draw(labels: list, seeds: list[int]) -> torch.Tensor:
        generators = generators_from_seeds(seeds)
        return pipeline(labels, **settings, generator=generators, output_type="pt").images

    labels = [*LABELS, None, LABELS[2]]
    together = draw(labels, list(range(6)))
    for index, label in enumerate(labels):
        assert torch.equal(together[index : index + 1], draw([label], [index]))


def test_a_model_that_has_drawn_is_saved_as_it_was(open_scenes: Open, tmp_path: Path) -> None:
    pipeline = open_scenes(torch.bfloat16)
    pipeline.save_pretrained(tmp_path / "before")
    pipeline([None], generator=generators_from_seeds([0]))
    pipeline.save_pretrained(tmp_path / "after")
    for part in ("tokenizer", "transformer"):
        name = Path(part) / "diffusion_pytorch_model.safetensors"
        before, after = (load_file(tmp_path / when / name) for when in ("before", "after"))
        assert before.keys() == after.keys()
        assert all(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize("count", [30, *slow(200)])
def test_many_drawings_leave_nothing_behind(open_scenes: Open, count: int) -> None:
    pipeline, process = open_scenes(), psutil.Process()

    def draw(count: int) -> int:
        for seed in range(count):
            list(pipeline.stream([None], generator=generators_from_seeds([seed])))
        return process.memory_info().rss

    before = draw(10)
    assert draw(count) < before + 20e6  # the keys and values of one drawing take 2 MB


def test_packing_twice_changes_nothing() -> None:
    layer = plain_layer(torch.float32)
    pack_weights(layer)
    weight = layer.weight
    pack_weights(layer)
    assert layer.weight is weight


def together(count: int, work: Callable[[int], object]) -> list:
    """Results of some calls that begin at the same time, each in a thread of its own."""
    start = threading.Barrier(count)

    def begin(index: int) -> object:
        start.wait()
        return work(index)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))


def test_a_tokenizer_that_joins_a_packed_transformer_is_packed_too(open_scenes: Open) -> None:
    pipeline = open_scenes()
    pipeline.pack()
    fresh = open_scenes().tokenizer
    assert not is_packed(fresh.decoder)
    changed = VARPipeline.from_pipe(pipeline, tokenizer=fresh)
    changed.pack()
    assert is_packed(fresh.decoder) and is_packed(changed.transformer)
    changed.to("cpu", torch.float32)
    assert not is_packed(changed.transformer)


@pytest.mark.parametrize("part", ["tokenizer", "transformer"])
def test_a_network_that_was_moved_is_packed_again_and_looked_at_once(
    open_scenes: Open, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    pipeline, looks = open_scenes(), []
    moved = getattr(pipeline, part)
    monkeypatch.setattr(
        "var_core.network_methods.is_packed", lambda one: looks.append(one) or is_packed(one)
    )
    pipeline.pack()
    count = len(looks)
    pipeline.pack()
    assert len(looks) == count  # it remembers
    moved.to(torch.float64).to(torch.float32)
    pipeline.pack()
    assert len(looks) > count and is_packed(pipeline.transformer)
    assert is_packed(pipeline.tokenizer.decoder)


def test_threads_that_draw_on_a_fresh_pipeline_leave_its_weights_whole(
    open_scenes: Open, small_scenes: Path, tmp_path: Path
) -> None:
    pipeline = open_scenes()
    expected = open_scenes()([LABELS[0]], generator=generators_from_seeds([3])).images[0]

    def draw(_: int) -> bytes:
        return pipeline([LABELS[0]], generator=generators_from_seeds([3])).images[0].tobytes()

    assert set(together(4, draw)) == {expected.tobytes()}
    pipeline.save_pretrained(tmp_path)
    for part in ("tokenizer", "transformer"):
        name = Path(part) / "diffusion_pytorch_model.safetensors"
        before, after = (load_file(folder / name) for folder in (small_scenes, tmp_path))
        assert all(torch.equal(before[key].to(after[key].dtype), after[key]) for key in before)


class SlowlyRead(Linear):
    """Looks whether it is packed, and reads its weight for packing only when `go_on` is set."""

    looked, go_on = threading.Event(), threading.Event()

    def __getattr__(self, name: str) -> Any:
        if name == "weight" and threading.current_thread() is not threading.main_thread():
            if self.looked.is_set():
                self.go_on.wait(0.3)  # a lock makes it wait in vain
            self.looked.set()
        return super().__getattr__(name)


def test_two_threads_cannot_pack_one_layer_twice() -> None:
    layer = SlowlyRead(48, 80).requires_grad_(False)
    before = layer.weight.clone()
    slow = threading.Thread(target=layer.pack)
    slow.start()
    layer.looked.wait()
    layer.pack()
    layer.go_on.set()
    slow.join()
    assert torch.equal(layer.state_dict()["weight"], before)


def test_layers_packed_moved_copied_and_used_by_threads_stay_whole() -> None:
    for _ in range(20):
        layer = plain_layer(torch.float32)
        before, rows = layer.weight.clone(), torch.randn(7, 48)
        expected = layer(rows)

        def work(
            index: int, layer: Linear = layer, rows: torch.Tensor = rows
        ) -> torch.Tensor | None:
            if index % 4 == 0:
                layer.pack()
            elif index % 4 == 1:
                layer.float()
            elif index % 4 == 2:
                return copy.deepcopy(layer).weight
            return None

        copies = [weight for weight in together(12, work) if weight is not None]
        assert all(torch.equal(weight, before) for weight in copies)
        assert torch.allclose(layer(rows), expected, 1e-5, 1e-5)
        assert torch.equal(layer.state_dict()["weight"], before)


def test_copying_leaves_the_layout_of_the_original() -> None:
    layer = plain_layer(torch.float32)
    layer.pack()
    copied = copy.deepcopy(layer)
    assert layer.weight.is_mkldnn and not copied.weight.is_mkldnn


def test_the_autocast_of_a_caller_changes_no_picture(open_scenes: Open) -> None:
    pipeline = open_scenes()

    def drawn() -> list[bytes]:
        drawing = {"options": GOOD, "generator": generators_from_seeds([3])}
        previews = list(pipeline.stream([LABELS[0]], **drawing))
        image = previews[-1].images[0]
        mask = np.zeros((256, 256), bool)
        mask[:80] = True
        drawing["generator"] = generators_from_seeds([3])
        edited = pipeline.edit(image, mask, **drawing)
        drawing["generator"] = generators_from_seeds([3])
        varied = pipeline.vary(image, 3, [LABELS[1]], **drawing)
        images = [*previews[0].images, image, *edited.images, *varied.images]
        return [one.tobytes() for one in (*images, *pipeline.reconstruct(image))]

    expected = drawn()
    with torch.autocast("cpu", torch.bfloat16):
        assert drawn() == expected
        assert torch.is_autocast_enabled("cpu")


def test_whether_weights_can_be_packed_is_asked_without_autocast() -> None:
    can_pack.cache_clear()
    with torch.autocast("cpu", torch.bfloat16):
        assert can_pack(torch.float32)
