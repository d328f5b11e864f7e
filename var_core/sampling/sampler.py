"""The next-scale loop, as a generator."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from var_core.condition import Condition, join_conditions
from var_core.own_settings import in_own_settings
from var_core.sampling.logits import (
    apply_guidance,
    draw_tokens,
    filter_logits,
    soft_code_weights,
)
from var_core.sampling.options import SamplingOptions
from var_core.tokenizer import MultiScaleQuantizer
from var_core.transformer import VARTransformer


@dataclass(frozen=True)
class ScaleStep:
    """The state after one scale.

    Attributes:
        scale_index: the scale just drawn.
        token_map: its tokens, (B, h, w), or (B, t, h, w) of a clip's scales, int64. Where codes
            were mixed (smooth mode, soft rules) these are the nearest codes and the latent is the
            truth.
        latent: sum of all scales so far, (B, D, H, W), or (B, D, T, H, W) of clips, float32.
        logits: guided, before the filters, (B, N, V); None where the scale was forced.
    """

    scale_index: int
    token_map: Tensor
    latent: Tensor
    logits: Tensor | None = None


class ScaleRule(Protocol):
    """Replaces what was drawn, in part or wholly, before it joins the latent.

    Attributes:
        forced_scales: scales whose codes the rule makes alone. They still run the blocks, which
            fill the cache, but neither the head nor the generators.
    """

    forced_scales: frozenset[int]

    def __call__(self, scale_index: int, codes: Tensor | None, latent: Tensor) -> Tensor | None:
        """Codes to use at one scale.

        Args:
            scale_index: the scale.
            codes: what was drawn, (B, D, h, w); None where the scale is forced.
            latent: sum of the coarser scales, (B, D, H, W).

        Returns:
            Codes (B, D, h, w); None keeps what was drawn, where something was.
        """
        ...


class Drawn(NamedTuple):
    """What was drawn at one scale, before any rule.

    Attributes:
        tokens: (B, h, w) int64; where codes were mixed, the nearest ones.
        codes: (B, D, h, w).
        logits: guided, before the filters, (B, N, V).
        is_finite: whether all of these are, a bool on the device.
    """

    tokens: Tensor
    codes: Tensor
    logits: Tensor
    is_finite: Tensor


class Drawing:
    """What stays the same from scale to scale of one drawing.

    Args:
        transformer: predicts tokens.
        quantizer: quantizer of the tokenizer.
        condition: what the B pictures are to show.
        options: how tokens are drawn.
        generators: one per picture.
        backend: attention kernel.
        against: what the pictures are not to show, B rows or one; None asks for nothing.

    Attributes:
        guided: rows of the condition that have a second branch, which comes after all rows.
        embedded: condition of both branches.
        cache: keys and values of both branches.
    """

    def __init__(
        self,
        transformer: VARTransformer,
        quantizer: MultiScaleQuantizer,
        condition: Condition,
        options: SamplingOptions,
        generators: Sequence[torch.Generator],
        backend: str,
        against: Condition | None = None,
    ) -> None:
        self.transformer, self.quantizer = transformer, quantizer
        self.options, self.generators, self.backend = options, generators, backend
        self.num_images = len(condition)
        against = transformer.null_condition() if against is None else against
        if len(against) != len(condition):
            against = against.expand(len(condition))
        self.guided = torch.arange(0, device=condition.device)
        if options.guidance_scale > 0:  # what equals its other branch needs none
            self.guided = (~condition.is_same(against)).nonzero().squeeze(1)
        branches = join_conditions((condition, against.rows(self.guided)))
        self.embedded = transformer.embed(branches)
        self.cache = transformer.new_cache(len(branches))

    def run_blocks(self, scale_index: int, latent: Tensor) -> Tensor:
        """States of both branches before the head; fills the cache.

        Args:
            scale_index: the scale; all coarser ones must have been run.
            latent: sum of the coarser scales, (B, D, H, W).
        """
        inputs = self.quantizer.next_input(latent, scale_index)  # (B, N, D)
        inputs = torch.cat((inputs, inputs[self.guided]))
        parts = inputs, self.embedded, scale_index, self.cache, self.backend
        return self.transformer.predict_scale(*parts)

    def draw_scale(self, scale_index: int, latent: Tensor) -> Drawn:
        """Run the blocks and the head, and draw; arguments as of `run_blocks`."""
        schedule, options, generators = self.quantizer.schedule, self.options, self.generators
        shape, progress = schedule.shapes[scale_index], schedule.progress(scale_index)
        hidden = self.run_blocks(scale_index, latent)
        hidden, unconditional = hidden.tensor_split([self.num_images])
        if len(self.guided):  # the head is linear: its outputs mix as its inputs do
            mixed = apply_guidance(
                hidden[self.guided], unconditional, progress * options.guidance_scale
            )
            hidden = hidden.index_copy(0, self.guided, mixed)
        logits = self.transformer.logits(hidden)
        kept = filter_logits(logits, options)  # (B, N, V)
        if options.smooth:
            weights = soft_code_weights(kept, progress, generators)
            codes = weights @ self.quantizer.code_vectors()  # (B, N, D)
            codes = codes.transpose(1, 2).unflatten(2, shape)
            tokens = self.quantizer.nearest_tokens(codes)
        else:
            tokens = draw_tokens(kept, generators).unflatten(1, shape)
            codes = self.quantizer.embed(tokens)
        return Drawn(tokens, codes, logits, torch.isfinite(logits.sum()))


class Recorder(Protocol):
    """Draws scales as `Drawing.draw_scale` does, by replaying what an earlier drawing did."""

    def follow(self, drawing: Drawing) -> Callable[[int, Tensor], Drawn]:
        """What to call instead of `drawing.draw_scale`, scale by scale, coarse to fine."""
        ...


@torch.inference_mode()
@in_own_settings
def sample_scales(
    transformer: VARTransformer,
    quantizer: MultiScaleQuantizer,
    condition: Condition,
    options: SamplingOptions,
    generators: Sequence[torch.Generator],
    rule: ScaleRule | None = None,
    backend: str = "auto",
    recorder: Recorder | None = None,
    against: Condition | None = None,
) -> Iterator[ScaleStep]:
    """Predict one picture per row of a condition, yielding after each scale, coarse to fine.

    Args:
        transformer: predicts tokens.
        quantizer: quantizer of the tokenizer; turns tokens into latents.
        condition: what each picture is to show, null labels included.
        options: how tokens are drawn.
        generators: one per picture.
        rule: replaces codes; None keeps what was drawn.
        backend: attention kernel.
        recorder: replays drawings; None computes each anew.
        against: what guidance pushes away from, one row for each picture or for all; None is the
            null condition.

    Yields:
        One step per scale (arXiv 2404.02905, Alg. 2 run by predicted tokens).

    Raises:
        ValueError: if there are not as many generators as rows of the condition.
        FloatingPointError: if the network returns logits that are not finite.
    """
    count, device = len(condition), condition.device
    if len(generators) != count:
        raise ValueError(f"{count} pictures need as many generators, got {len(generators)}")
    drawing = Drawing(transformer, quantizer, condition, options, generators, backend, against)
    draw_scale = drawing.draw_scale if recorder is None else recorder.follow(drawing)
    all_finite = torch.ones((), dtype=torch.bool, device=device)
    latent = quantizer.empty_latent(count)  # (B, D, H, W)
    for scale_index in range(quantizer.schedule.num_scales):
        drawn = None
        if rule is not None and scale_index in rule.forced_scales:
            drawing.run_blocks(scale_index, latent)
        else:
            drawn = draw_scale(scale_index, latent)
            all_finite = all_finite & drawn.is_finite
        codes = None
        if rule is not None:
            codes = rule(scale_index, None if drawn is None else drawn.codes, latent)
        if codes is not None:
            tokens = quantizer.nearest_tokens(codes)
        else:
            assert drawn is not None, "a rule has made no codes of a scale that it forces"
            tokens, codes = drawn.tokens, drawn.codes
        latent = quantizer.add_scale(latent, codes, scale_index)
        is_last = scale_index == quantizer.schedule.num_scales - 1
        if (is_last or device.type == "cpu") and not all_finite:  # a GPU would be waited for
            raise FloatingPointError(f"logits are not finite at scale {scale_index} or before")
        logits = None if drawn is None else drawn.logits
        yield ScaleStep(scale_index, tokens, latent, logits)
