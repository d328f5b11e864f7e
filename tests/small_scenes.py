"""A tiny model with the names, words, scales and picture size of the embedded one."""

from pathlib import Path

import torch

from var_core import MultiScaleVQVAE, VARPipeline, VARTransformer
from var_core.model_info import read_labels, read_model_info, read_phrases
from var_core.official.catalogue import EMBEDDED, EMBEDDED_FOLDER
from var_core.tokenizer.initial_weights import init_tokenizer
from var_core.transformer import init_weights


def save_small_scenes(folder: Path) -> Path:
    """Write a model that draws blots in a tenth of the time; its folder is called as it is.

    Args:
        folder: place for the model folder.
    """
    info = read_model_info(EMBEDDED_FOLDER)
    labels, phrases = read_labels(EMBEDDED_FOLDER), read_phrases(EMBEDDED_FOLDER)
    assert labels is not None
    sides = info.schedule.sides
    tokenizer = MultiScaleVQVAE(
        sides=sides,
        vocab_size=info.vocab_size,
        code_dim=8,
        level_channels=(16, 32),
        norm_groups=8,
        num_blocks=1,
        stem_patch=8,
    )
    transformer = VARTransformer(
        sides=sides,
        vocab_size=info.vocab_size,
        code_dim=8,
        label_counts=labels.counts,
        depth=2,
        width=32,
        num_heads=2,
        shared_modulation=True,
        text_dim=phrases.width,
        max_phrases=info.max_phrases,
    )
    init_tokenizer(tokenizer, torch.Generator().manual_seed(0))
    # large factors, so that phrases, labels and tokens really change what is drawn
    init_weights(transformer, torch.Generator().manual_seed(1), 1.0, 4.0, 2.0)
    pipeline = VARPipeline(tokenizer.eval(), transformer.eval(), labels, phrases)
    pipeline.save_pretrained(folder / EMBEDDED)
    return folder / EMBEDDED
