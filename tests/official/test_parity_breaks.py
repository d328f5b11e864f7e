"""The parity figures notice every break: each promise of test_parity can fail."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.official import test_parity
from tests.official.parity_models import CASES, ParityCase, load_case
from var_core.sampling import logits as logits_module
from var_core.scales import ScaleSchedule
from var_core.tokenizer import residual_pyramid
from var_core.transformer import VARTransformer, blocks


def holds(case: ParityCase) -> bool:
    """Whether all figures of a case are met."""
    checks: list[Callable[[], None]] = [
        lambda: test_parity.test_encoder_latent(case),
        lambda: test_parity.test_encoder_tokens(case),
        lambda: test_parity.test_reconstruction(case),
        lambda: test_parity.test_teacher_forcing(case),
        lambda: test_parity.test_sampled_tokens_and_picture(case, 0),
        lambda: test_parity.test_sampled_tokens_and_picture(case, 1),
    ]
    try:
        for check in checks:
            check()
    except AssertionError:
        return False
    return True


def break_guidance_ramp(case: ParityCase, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ScaleSchedule, "progress", lambda self, i: (i + 1) / self.num_scales)


def break_refine_choice(case: ParityCase, patch: pytest.MonkeyPatch) -> None:
    quantizer = case.tokenizer.quantizer
    choice = list(quantizer.refine_of_scale)
    choice[2] = choice[2] - 1
    patch.setattr(quantizer, "refine_of_scale", tuple(choice))


def break_upsampling(case: ParityCase, patch: pytest.MonkeyPatch) -> None:
    original = F.interpolate

    def bilinear(
        maps: Tensor, size: object = None, mode: str = "nearest", **rest: object
    ) -> Tensor:
        return original(maps, size=size, mode="bilinear" if mode == "bicubic" else mode, **rest)

    patch.setattr(residual_pyramid.F, "interpolate", bilinear)


def break_null_label(case: ParityCase, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        VARTransformer, "null_labels", property(lambda self: (self.config.label_counts[0] - 1,))
    )


def break_top_p(case: ParityCase, patch: pytest.MonkeyPatch) -> None:
    def exclusive(ordered: Tensor, top_p: float) -> Tensor:
        inside = ordered.softmax(dim=-1).cumsum(dim=-1) <= top_p
        last = inside.sum(dim=-1, keepdim=True) - 1
        return ordered.gather(-1, last.clamp(min=0))

    patch.setattr(logits_module, "nucleus_end", exclusive)


def break_softmax_scale(case: ParityCase, patch: pytest.MonkeyPatch) -> None:
    original = blocks.attention

    def scaled(q: Tensor, k: Tensor, v: Tensor, scale: float, *rest: object) -> Tensor:
        return original(q, k, v, scale * 1.05, *rest)

    patch.setattr(blocks, "attention", scaled)


BREAKS = (
    break_guidance_ramp,
    break_refine_choice,
    break_upsampling,
    break_null_label,
    break_top_p,
    break_softmax_scale,
)


@pytest.mark.parametrize("break_it", BREAKS, ids=lambda function: function.__name__)
def test_a_break_is_noticed_by_at_least_one_case(
    break_it: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [load_case(name) for name in CASES]
    with torch.inference_mode():
        noticed = []
        for case in cases:
            with monkeypatch.context() as patch:
                break_it(case, patch)
                noticed.append(not holds(case))
    assert any(noticed)


def test_unbroken_figures_hold() -> None:
    assert all(holds(load_case(name)) for name in CASES)
