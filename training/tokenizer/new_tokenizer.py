"""The tokenizer that a run starts from."""

from training.loop.checkpoint import step_generator
from training.tokenizer.settings import TokenizerSettings
from var_core.checkpoints import load_tokenizer, outline_network
from var_core.tokenizer import MultiScaleVQVAE
from var_core.tokenizer.initial_weights import init_tokenizer


def outline_tokenizer(settings: TokenizerSettings) -> MultiScaleVQVAE:
    """The network that a run trains, without the weights it starts from.

    Raises:
        ValueError: if the settings are out of range, or `initial` is no tokenizer.
    """
    if settings.initial:
        return outline_network(settings.initial, MultiScaleVQVAE)
    return MultiScaleVQVAE(
        sides=settings.sides,
        vocab_size=settings.vocab_size,
        code_dim=settings.code_dim,
        level_channels=settings.level_channels,
        num_blocks=settings.num_blocks,
        stem_patch=settings.stem_patch,
        head_channels=settings.head_channels,
        level_attention=settings.level_attention,
        num_refine=settings.num_refine,
        code_kind=settings.code_kind,
    )


def new_tokenizer(settings: TokenizerSettings) -> MultiScaleVQVAE:
    """The network with the weights it starts from, float32.

    Raises:
        ValueError: if the settings are out of range, or `initial` is no tokenizer.
    """
    if settings.initial:
        return load_tokenizer(settings.initial)
    tokenizer = outline_tokenizer(settings)
    init_tokenizer(tokenizer, step_generator(settings.seed, -2))
    return tokenizer


def choose_trained(tokenizer: MultiScaleVQVAE, settings: TokenizerSettings) -> None:
    """Ask for gradients of the parts that the run trains, and of no others."""
    tokenizer.requires_grad_(not settings.decoder_only)
    for part in (tokenizer.decoder, tokenizer.post_quant):
        part.requires_grad_(True)
