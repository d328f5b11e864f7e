"""What the model thinks of token maps: how likely each token is, and where each scale looks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from var_core.condition import Condition
from var_core.own_settings import in_own_settings
from var_core.ranges import check_int
from var_core.sampling.code_rules import check_token_maps
from var_core.tokenizer import MultiScaleQuantizer
from var_core.transformer import MeasuredAttention, VARTransformer

NUM_ALTERNATIVES = 5
MAX_ALTERNATIVES = 64


@dataclass(frozen=True)
class ScaleInspection:
    """What the model expected at one scale, and what stands there.

    Attributes:
        token_map: the tokens, (B, h, w) int64.
        probability: probability of each of them, (B, h, w) float32.
        entropy: how open the choice was, in bits: 0 for a single possible code, log2 V where all
            are alike; (B, h, w) float32.
        alternatives: the likeliest other codes, falling, (B, h, w, A) int64.
        alternative_probability: their probabilities, (B, h, w, A) float32.
    """

    token_map: Tensor
    probability: Tensor
    entropy: Tensor
    alternatives: Tensor
    alternative_probability: Tensor


@dataclass(frozen=True)
class Inspection:
    """What the model expected at every scale.

    Attributes:
        scales: one entry for each scale, coarse to fine.
        attention: share of each scale's attention that goes to each phrase and each scale, mean of
            tokens, heads and layers, (B, K, P + K) float32. A row sums to 1. The P slots for
            phrases come first; those without a phrase hold the learned null token. The first scale
            stands for the start, which holds the labels; another scale for its places, which hold
            what was drawn before it.
    """

    scales: tuple[ScaleInspection, ...]
    attention: Tensor


@torch.inference_mode()
@in_own_settings
def inspect_tokens(
    transformer: VARTransformer,
    quantizer: MultiScaleQuantizer,
    token_maps: Sequence[Tensor],
    condition: Condition,
    num_alternatives: int = NUM_ALTERNATIVES,
) -> Inspection:
    """Run the transformer over given tokens once, each scale seeing the coarser ones.

    Measured is the plain distribution of the network under the condition: softmax of the logits,
    without guidance, temperature, top-k and top-p. It is what an unguided drawing of the same
    tokens sees before its filters.

    Args:
        transformer: predicts tokens.
        quantizer: quantizer of the tokenizer.
        token_maps: tokens of the first scales or of all, (B, h, w) int64 each.
        condition: what the B pictures show.
        num_alternatives: number of other codes for each token (A), 1 to 64.

    Raises:
        ValueError: if the tokens or the number do not fit the networks.
    """
    token_maps = check_token_maps(quantizer, token_maps)
    if len(token_maps[0]) != len(condition):
        raise ValueError(
            f"there are tokens of {len(token_maps[0])} pictures for {len(condition)} conditions"
        )
    most = min(MAX_ALTERNATIVES, quantizer.vocab_size - 1)
    check_int("num_alternatives", num_alternatives, 1, most)
    schedule = quantizer.schedule.first(len(token_maps))
    attention = MeasuredAttention(schedule, condition.device, transformer.num_prefix)
    inputs = quantizer.teacher_inputs(token_maps)
    hidden = transformer.hidden_states(inputs, transformer.embed(condition), attention)
    scales = []
    for scale_index, token_map in enumerate(token_maps):
        logits = transformer.logits(hidden[:, schedule.token_range(scale_index)])  # (B, N, V)
        scales.append(_inspect_scale(logits, token_map, num_alternatives))
    return Inspection(tuple(scales), attention.shares())


def _inspect_scale(logits: Tensor, token_map: Tensor, num_alternatives: int) -> ScaleInspection:
    """What is known of one scale from its logits (B, N, V)."""
    shape = token_map.shape[1:]
    log_likely = logits.log_softmax(dim=-1)
    likely = log_likely.exp()
    tokens = token_map.flatten(1).unsqueeze(2)  # (B, N, 1)
    entropy = torch.special.entr(likely).sum(dim=-1) / math.log(2)
    others = likely.scatter(2, tokens, -1.0).topk(num_alternatives, dim=-1)
    return ScaleInspection(
        token_map,
        likely.gather(2, tokens).squeeze(2).unflatten(1, shape),
        entropy.unflatten(1, shape),
        others.indices.unflatten(1, shape),
        others.values.unflatten(1, shape),
    )


def exchange_token(
    token_maps: Sequence[Tensor], scale_index: int, row: int, column: int, tokens: Sequence[int]
) -> list[Tensor]:
    """Token maps of one picture as many, each with another code in one place.

    Args:
        token_maps: tokens of the scales, (1, h, w) int64 each.
        scale_index: the scale of the place.
        row: place from the top.
        column: place from the left.
        tokens: codes to put there, one for each result.

    Returns:
        As many tensors (len(tokens), h, w); those given stay as they are.
    """
    made = [tokens_of_scale.expand(len(tokens), -1, -1) for tokens_of_scale in token_maps]
    changed = made[scale_index].clone()
    changed[:, row, column] = torch.tensor(tokens, device=changed.device)
    made[scale_index] = changed
    return made


@torch.inference_mode()
@in_own_settings
def exchanged_latents(
    quantizer: MultiScaleQuantizer,
    token_maps: Sequence[Tensor],
    scale_index: int,
    row: int,
    column: int,
    tokens: Sequence[int],
) -> Tensor:
    """Latents of a picture with other codes in one place, as `exchange_token`: (N, D, H, W)."""
    exchanged = exchange_token(token_maps, scale_index, row, column, tokens)
    return quantizer.sum_scales(exchanged)[-1]
