"""Gives a trained tokenizer a decoder of another size; encoder and codes stay, so tokens do too."""

from typing import Any

import torch
from torch import Generator

from training.tokenizer.settings import TokenizerSettings
from var_core.tokenizer import MultiScaleVQVAE
from var_core.tokenizer.initial_weights import init_tokenizer

OF_DECODER = ("decoder.", "time_up.")  # weights whose shapes depend on its size


def outline_decoder(trained: MultiScaleVQVAE, settings: TokenizerSettings) -> MultiScaleVQVAE:
    """What `replace_decoder` returns, without weights where the decoder is new: on the meta device.

    Raises:
        ValueError: as there.
    """
    wanted = _changed_config(trained, settings)
    if wanted is None:
        return trained
    with torch.device("meta"):
        return MultiScaleVQVAE(**wanted)


def replace_decoder(
    trained: MultiScaleVQVAE, settings: TokenizerSettings, generator: Generator
) -> MultiScaleVQVAE:
    """A tokenizer with the decoder that the settings ask for, if the trained one has another.

    Args:
        trained: float32, on the CPU; keeps its weights.
        settings: widths and blocks of the decoder; what is left out stays as it is.
        generator: source of randomness of the new weights.

    Raises:
        ValueError: if the settings do not fit the tokenizer.
    """
    wanted = _changed_config(trained, settings)
    if wanted is None:
        return trained
    made = MultiScaleVQVAE(**wanted)
    init_tokenizer(made, generator)
    kept = {
        name: value.clone()
        for name, value in trained.state_dict().items()
        if not name.startswith(OF_DECODER)
    }
    made.load_state_dict(made.state_dict() | kept)
    return made.eval().requires_grad_(False)


def _changed_config(trained: MultiScaleVQVAE, settings: TokenizerSettings) -> dict[str, Any] | None:
    """The settings of a tokenizer with another decoder; None if it is the trained one."""
    before = {key: value for key, value in trained.config.items() if not key.startswith("_")}
    asked: dict[str, Any] = {
        name: value
        for name in ("decoder_channels", "decoder_blocks", "head_channels")
        if (value := getattr(settings, name))
    }
    if all(_plain(before[name]) == _plain(value) for name, value in asked.items()):
        return None
    return before | asked


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
