"""Builds the tiny models whose figures in `golden/` the official implementation computed."""

import json
import math
import zlib
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open

from var_core.official.keys import convert_tokenizer_state, convert_transformer_state
from var_core.tokenizer import MultiScaleVQVAE
from var_core.transformer import VARTransformer

CPU = torch.device("cpu")
GOLDEN = Path(__file__).parent / "golden"
CASES = ("tiny", "tiny_b")
UNSTORED = ("attn_bias_for_masking", "zero_k_bias", "ema_vocab_hit_SV", "lvl_1L")


@dataclass(frozen=True)
class ParityCase:
    """One case: our models with the rule-made weights, and the official figures."""

    tokenizer: MultiScaleVQVAE
    transformer: VARTransformer
    figures: dict[str, torch.Tensor]
    labels: list[int]
    runs: list[dict]
    image_seed: int

    def images(self) -> torch.Tensor:
        """The two input pictures, (2, 3, H, H) in [-1, 1]."""
        size = self.tokenizer.image_shape[0]
        generator = torch.Generator().manual_seed(self.image_seed)
        return torch.rand(2, 3, size, size, generator=generator) * 2 - 1


def rule_made_weight(key: str, shape: list[int], device: torch.device = CPU) -> torch.Tensor:
    """The value both sides give to an official key; another one on another kind of device."""
    generator = torch.Generator(device).manual_seed(zlib.crc32(key.encode()))
    noise = torch.randn(shape, generator=generator, device=device)
    if key.endswith("scale_mul_1H11"):
        return math.log(4) + 0.1 * noise
    if key.endswith(("pos_start", "pos_1LC")):
        return 0.1 * noise
    if len(shape) == 1:
        return 0.05 * noise + (1.0 if "norm" in key and key.endswith("weight") else 0.0)
    return noise / math.sqrt(math.prod(shape[1:]))


def official_state(
    shapes: dict[str, list[int]], device: torch.device = CPU
) -> dict[str, torch.Tensor]:
    """Rule-made weights under the official keys."""
    return {
        key: torch.zeros(shape, device=device)
        if key.endswith(UNSTORED)
        else rule_made_weight(key, shape, device)
        for key, shape in shapes.items()
    }


def load_case(name: str) -> ParityCase:
    """Build one case."""
    keys = json.loads((GOLDEN / f"{name}.keys.json").read_text())
    with safe_open(GOLDEN / f"{name}.safetensors", "pt") as file:
        metadata = {k: v if k == "name" else json.loads(v) for k, v in file.metadata().items()}
        figures = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    vae, var = metadata["tokenizer"], metadata["transformer"]
    channels = vae["ch"]
    tokenizer = MultiScaleVQVAE(
        sides=vae["v_patch_nums"],
        vocab_size=vae["vocab_size"],
        code_dim=vae["z_channels"],
        level_channels=[channels * factor for factor in (1, 1, 2, 2, 4)],
        num_refine=vae["share_quant_resi"],
    )
    tokenizer.load_state_dict(convert_tokenizer_state(official_state(keys["tokenizer"])))
    transformer = VARTransformer(
        sides=var["patch_nums"],
        vocab_size=vae["vocab_size"],
        code_dim=vae["z_channels"],
        label_counts=[var["num_classes"]],
        depth=var["depth"],
        width=var["embed_dim"],
        num_heads=var["num_heads"],
        shared_modulation=var["shared_aln"],
        qk_norm=var["attn_l2_norm"],
        norm_eps=var["norm_eps"],
    )
    transformer.load_state_dict(convert_transformer_state(official_state(keys["transformer"])))
    return ParityCase(
        tokenizer.eval().requires_grad_(False),
        transformer.eval().requires_grad_(False),
        figures,
        metadata["labels"],
        metadata["runs"],
        metadata["image_seed"],
    )
