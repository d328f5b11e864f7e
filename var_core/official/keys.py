"""Renames weights of the official checkpoints to ours (FoundationVision/VAR, arXiv 2404.02905)."""

import re
from collections.abc import Iterable, Mapping

from torch import Tensor

_TOKENIZER_RULES = (
    (r"(encoder|decoder)\.(conv_in|conv_out|norm_out)\.(weight|bias)", r"\1.\2.\3"),
    (r"(encoder|decoder)\.mid\.block_1\.(.+)", r"\1.middle.block_in.\2"),
    (r"(encoder|decoder)\.mid\.block_2\.(.+)", r"\1.middle.block_out.\2"),
    (r"(encoder|decoder)\.mid\.attn_1\.(.+)", r"\1.middle.attention.\2"),
    (r"(encoder|decoder)\.(?:down|up)\.(\d+)\.block\.(\d+)\.(.+)", r"\1.levels.\2.blocks.\3.\4"),
    (r"(encoder|decoder)\.(?:down|up)\.(\d+)\.attn\.(\d+)\.(.+)", r"\1.levels.\2.attentions.\3.\4"),
    (
        r"(encoder|decoder)\.(?:down|up)\.(\d+)\.(?:down|up)sample\.conv\.(.+)",
        r"\1.levels.\2.resample.conv.\3",
    ),
    (r"quantize\.quant_resi\.qresi_ls\.(\d+)\.(.+)", r"quantizer.refine.\1.\2"),
    (r"quantize\.embedding\.weight", r"quantizer.codebook.weight"),
    (r"quant_conv\.(.+)", r"pre_quant.\1"),
    (r"post_quant_conv\.(.+)", r"post_quant.\1"),
)
_TOKENIZER_DETAILS = ((".nin_shortcut.", ".shortcut."), (".proj_out.", ".proj."))
_TOKENIZER_UNUSED = ("quantize.ema_vocab_hit_SV",)

_TRANSFORMER_RULES = (
    (r"pos_start", r"start_embed"),
    (r"pos_1LC", r"pos_embed"),
    (r"word_embed\.(.+)", r"input_proj.\1"),
    (r"class_emb\.weight", r"label_embeds.0.weight"),
    (r"lvl_embed\.weight", r"scale_embed.weight"),
    (r"shared_ada_lin\.1\.(.+)", r"block_modulation.\1"),
    (r"blocks\.(\d+)\.ada_gss", r"blocks.\1.modulation_offset"),
    (r"blocks\.(\d+)\.ada_lin\.1\.(.+)", r"blocks.\1.modulation.\2"),
    (r"blocks\.(\d+)\.attn\.scale_mul_1H11", r"blocks.\1.attention.log_qk_scale"),
    (r"blocks\.(\d+)\.attn\.mat_qkv\.weight", r"blocks.\1.attention.qkv.weight"),
    (r"blocks\.(\d+)\.attn\.(q_bias|v_bias|proj\..+)", r"blocks.\1.attention.\2"),
    (r"blocks\.(\d+)\.ffn\.(fc[12]\..+)", r"blocks.\1.mlp.\2"),
    (r"head_nm\.ada_lin\.1\.(.+)", r"head_modulation.\1"),
    (r"head\.(weight|bias)", r"head.\1"),
)
_TRANSFORMER_UNUSED = (r"lvl_1L", r"attn_bias_for_masking", r"blocks\.\d+\.attn\.zero_k_bias")


def tokenizer_key(official_key: str) -> str | None:
    """Our name of an official tokenizer key; None for a buffer that we do not need.

    Raises:
        ValueError: if the key is not one of the official tokenizer's.
    """
    renamed = _rename(official_key, _TOKENIZER_RULES, _TOKENIZER_UNUSED, "tokenizer")
    if renamed is not None:
        for official, ours in _TOKENIZER_DETAILS:
            renamed = renamed.replace(official, ours)
    return renamed


def transformer_key(official_key: str) -> str | None:
    """Our name of an official transformer key; None for a buffer that we do not need.

    Raises:
        ValueError: if the key is not one of the official transformer's.
    """
    return _rename(official_key, _TRANSFORMER_RULES, _TRANSFORMER_UNUSED, "transformer")


def convert_tokenizer_state(official: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of an official tokenizer under our names.

    Raises:
        ValueError: if a key is not one of the official model's.
    """
    return {renamed: value for key, value in official.items() if (renamed := tokenizer_key(key))}


def convert_transformer_state(official: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of an official transformer under our names and shapes.

    Raises:
        ValueError: if a key is not one of the official model's.
    """
    state = {renamed: value for key, value in official.items() if (renamed := transformer_key(key))}
    for key, value in state.items():
        if key.endswith("modulation_offset"):
            state[key] = value.flatten(0, 1)  # (1, 1, 6, C) -> (1, 6, C)
    return state


def _rename(
    key: str, rules: Iterable[tuple[str, str]], unused: Iterable[str], part: str
) -> str | None:
    if any(re.fullmatch(pattern, key) for pattern in unused):
        return None
    for pattern, replacement in rules:
        if re.fullmatch(pattern, key):
            return re.sub(pattern, replacement, key)
    raise ValueError(f"{key!r} is not a key of an official VAR {part}")
