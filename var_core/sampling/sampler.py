"""The next-scale loop, as a generator."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from var_core.sampling.logits import (
    SamplingOptions,
    apply_guidance,
    draw_tokens,
    filter_logits,
    soft_code_weights,
)
from var_core.tokenizer import MultiScaleQuantizer
from var_core.transformer import VARTransformer


@dataclass(frozen=True)
class ScaleStep:
    """The state after one scale.

    Attributes:
        scale_index: the scale just drawn.
        token_map: its tokens, (B, S, S) int64. Where codes were mixed (smooth mode, soft rules)
            these are the nearest codes and the latent is the truth.
        latent: sum of all scales so far, (B, D, H, W) float32.
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
            codes: what was drawn, (B, D, S, S); None where the scale is forced.
            latent: sum of the coarser scales, (B, D, H, W).

        Returns:
            Codes (B, D, S, S); None keeps what was drawn, where something was.
        """


@torch.inference_mode()
def sample_scales(
    transformer: VARTransformer,
    quantizer: MultiScaleQuantizer,
    labels: Tensor,
    options: SamplingOptions,
    generators: Sequence[torch.Generator],
    rule: ScaleRule | None = None,
    backend: str = "auto",
) -> Iterator[ScaleStep]:
    """Predict one picture per row of labels, yielding after each scale, coarse to fine.

    Args:
        transformer: predicts tokens.
        quantizer: of the tokenizer; turns tokens into latents.
        labels: (B, A) int64, null labels included.
        options: how tokens are drawn.
        generators: one per picture.
        rule: replaces codes; None keeps what was drawn.
        backend: attention kernel.

    Yields:
        One step per scale (arXiv 2404.02905, Alg. 2 run by predicted tokens).

    Raises:
        ValueError: if there are not as many generators as rows of labels.
        FloatingPointError: if the network returns logits that are not finite.
    """
    num_images = len(labels)
    if len(generators) != num_images:
        raise ValueError(f"{num_images} pictures need as many generators, got {len(generators)}")
    schedule = quantizer.schedule
    null = torch.tensor(transformer.null_labels, device=labels.device)
    guided = labels[:0, 0]  # rows; an all-null label is its own unconditional branch
    if options.guidance_scale > 0:
        guided = (labels != null).any(dim=1).nonzero().squeeze(1)
    num_guided = len(guided)
    conditions = transformer.conditions(torch.cat((labels, null.expand(num_guided, -1))))
    cache = transformer.new_cache(num_images + num_guided)
    all_finite = torch.ones((), dtype=torch.bool, device=labels.device)
    latent = quantizer.empty_latent(num_images)  # (B, D, H, W)
    for scale_index, side in enumerate(schedule.sides):
        inputs = quantizer.next_input(latent, scale_index)  # (B, N, D)
        inputs = torch.cat((inputs, inputs[guided]))
        hidden = transformer.predict_scale(inputs, conditions, scale_index, cache, backend)
        tokens = codes = logits = None
        if rule is None or scale_index not in rule.forced_scales:
            hidden, unconditional = hidden.tensor_split([num_images])
            if num_guided:  # the head is linear: its outputs mix as its inputs do
                weight = schedule.progress(scale_index) * options.guidance_scale
                hidden[guided] = apply_guidance(hidden[guided], unconditional, weight)
            logits = transformer.logits(hidden)
            all_finite = all_finite & torch.isfinite(logits.sum())
            kept = filter_logits(logits, options)  # (B, N, V)
            if options.smooth:
                weights = soft_code_weights(kept, schedule.progress(scale_index), generators)
                codes = weights @ quantizer.code_vectors()  # (B, N, D)
                codes = codes.transpose(1, 2).unflatten(2, (side, side))
                tokens = quantizer.nearest_tokens(codes)
            else:
                tokens = draw_tokens(kept, generators).unflatten(1, (side, side))  # (B, S, S)
                codes = quantizer.embed(tokens)
        replaced = None if rule is None else rule(scale_index, codes, latent)
        if replaced is not None:
            codes = replaced
            tokens = quantizer.nearest_tokens(codes)
        latent = quantizer.add_scale(latent, codes, scale_index)
        is_last = scale_index == schedule.num_scales - 1
        if (is_last or labels.device.type == "cpu") and not all_finite:  # a GPU would be waited for
            raise FloatingPointError(f"logits are not finite at scale {scale_index} or before")
        yield ScaleStep(scale_index, tokens, latent, logits)
