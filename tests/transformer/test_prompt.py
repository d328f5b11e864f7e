"""Phrases at the front of the sequence: they are seen by all scales, and have no order."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.conftest import SIDES
from tests.prompted_models import SLOTS, STYLES, TEXT_DIM, make_text_transformer, prompted
from training.transformer.objective import TransformerObjective
from training.transformer.settings import TransformerSettings
from var_core import VARTransformer
from var_core.checkpoints import CheckpointError, load_transformer
from var_core.condition import Condition, join_conditions
from var_core.scales import ScaleSchedule
from var_core.transformer.attention_kernels import block_causal_mask
from var_core.transformer.block_causal import BlockCausal, visible_tiles

TRANSFORMER = make_text_transformer()
LENGTH = TRANSFORMER.schedule.num_tokens
ROWS = join_conditions([prompted(1, 2, 3, style=0), prompted(4), prompted(), prompted(5, 6)])
ON_CPU = ("prefix", "math", "sdpa")


def teacher_inputs(count: int, length: int = LENGTH) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(1, LENGTH - 1, 8, generator=generator)[:, : length - 1].expand(count, -1, -1)


def logits_of(condition: Condition) -> Tensor:
    return TRANSFORMER(teacher_inputs(len(condition)), condition)


def test_the_order_of_phrases_does_not_matter() -> None:
    expected = logits_of(prompted(1, 2, 3))
    for order in ((2, 3, 1), (3, 2, 1)):
        torch.testing.assert_close(logits_of(prompted(*order)), expected, atol=1e-4, rtol=1e-4)
    assert (logits_of(prompted(1, 2)) - expected).abs().max() > 0.1
    assert (logits_of(prompted(1, 2, 4)) - expected).abs().max() > 0.1


def test_a_phrase_may_stand_in_any_slot() -> None:
    first = prompted(7)
    last = replace(first, phrases=first.phrases.roll(-1, 1), is_given=first.is_given.roll(-1, 1))
    assert last.is_given.tolist() == [[False, False, False, True]]
    torch.testing.assert_close(logits_of(last), logits_of(first), atol=1e-4, rtol=1e-4)


def test_what_lies_in_an_empty_slot_has_no_influence() -> None:
    condition = prompted(1, 2)
    noisy = condition.phrases.clone()
    noisy[:, 2:] = 5.0
    assert torch.equal(logits_of(replace(condition, phrases=noisy)), logits_of(condition))
    assert condition.is_same(replace(condition, phrases=noisy)).tolist() == [True]


def test_a_row_does_not_depend_on_how_many_phrases_the_others_have() -> None:
    together = logits_of(ROWS)
    for index in range(len(ROWS)):
        alone = logits_of(ROWS.rows(slice(index, index + 1)))
        torch.testing.assert_close(together[index : index + 1], alone, atol=1e-4, rtol=1e-4)


def test_the_null_condition_is_no_phrase_and_no_label() -> None:
    null = TRANSFORMER.null_condition(2)
    assert null.labels.tolist() == [[STYLES]] * 2 and not null.is_given.any()
    assert torch.equal(logits_of(null)[:1], logits_of(null)[1:])
    assert null.is_same(prompted().expand(2)).all()


def test_every_scale_sees_the_phrases() -> None:
    """Not only through the adaptive norm: the mean of these prompts is the same."""
    one = prompted(1, 2)
    other = replace(one, phrases=one.phrases.clone())
    other.phrases[0, 0], other.phrases[0, 1] = 0.0, one.phrases[0].sum(dim=0)
    change = (logits_of(one) - logits_of(other)).abs()
    for index in range(len(SIDES)):
        assert change[:, TRANSFORMER.schedule.token_range(index)].max() > 1e-3


@pytest.mark.parametrize("backend", ON_CPU)
@pytest.mark.parametrize("num_scales", [1, 3, 4])
def test_the_first_scales_alone_have_the_states_they_have_among_all(
    backend: str, num_scales: int
) -> None:
    embedded = TRANSFORMER.embed(ROWS)
    mask = block_causal_mask(TRANSFORMER.schedule, SLOTS)
    everything = TRANSFORMER.hidden_states(teacher_inputs(len(ROWS)), embedded, mask, "math")
    assert everything.shape == (len(ROWS), LENGTH, 32)
    end = TRANSFORMER.schedule.token_range(num_scales - 1).stop
    attention = TRANSFORMER.block_causal(num_scales, backend)
    first = TRANSFORMER.hidden_states(teacher_inputs(len(ROWS), end), embedded, attention)
    torch.testing.assert_close(first, everything[:, :end], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.bfloat16, 0.2)])
def test_scale_by_scale_from_the_cache_equals_the_teacher_forced_pass(
    dtype: torch.dtype, tolerance: float
) -> None:
    transformer = make_text_transformer().to(dtype)
    expected = logits_of(ROWS)
    embedded, cache = transformer.embed(ROWS), transformer.new_cache(len(ROWS))
    inputs = torch.nn.functional.pad(teacher_inputs(len(ROWS)), (0, 0, 1, 0))
    for index in range(len(SIDES)):
        tokens = transformer.schedule.token_range(index)
        hidden = transformer.predict_scale(inputs[:, tokens], embedded, index, cache)
        found = transformer.logits(hidden)
        torch.testing.assert_close(found, expected[:, tokens], atol=tolerance, rtol=tolerance)
    with pytest.raises(ValueError, match=f"the cache holds {SLOTS + LENGTH} tokens"):
        transformer.predict_scale(inputs[:, :4], embedded, 1, cache)


def test_the_phrases_belong_to_the_first_scale_of_the_mask() -> None:
    schedule = ScaleSchedule((1, 2))
    mask = block_causal_mask(schedule, 3).tolist()
    assert mask == [[True] * 4 + [False] * 4] * 4 + [[True] * 8] * 4
    wide = ScaleSchedule((8, 16))
    tiles = visible_tiles(wide, torch.device("cpu"), 64)  # 128 tokens, then 256
    assert tiles.to_dense()[0, 0].tolist() == [[1, 0, 0], [1, 1, 1], [1, 1, 1]]
    with pytest.raises(ValueError, match="8 tokens, 5 were given"):
        BlockCausal(schedule, torch.device("cpu"), num_prefix=3)(*torch.zeros(3, 1, 1, 5, 2), 1.0)


def step(backend: str, compiler: str = "") -> dict[str, Tensor]:
    """Loss and all gradients of a training step, as the trainer does it."""
    transformer = make_text_transformer().requires_grad_(True).train()
    config = TransformerSettings(data="", tokenizer="", out="", attention=backend)
    objective = TransformerObjective(transformer, config)
    if compiler:
        objective.compile(backend=compiler, fullgraph=True)
    tokens = torch.randint(32, (4, LENGTH), generator=torch.Generator().manual_seed(2))
    loss, _ = objective(teacher_inputs(4), ROWS, tokens, None)
    loss.backward()
    named = transformer.named_parameters()
    return {"loss": loss.detach()} | {k: p.grad for k, p in named if p.grad is not None}


@pytest.mark.parametrize(
    "backend",
    ["prefix", *(pytest.param(name, marks=pytest.mark.slow) for name in ("math", "sdpa"))],
)
def test_a_compiled_step_has_the_gradients_of_the_dense_one_and_no_graph_break(
    backend: str,
) -> None:
    found, expected = step(backend, "aot_eager"), step("math")
    assert found.keys() == expected.keys()
    for name in ("prompt.proj.weight", "prompt.null_token", "prompt.prefix_embed"):
        assert expected[name].abs().max() > 1e-4
    for name, value in expected.items():
        atol = 1e-4 * float(value.abs().max()) + 1e-6
        torch.testing.assert_close(found[name], value, atol=atol, rtol=0, msg=name)


@pytest.mark.parametrize("condition", [Condition.of_labels(torch.tensor([[0]])), prompted(1)])
def test_a_condition_of_another_model_is_refused(condition: Condition) -> None:
    network = TRANSFORMER if not condition.is_given.any() else make_plain()
    with pytest.raises(ValueError, match=r"this network takes \d phrases of width \d"):
        network.embed(condition)


def make_plain() -> VARTransformer:
    return VARTransformer(sides=SIDES, vocab_size=32, depth=1, width=32, num_heads=2)


def test_a_condition_checks_its_shapes() -> None:
    with pytest.raises(ValueError, match="got"):
        Condition(torch.zeros(1, 1), torch.zeros(1, 2, 3), torch.zeros(1, 3, dtype=torch.bool))
    with pytest.raises(ValueError, match="2 rows of labels, 1 of phrases"):
        Condition(torch.zeros(2, 1), torch.zeros(1, 2, 3), torch.zeros(1, 2, dtype=torch.bool))


def test_a_condition_is_divided_into_equal_parts() -> None:
    phrases = torch.arange(10.0).view(5, 2, 1)
    whole = Condition(torch.arange(5).view(5, 1), phrases, phrases[:, :, 0] > 3)
    parts = whole.chunk(3)
    assert [part.labels.flatten().tolist() for part in parts] == [[0, 1], [2, 3], [4]]
    assert join_conditions(parts).is_same(whole).all()


def test_a_model_with_text_needs_no_labels() -> None:
    transformer = make_text_transformer(())
    condition = replace(ROWS, labels=ROWS.labels[:, :0])
    assert transformer(teacher_inputs(4), condition).shape == (4, LENGTH, 32)
    assert transformer.null_condition(2).labels.shape == (2, 0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"text_dim": -1}, "text_dim must be a whole number from 0 to 4096"),
        ({"text_dim": 5000}, "text_dim"),
        ({"text_dim": 6, "max_phrases": 0}, "max_phrases must be a whole number from 1 to 64"),
        ({"label_counts": ()}, "label_counts must have 1 to 8 entries, got 0"),
    ],
)
def test_settings_that_do_not_do_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VARTransformer(sides=SIDES, depth=1, width=32, num_heads=2, **settings)


def test_a_saved_model_keeps_its_text_and_is_loaded_strictly(tmp_path: Path) -> None:
    TRANSFORMER.save_pretrained(tmp_path)
    loaded = load_transformer(tmp_path)
    assert (loaded.config["text_dim"], loaded.config["max_phrases"]) == (TEXT_DIM, SLOTS)
    inputs = teacher_inputs(len(ROWS))
    assert torch.equal(loaded(inputs, ROWS), TRANSFORMER(inputs, ROWS))
    weights = tmp_path / "diffusion_pytorch_model.safetensors"
    state = load_file(weights)
    del state["prompt.null_token"]
    save_file(state, weights)
    with pytest.raises(CheckpointError, match=r"prompt\.null_token is missing"):
        load_transformer(tmp_path)
