"""Block-causal attention for training: all kernels against the dense mask and the plain formula."""

import pytest
import torch
from torch import Tensor
from torch.nn.attention.flex_attention import create_mask

from tests.conftest import SIDES, make_transformer
from training.transformer.objective import TransformerObjective
from training.transformer.settings import TransformerSettings
from var_core.condition import Condition
from var_core.scales import ScaleSchedule
from var_core.transformer import block_causal
from var_core.transformer.attention_kernels import (
    ENVIRONMENT_VARIABLE,
    attention,
    block_causal_mask,
)
from var_core.transformer.block_causal import (
    BlockCausal,
    call_sizes,
    lay_rows,
    row_lengths,
    select_block_causal,
    visible_tiles,
)

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
SCHEDULE = ScaleSchedule((1, 2, 3, 8, 9))  # by prefixes: 78 tokens together, then 81
ON_CPU = ("prefix", "math", "sdpa")
TOLERANCE = 1e-4  # of a largest gradient of about 1


def operands(
    device: torch.device = CPU, schedule: ScaleSchedule = SCHEDULE, width: int = 16
) -> list[Tensor]:
    """Queries, keys, values as the blocks make them: views of one tensor, (B, h, L, d)."""
    generator = torch.Generator().manual_seed(0)
    qkv = torch.randn(2, schedule.num_tokens, 3, 4, width, generator=generator)
    return list(qkv.to(device).requires_grad_().permute(2, 0, 3, 1, 4).unbind(0))


def with_gradients(run: object, parts: list[Tensor]) -> list[Tensor]:
    """The output, and the gradients of the operands for a random one of the output."""
    out = run(*parts, 0.3)
    push = torch.randn(out.shape, generator=torch.Generator().manual_seed(1)).to(out.device)
    return [out, *torch.autograd.grad(out, parts, push)]


