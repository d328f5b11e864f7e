"""On a GPU: the tokens of the plain formula by every kernel, eager and recorded, alone and in a
batch; the logits and pictures of a CPU; bounded memory; sharded training that learns the same."""

import gc
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from tests.benchmarks.draw import TimedDrawing
from tests.benchmarks.gpu_training import one_process
from tests.benchmarks.networks import Shape, random_pipeline, recast
from tests.benchmarks.official_drawing import no_tf32
from tests.benchmarks.report import peak_memory
from tests.benchmarks.train_step import OurStep, Sizes
from var_core import VARPipeline, generators_from_seeds
from var_core.devices import pick_device, pick_dtype
from var_core.network_methods import GRAPHS_VARIABLE
from var_core.transformer.attention_kernels import xformers_ops

pytestmark = pytest.mark.gpu
CUDA = torch.device("cuda")
SMALL = Shape(2, channels=(32, 32, 64, 64, 128))  # all scales of 256 pixels
MIB = 2**20


@pytest.fixture(autouse=True)
def exact() -> Iterator[None]:
    with no_tf32():
        yield


@pytest.fixture(scope="module")
def small() -> VARPipeline:
    return random_pipeline(SMALL, CUDA)


def tokens_of(pipeline: VARPipeline, seeds: list[int]) -> Tensor:
    labels = [7 * seed for seed in seeds]
    drawn = pipeline(labels, generator=generators_from_seeds(seeds, CUDA), output_type="pt")
    return torch.cat([tokens.flatten(1) for tokens in drawn.token_maps], dim=1)


def test_a_gpu_is_taken_in_bf16_where_there_is_one() -> None:
    assert pick_device().type == "cuda"
    assert pick_dtype(CUDA) == torch.bfloat16


@pytest.mark.parametrize("backend", ["sdpa", "xformers"])
def test_every_kernel_draws_the_tokens_of_the_plain_formula(
    small: VARPipeline, backend: str
) -> None:
    if backend == "xformers" and xformers_ops() is None:
        pytest.skip("xformers is not installed")
    plain = TimedDrawing(small, 2, "math").whole().token_maps
    found = TimedDrawing(small, 2, backend).whole().token_maps
    assert all(map(torch.equal, found, plain))


@pytest.mark.parametrize("count", [1, 8])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_graphs_draw_the_tokens_of_the_eager_network(
    small: VARPipeline, dtype: torch.dtype, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = recast(small, dtype)
    batches = [list(range(first, first + count)) for first in (0, 20, 0)]  # recorded, replayed
    eager = [tokens_of(pipeline, seeds) for seeds in batches]
    monkeypatch.setenv(GRAPHS_VARIABLE, "1")
    recorded = [tokens_of(pipeline, seeds) for seeds in batches]
    assert all(map(torch.equal, recorded, eager))
    assert not torch.equal(eager[0], eager[1])


def test_a_seed_is_the_same_picture_alone_and_among_eight(small: VARPipeline) -> None:
    together = tokens_of(small, list(range(8)))
    alone = torch.cat([tokens_of(small, [seed]) for seed in range(8)])
    assert torch.equal(together, alone)


def test_a_gpu_computes_what_a_cpu_computes(small: VARPipeline) -> None:
    on_cpu = random_pipeline(SMALL)
    for ours, theirs in (
        (small.transformer, on_cpu.transformer),
        (small.tokenizer, on_cpu.tokenizer),
    ):
        theirs.load_state_dict({key: value.cpu() for key, value in ours.state_dict().items()})
    generator = torch.Generator().manual_seed(0)
    schedule, width = small.transformer.schedule, small.transformer.config["code_dim"]
    inputs = torch.randn(2, schedule.num_tokens - 1, width, generator=generator)
    latent = torch.randn(2, width, *schedule.final_shape, generator=generator)
    with torch.inference_mode():
        on_gpu = small.transformer(inputs.to(CUDA), small.transformer.null_condition(2)).cpu()
        expected = on_cpu.transformer(inputs, on_cpu.transformer.null_condition(2))
    torch.testing.assert_close(on_gpu, expected, atol=1e-4 * float(expected.abs().max()), rtol=0)
    pictures = small.decode_latent(latent.to(CUDA)).cpu()
    torch.testing.assert_close(pictures, on_cpu.decode_latent(latent), atol=1e-3, rtol=0)


@pytest.mark.parametrize("graphs", ["0", "1"])
def test_the_published_d16_takes_little_memory_which_does_not_grow(
    graphs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(GRAPHS_VARIABLE, graphs)
    gc.collect()
    others = torch.cuda.memory_allocated()
    pipeline = recast(random_pipeline(Shape(), CUDA), torch.bfloat16)
    for _ in range(2):  # kernels are chosen, graphs recorded
        tokens_of(pipeline, [0])
    gc.collect()
    before = torch.cuda.memory_allocated()
    peak = peak_memory(lambda: [tokens_of(pipeline, [seed]) for seed in range(10)], CUDA)
    assert torch.cuda.memory_allocated() <= before + MIB
    assert peak - others / MIB < 2048


def test_sharded_training_learns_what_whole_weights_learn() -> None:
    sizes = Sizes(2, 4, (1, 2, 3, 4))
    with one_process(CUDA):
        losses = [
            [float(step()) for _ in range(4)]
            for step in (
                OurStep(sizes, CUDA, torch.float32, "", is_sharded=is_sharded)
                for is_sharded in (False, True)
            )
        ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
