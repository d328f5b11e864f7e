"""Size and memory of a transformer run, without doing any of it."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from training.data.open_pictures import open_pictures
from training.data.picture_source import check_side
from training.data.prepared_pictures import PreparedPictures
from training.data.token_files import Shape
from training.loop.checkpoint import KEEP
from training.loop.footprint import PASSES, Footprint, count_parameters, measure_forward
from training.loop.precision import resolve_precision
from training.transformer.choose_conditioning import choose_conditioning
from training.transformer.new_transformer import network_settings
from training.transformer.objective import TransformerObjective
from training.transformer.optimizer_groups import optimizer_groups
from training.transformer.settings import TransformerSettings
from var_core.checkpoints import outline_network
from var_core.devices import pick_device
from var_core.tokenizer import MultiScaleVQVAE
from var_core.transformer import VARTransformer


def transformer_footprint(settings: TransformerSettings) -> Footprint:
    """Size and memory of a run.

    Raises:
        ValueError: if settings or data cannot be used.
    """
    pictures = open_pictures(settings.data)
    tokenizer = outline_network(settings.tokenizer, MultiScaleVQVAE)
    check_side(pictures, tokenizer)
    bf16 = resolve_precision(settings.mixed_precision, pick_device()) == "bf16"
    dtype = torch.bfloat16 if bf16 else torch.float32
    conditioning = choose_conditioning(pictures, settings)
    network = network_settings(settings, pictures, tokenizer.config, conditioning)
    with torch.device("meta"):
        transformer = VARTransformer(**network)
        nn.Module.to(transformer, dtype)
        if settings.checkpoint_activations:
            transformer.enable_gradient_checkpointing()
        # kernels of a device cannot be planned elsewhere; they keep no more
        num_scales = settings.num_scales if settings.coarse_part == 1 else 0
        objective = TransformerObjective(
            transformer, replace(settings, attention="auto"), num_scales
        )
    saved, flops = measured(objective, settings.batch_size // settings.accumulate)
    count = count_parameters(transformer)
    named = dict(transformer.named_parameters())
    groups = optimizer_groups(named, 1.0, settings.optimizer == "muon")
    single = sum(w.numel() for group in groups if group["orthogonal"] for w in group["params"])
    memory = {
        "weights": count * dtype.itemsize,
        "float32 weights": 4 * count,
        "gradients": count * (4 + dtype.itemsize),
        "optimizer": 8 * count - 4 * single,  # two moments of a weight, with Muon one
        "averaged weights": 4 * count,
        "activations": saved,
    }
    disk = {"checkpoints": (KEEP + 1) * 16 * count}  # one is written beside those that are kept
    if isinstance(pictures, PreparedPictures):
        shape = Shape.of(tokenizer, len(pictures.labels))
        shown = settings.num_views * shape.num_pictures
        disk["tokens"] = shown * shape.num_tokens * np.dtype(shape.token_kind).itemsize
        if settings.self_correction:
            disk["features"] = 2 * shown * shape.latent_width
    parts = {name: count_parameters(part) for name, part in transformer.named_children()}
    parts["positions"] = count - sum(parts.values())
    return Footprint(parts, memory, PASSES * settings.accumulate * flops, disk)


def measured(objective: TransformerObjective, size: int) -> tuple[int, int]:
    """Bytes kept by a forward pass of `size` pictures, and its operations; on the meta device."""
    transformer = objective.transformer
    dtype, num_tokens = transformer.dtype, len(objective.weights)
    length = num_tokens - transformer.schedule.size_of(0)
    with torch.device("meta"):
        inputs = torch.empty(size, length, transformer.config["code_dim"], dtype=dtype)
        condition = transformer.null_condition(size)
        tokens = torch.zeros(size, num_tokens, dtype=torch.int64)
        factors = torch.ones(transformer.config["depth"], 2, size, 1, 1, dtype=dtype)

    def forward() -> Tensor:
        return objective(inputs, condition, tokens, factors)[0]

    return measure_forward(forward, objective)
