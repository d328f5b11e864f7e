"""The transformer that a run starts from."""

from collections.abc import Mapping
from typing import Any

from training.data.picture_source import PictureSource
from training.loop.checkpoint import step_generator
from training.transformer.conditioning import Conditioning
from training.transformer.settings import TransformerSettings
from training.transformer.warm_start import (
    continue_from,
    label_values,
    load_trained,
    transformer_folder,
)
from var_core.checkpoints import outline_network
from var_core.transformer import VARTransformer, init_weights
from var_core.transformer.inflation import inflate_transformer

SHAPE = ("width", "num_heads", "mlp_ratio", "shared_modulation", "qk_norm", "norm_eps")


def new_transformer(
    settings: TransformerSettings,
    pictures: PictureSource,
    tokenizer: Mapping[str, Any],
    conditioning: Conditioning,
) -> VARTransformer:
    """The network with the weights it starts from, float32 on the CPU; arguments as below.

    Raises:
        ValueError: if settings or trained weights do not fit.
    """
    transformer = VARTransformer(**network_settings(settings, pictures, tokenizer, conditioning))
    init_weights(transformer, step_generator(settings.seed, -1))
    conditioning.start(transformer)
    if settings.initial:
        trained, trained_names = load_trained(settings.initial)
        if transformer.schedule.is_clip and not trained.schedule.is_clip:
            generator = step_generator(settings.seed, -3)
            trained = inflate_transformer(trained, transformer.config["sides"], generator)
        continue_from(transformer, trained, label_values(pictures.label_names), trained_names)
    return transformer


def network_settings(
    settings: TransformerSettings,
    pictures: PictureSource,
    tokenizer: Mapping[str, Any],
    conditioning: Conditioning,
) -> dict[str, Any]:
    """Arguments of `VARTransformer`, from the settings of the run, the tokenizer and the labels.

    A run that starts from a trained network takes its shape from there.

    Args:
        settings: settings of the run.
        pictures: source of the label names.
        tokenizer: settings of the tokenizer.
        conditioning: how labels reach the network.

    Raises:
        ValueError: if there is no such network, or it has fewer blocks than are to be kept.
    """
    network: dict[str, Any] = {
        "sides": list(tokenizer["sides"]),
        "vocab_size": tokenizer["vocab_size"],
        "code_dim": tokenizer["code_dim"],
        "label_counts": [len(values) for values in label_values(pictures.label_names).values()],
        "depth": settings.depth,
        "width": settings.width,
        "num_heads": settings.num_heads,
        "mlp_ratio": settings.mlp_ratio,
        "shared_modulation": True,
        "qk_norm": True,
    }
    if settings.initial:
        trained = outline_network(transformer_folder(settings.initial), VARTransformer).config
        network |= {name: trained[name] for name in SHAPE}
        if settings.initial_blocks > trained["depth"]:
            raise ValueError(
                f"{settings.initial} has {trained['depth']} blocks, fewer than the "
                f"{settings.initial_blocks} of initial_blocks"
            )
        network["depth"] = settings.initial_blocks or trained["depth"]
    return network | conditioning.network_settings()
