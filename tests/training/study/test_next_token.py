"""Next-token prediction with the network of VAR: nothing later is seen, and the cache is exact."""

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from tests.prompted_models import SLOTS, STYLES, TEXT_DIM, prompted
from training.study import scaling
from training.study.captions import END, LENGTH, NO_TOKEN, to_text, to_tokens
from training.study.line_drawing import draw_lines
from training.study.next_token_run import teacher_lines
from training.study.sizes import Size
from var_core.condition import join_conditions
from var_core.sampling import SamplingOptions, generators_from_seeds
from var_core.transformer import VARTransformer, init_weights

PLACES, VOCAB = 9, 12
CODES = torch.randn(VOCAB, 5, generator=torch.Generator().manual_seed(3))
ASKED = join_conditions((prompted(1, 2, style=0), prompted(4), prompted()))


def make_network() -> VARTransformer:
    network = VARTransformer(
        sides=[1] * PLACES,
        vocab_size=VOCAB,
        code_dim=CODES.shape[1],
        label_counts=[STYLES],
        depth=2,
        width=16,
        num_heads=2,
        shared_modulation=True,
        text_dim=TEXT_DIM,
        max_phrases=SLOTS,
    )
    init_weights(network, torch.Generator().manual_seed(1), 8.0, 2.0, 2.0)
    return network.eval().requires_grad_(False)


NETWORK = make_network()
TOKENS = torch.randint(VOCAB, (3, PLACES), generator=torch.Generator().manual_seed(5))


def entropy(tokens: torch.Tensor) -> torch.Tensor:
    """Of every place, as in training: all at once."""
    inputs, targets = teacher_lines(tokens, CODES)
    hidden = NETWORK.hidden_states(inputs, NETWORK.embed(ASKED), NETWORK.block_causal())
    return F.cross_entropy(NETWORK.logits(hidden).transpose(1, 2), targets, reduction="none")


def slow_entropy(tokens: torch.Tensor) -> torch.Tensor:
    """Place by place, each in a pass of its own that is given nothing but the tokens before."""
    embedded, found = NETWORK.embed(ASKED), []
    for place in range(PLACES):
        seen = SLOTS + place + 1
        mask = torch.ones(seen, seen, dtype=torch.bool).tril()
        mask[: SLOTS + 1, : SLOTS + 1] = True  # phrases and the first place see each other
        hidden = NETWORK.hidden_states(CODES[tokens[:, :place]], embedded, mask, "math")
        scores = NETWORK.logits(hidden)[:, -1].log_softmax(dim=1)
        found.append(-scores.gather(1, tokens[:, [place]]))
    return torch.cat(found, dim=1)


def test_the_likelihood_is_that_of_a_slow_twin() -> None:
    torch.testing.assert_close(entropy(TOKENS), slow_entropy(TOKENS), atol=1e-4, rtol=1e-4)


def test_a_later_token_changes_nothing_before_it() -> None:
    changed = TOKENS.clone()
    changed[:, 5] = (changed[:, 5] + 1) % VOCAB
    before, after = entropy(TOKENS), entropy(changed)
    torch.testing.assert_close(before[:, :5], after[:, :5])
    assert not torch.allclose(before[:, 6:], after[:, 6:])


@pytest.mark.parametrize("guidance", [0.0, 1.5])
def test_drawing_with_a_cache_draws_what_passes_without_one_draw(guidance: float) -> None:
    options = SamplingOptions(guidance_scale=guidance, top_k=1, top_p=0.0)
    drawn = draw_lines(NETWORK, CODES, ASKED, options, generators_from_seeds(range(3)))
    asked = NETWORK.embed(ASKED), NETWORK.embed(NETWORK.null_condition(3))
    for place in range(PLACES):
        mask = torch.ones(SLOTS + place + 1, SLOTS + place + 1, dtype=torch.bool).tril()
        mask[: SLOTS + 1, : SLOTS + 1] = True
        inputs = CODES[drawn[:, :place]]
        known, free = (
            NETWORK.logits(NETWORK.hidden_states(inputs, one, mask))[:, -1] for one in asked
        )
        best = (known + guidance * (known - free)).argmax(dim=1)
        assert torch.equal(best, drawn[:, place])


def test_captions_are_bytes_up_to_an_end_mark() -> None:
    long = "a fox in the snow, " * 9
    tokens = to_tokens(["an owl", "une étoile", long])
    assert tokens.shape == (3, LENGTH) and tokens[0, 6] == END and (tokens[0, 7:] == NO_TOKEN).all()
    assert [to_text(line) for line in tokens.tolist()[:2]] == ["an owl", "une étoile"]
    assert to_text(tokens[2].tolist()) == long[:LENGTH]


def test_a_language_model_of_the_same_size_is_a_point_too(
    arguments: list[str], tmp_path: Path
) -> None:
    sizes = ["--depths", "2", "--width-per-depth", "8", "--seeds", "1"]
    assert scaling.main([*arguments, *sizes]) == 0
    found = json.loads((tmp_path / "study" / "points.json").read_text())["points"]
    pictures, captions = found["pictures-d02-s0"], found["captions-d02-s0"]
    assert pictures["parameters"] == captions["parameters"] == Size(2, 8).num_parameters
    assert pictures["pictures"] == captions["pictures"] == 64
    assert 0 < captions["loss_all"] < 6 and "loss_last" not in captions
