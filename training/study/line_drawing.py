"""Drawing lines token by token, with keys and values kept."""

from collections.abc import Sequence

import torch
from torch import Tensor

from var_core.condition import Condition, join_conditions
from var_core.sampling import SamplingOptions
from var_core.sampling.logits import apply_guidance, draw_tokens, filter_logits
from var_core.transformer import VARTransformer


@torch.inference_mode()
def draw_lines(
    network: VARTransformer,
    codes: Tensor,
    condition: Condition,
    options: SamplingOptions,
    generators: Sequence[torch.Generator],
) -> Tensor:
    """Draw a line for each row of a condition, (B, L) int64.

    Guidance has the same weight at every place: unlike scales, places have no order of fineness.

    Args:
        network: network of lines, see `NextTokenRun`.
        codes: code vector of each token, (V, D).
        condition: B rows.
        options: guidance, temperature and filters.
        generators: one for each row.
    """
    weight = options.guidance_scale
    asked = condition.to(network.device)
    if weight:
        asked = join_conditions((asked, network.null_condition(len(condition))))
    embedded, cache = network.embed(asked), network.new_cache(len(asked))
    inputs = codes.new_zeros(len(asked), 1, codes.shape[1])  # not used for the first place
    tokens = []
    for place in range(network.schedule.num_tokens):
        hidden = network.predict_scale(inputs, embedded, place, cache)
        if weight:  # the head is linear: its outputs mix as its inputs do
            hidden = apply_guidance(*hidden.chunk(2), weight)
        logits = filter_logits(network.logits(hidden), options)
        tokens.append(draw_tokens(logits, generators))
        inputs = codes[tokens[-1]]
        inputs = torch.cat((inputs, inputs)) if weight else inputs
    return torch.cat(tokens, dim=1)
