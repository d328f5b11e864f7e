"""Token maps of all training pictures, computed once: the tokenizer is frozen from here on."""

import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from training.augment import random_zoom_shift
from training.state import step_generator
from var_core.tokenizer import MultiScaleVQVAE

logger = logging.getLogger(__name__)

VIEWS_SEED = 1


@dataclass(frozen=True)
class TokenCache:
    """Tokens of every picture under several views.

    Attributes:
        tokens: (views, pictures, L) int32; view 0 is the picture as it is.
        latents: (pictures, D * H * W) float16, encoder features of view 0 before quantization.
    """

    tokens: Tensor
    latents: Tensor


def weights_digest(tokenizer: MultiScaleVQVAE) -> str:
    """A short name for the weights of a tokenizer."""
    digest = hashlib.sha256()
    for name, value in sorted(tokenizer.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


@torch.inference_mode()
def build_token_cache(
    tokenizer: MultiScaleVQVAE, images: Tensor, num_views: int, batch_size: int = 256
) -> TokenCache:
    """Encode pictures: view 0 unchanged, the others zoomed and shifted a little on white.

    Args:
        tokenizer: frozen.
        images: (N, 3, H, W) uint8.
        num_views: at least 1.
        batch_size: pictures at a time.
    """
    views, latents = [], []
    for view in range(num_views):
        rows = []
        for start in range(0, len(images), batch_size):
            batch = images[start : start + batch_size].float() / 127.5 - 1
            if view > 0:
                generator = step_generator(VIEWS_SEED, start, view)
                batch = random_zoom_shift(batch, generator)
            features = tokenizer.encode_features(batch)
            token_maps = tokenizer.quantizer.encode(features).token_maps
            rows.append(torch.cat([token_map.flatten(1) for token_map in token_maps], dim=1))
            if view == 0:
                latents.append(features.flatten(1).half())
        views.append(torch.cat(rows).to(torch.int32))
    return TokenCache(torch.stack(views), torch.cat(latents))


def load_or_build_token_cache(
    folder: Path, tokenizer: MultiScaleVQVAE, images: Tensor, num_views: int
) -> TokenCache:
    """The cache in `folder` if it was made with these weights and views, else a new one."""
    stamp = {"tokenizer": weights_digest(tokenizer), "views": num_views, "pictures": len(images)}
    path, stamp_path = folder / "tokens.safetensors", folder / "tokens.json"
    if path.exists() and stamp_path.exists() and json.loads(stamp_path.read_text()) == stamp:
        tensors = load_file(path)
        return TokenCache(tensors["tokens"], tensors["latents"])
    logger.info("encoding %d pictures under %d views", len(images), num_views)
    cache = build_token_cache(tokenizer, images, num_views)
    folder.mkdir(parents=True, exist_ok=True)
    save_file({"tokens": cache.tokens.clone(), "latents": cache.latents.clone()}, path)
    stamp_path.write_text(json.dumps(stamp))
    return cache