def dense(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
    mask = block_causal_mask(SCHEDULE).to(q.device)
    return attention(q, k, v, scale, mask, "math")


def assert_close(found: list[Tensor], expected: list[Tensor]) -> None:
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("backend", ON_CPU)
def test_every_kernel_gives_the_output_and_gradients_of_the_dense_mask(backend: str) -> None:
    found = with_gradients(BlockCausal(SCHEDULE, CPU, backend), operands())
    assert_close(found, with_gradients(dense, operands()))


def test_in_bf16_prefixes_are_as_near_as_the_dense_mask_is() -> None:
    """There another kernel does each prefix."""
    exact = with_gradients(dense, operands())
    rough = [x.bfloat16() for x in operands()]
    found = with_gradients(BlockCausal(SCHEDULE, CPU, "prefix"), rough)
    errors = [
        [(one - other).abs().max().item() for one, other in zip(parts, exact, strict=True)]
        for parts in (found, with_gradients(dense, rough))
    ]
    for error, usual in zip(*errors, strict=True):
        assert error <= 1.5 * usual


@pytest.mark.parametrize(
    ("sides", "calls"),
    [
        ((1, 2, 3, 4), [30]),
        ((1, 2, 3, 4, 5, 6, 8), [91, 64]),
        ((1, 2, 3, 4, 5, 6, 8, 10, 13, 16), [91, 64, 100, 169, 256]),
        ((12, 16), [144, 256]),
    ],
)
def test_coarse_scales_share_a_call_and_fine_ones_have_their_own(
    sides: tuple[int, ...], calls: list[int]
) -> None:
    assert call_sizes([side * side for side in sides]) == calls


@pytest.mark.gpu
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("backend", [*ON_CPU, "flex", "xformers"])
def test_every_kernel_on_cuda_gives_the_gradients_of_the_dense_mask(
    backend: str, compiled: bool
) -> None:
    if backend == "xformers":
        pytest.importorskip("xformers.ops")
    run = BlockCausal(SCHEDULE, CUDA, backend)
    found = with_gradients(torch.compile(run.__call__) if compiled else run, operands(CUDA))
    assert_close(found, with_gradients(dense, operands(CUDA)))


def test_rows_laid_for_one_call_hold_what_each_scale_sees() -> None:
    """What xformers is given, computed block by block as its mask says."""

    def by_blocks(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
        sizes = [side * side for side in SCHEDULE.sides]
        queries, keys = row_lengths(sizes, len(q))
        rows = [row.squeeze(0).transpose(0, 1) for row in lay_rows(q, k, v, sizes)]  # (h, N, d)
        blocks = zip(
            *(x.split(n, 1) for x, n in zip(rows, (queries, keys, keys), strict=True)), strict=True
        )
        out = torch.cat([attention(*block, scale, None, "math") for block in blocks], dim=1)
        return out.unflatten(1, (len(q), -1)).transpose(0, 1)

    assert_close(with_gradients(by_blocks, operands()), with_gradients(dense, operands()))


@pytest.mark.slow
def test_the_mask_of_xformers_agrees_with_the_rows() -> None:
    pytest.importorskip("xformers.ops")
    sizes = tuple(side * side for side in SCHEDULE.sides)
    q, k, v = lay_rows(*operands(), sizes)
    bias = block_causal._block_diagonal(sizes, 2, CPU).materialize((q.shape[1], k.shape[1]))
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    out = attention(q, k, v, 0.3, bias == 0, "math")  # (1, h, B L, d)
    out = out.squeeze(0).unflatten(1, (2, -1)).transpose(0, 1)
    torch.testing.assert_close(out, dense(*operands(), 0.3), atol=TOLERANCE, rtol=0)


def test_flex_attention_is_told_the_same_mask_and_skips_unseen_tiles() -> None:
    schedule = ScaleSchedule((8, 16))  # 64 and 256 tokens
    tiles = visible_tiles(schedule, CPU)
    length = schedule.num_tokens
    assert torch.equal(
        create_mask(tiles.mask_mod, 1, 1, length, length, "cpu")[0, 0], block_causal_mask(schedule)
    )
    assert tiles.to_dense()[0, 0].tolist() == [[1, 1, 1]] * 3
    coarse_first = ScaleSchedule((16, 16))
    assert visible_tiles(coarse_first, CPU).to_dense()[0, 0, 0].tolist() == [1, 1, 0, 0]


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_flex_attention_draws_the_tiles_into_the_same_output(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On the CPU it has no gradient, and uncompiled it scores all pairs under the mask."""
    monkeypatch.setattr(block_causal, "CUDA_ONLY", ())
    monkeypatch.setattr(
        block_causal, "_compiled_flex_attention", lambda: block_causal.flex_attention
    )
    run = BlockCausal(SCHEDULE, CPU, "flex")
    q, k, v = (x.detach() for x in operands())
    torch.testing.assert_close(run(q, k, v, 0.3), dense(q, k, v, 0.3), atol=TOLERANCE, rtol=0)


def step(backend: str, compiler: str = "") -> dict[str, Tensor]:
    """Loss and all gradients of a training step of the tiny transformer, as the trainer does it."""
    transformer = make_transformer().requires_grad_(True).train()
    config = TransformerSettings(data="", tokenizer="", out="", attention=backend)
    objective = TransformerObjective(transformer, config)
    if compiler:
        objective.compile(backend=compiler, fullgraph=True)
    generator = torch.Generator().manual_seed(2)
    schedule = transformer.schedule
    inputs = torch.randn(2, schedule.num_tokens - 1, 8, generator=generator)
    tokens = torch.randint(32, (2, schedule.num_tokens), generator=generator)
    condition = Condition.of_labels(torch.tensor([[0, 1, 0], [2, 4, 3]]))
    loss, _ = objective(inputs, condition, tokens, None)
    loss.backward()
    named = transformer.named_parameters()
    return {"loss": loss.detach()} | {k: p.grad for k, p in named if p.grad is not None}


def assert_same_step(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys() and len(found) > 20
    for name, value in expected.items():
        largest = float(value.abs().max())
        torch.testing.assert_close(
            found[name], value, atol=TOLERANCE * largest + 1e-6, rtol=0, msg=name
        )


@pytest.mark.parametrize(
    "backend", ["auto", *(pytest.param(name, marks=pytest.mark.slow) for name in ON_CPU)]
)
def test_a_compiled_step_has_the_gradients_of_the_dense_one_and_no_graph_break(
    backend: str,
) -> None:
    found = step(backend, "aot_eager")
    assert_same_step(found, step("math"))


@pytest.mark.slow
@pytest.mark.parametrize("backend", ON_CPU)
def test_a_step_compiled_to_kernels_has_the_gradients_of_the_dense_one(backend: str) -> None:
    assert_same_step(step(backend, "inductor"), step("math"))


@pytest.mark.parametrize("backend", ON_CPU)
@pytest.mark.parametrize("num_scales", [1, 3, 4])
def test_the_first_scales_alone_have_the_states_they_have_among_all(
    backend: str, num_scales: int
) -> None:
    """So the teacher-forced twin of drawing may use any kernel."""
    transformer = make_transformer()
    schedule = transformer.schedule
    inputs = torch.randn(2, schedule.num_tokens - 1, 8, generator=torch.Generator().manual_seed(3))
    condition = transformer.embed(Condition.of_labels(torch.tensor([[0, 1, 0], [2, 4, 3]])))
    everything = transformer.hidden_states(inputs, condition, block_causal_mask(schedule), "math")
    end = schedule.token_range(num_scales - 1).stop
    mask = BlockCausal(ScaleSchedule(SIDES[:num_scales]), CPU, backend)
    first = transformer.hidden_states(inputs[:, : end - 1], condition, mask)
    torch.testing.assert_close(first, everything[:, :end], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("num_scales", [1, 3, len(SIDES)])
def test_the_logits_of_the_first_scales_are_those_among_all(num_scales: int) -> None:
    transformer = make_transformer()
    schedule = transformer.schedule
    inputs = torch.randn(2, schedule.num_tokens - 1, 8, generator=torch.Generator().manual_seed(3))
    condition = Condition.of_labels(torch.tensor([[0, 1, 0], [2, 4, 3]]))
    everything = transformer(inputs, condition, "math")
    end = schedule.token_range(num_scales - 1).stop
    first = transformer.first_logits(inputs[:, : end - 1], condition, num_scales)
    torch.testing.assert_close(first, everything[:, :end], atol=1e-4, rtol=1e-4)


def test_a_kernel_can_be_forced_and_what_cannot_run_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert select_block_causal(CPU) == "prefix"
    assert select_block_causal(CPU, "sdpa") == "sdpa"
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "math")
    assert select_block_causal(CPU) == "math"
    assert select_block_causal(CPU, "prefix") == "prefix"
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "bmm")  # which is for drawing alone
    assert select_block_causal(CPU) == "prefix"
    for name in ("flex", "xformers", "fast", "bmm"):
        with pytest.raises(ValueError, match=name):
            select_block_causal(CPU, name)
    with pytest.raises(ValueError, match="159 tokens, 4 were given"):
        BlockCausal(SCHEDULE, CPU)(*(x[:, :, :4] for x in operands()), 0.3)
