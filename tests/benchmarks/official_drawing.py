"""Drawing by the official code, run from a checkout of it that the user has.

Nothing of it is part of this repository: it is imported from the given folder. Its networks get
random weights, and ours the same ones, through the code that converts its checkpoints.
"""

import contextlib
import importlib
import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import torch
from torch import Tensor, nn

from tests.benchmarks.networks import Shape
from tests.official.parity_models import UNSTORED, official_state
from var_core import MultiScaleVQVAE, VARPipeline, VARTransformer
from var_core.official.convert import tokenizer_settings, transformer_settings
from var_core.official.keys import convert_tokenizer_state, convert_transformer_state
from var_core.tokenizer.autoencoder import Sketch
from var_core.tokenizer.sketch_training import WIDTH

NUM_CLASSES = 1000
LEVEL_FACTORS = (1, 1, 2, 2, 4)  # widths of the official tokenizer's levels over the first one


@dataclass(frozen=True)
class Setting:
    """How both sides draw. The defaults are those of the official notebook.

    Attributes:
        guidance: weight at the last scale.
        top_k: as in `SamplingOptions`.
        top_p: likewise.
        seed: of the picture; of the first one on our side.
    """

    guidance: float = 4.0
    top_k: int = 900
    top_p: float = 0.95
    seed: int = 0


class OfficialDrawing:
    """The official networks as its notebook sets them up, with random weights of ours.

    Args:
        checkout: folder of FoundationVision/VAR.
        shape: of the networks.
        device: must be the one that the official code takes, CUDA where there is one.

    Raises:
        ValueError: if the folder holds no such code, or it cannot have that shape.
    """

    def __init__(self, checkout: Path, shape: Shape, device: torch.device) -> None:
        if not (checkout / "models" / "var.py").is_file():
            raise ValueError(f"{checkout} holds no checkout of the official code")
        width = shape.channels[0]
        if shape.channels != tuple(width * factor for factor in LEVEL_FACTORS):
            raise ValueError(f"the official tokenizer has no such levels: {shape.channels}")
        self.shape, self.device = shape, device
        with mock.patch.object(sys, "path", [str(checkout), *sys.path]):
            vqvae = importlib.import_module("models.vqvae")
            self.module = importlib.import_module("models.var")
        # xformers has no kernel for the CPU, and the official code would fail there
        fused = device.type == "cuda"
        with contextlib.redirect_stdout(io.StringIO()), device:
            self.tokenizer = vqvae.VQVAE(ch=width, v_patch_nums=shape.sides)
            self.transformer = self.module.VAR(
                self.tokenizer,
                num_classes=NUM_CLASSES,
                depth=shape.depth,
                embed_dim=shape.width,
                num_heads=shape.depth,
                attn_l2_norm=True,
                patch_nums=shape.sides,
                flash_if_available=fused,
                fused_if_available=fused,
            )
        for network in (self.tokenizer, self.transformer):
            fill(network, device)
            network.eval().requires_grad_(False)

    def draw(self, labels: list[int], setting: Setting) -> Tensor:
        """Its own sampling call: (B, 3, H, W) in [0, 1]."""
        with torch.inference_mode():
            return self.transformer.autoregressive_infer_cfg(
                B=len(labels),
                label_B=torch.tensor(labels, device=self.device),
                g_seed=setting.seed,
                cfg=setting.guidance,
                top_k=setting.top_k,
                top_p=setting.top_p,
                more_smooth=False,
            )

    def notebook(self, labels: list[int], setting: Setting, dtype: torch.dtype) -> Tensor:
        """The same under autocast, and in TF32 what that leaves in float32: as in its notebook."""
        with tf32():
            return self.autocast(labels, setting, dtype)

    def autocast(self, labels: list[int], setting: Setting, dtype: torch.dtype) -> Tensor:
        """The same under autocast."""
        with torch.autocast(self.device.type, dtype, cache_enabled=True):
            return self.draw(labels, setting)

    def autocast_kept(self, labels: list[int], setting: Setting, dtype: torch.dtype) -> Tensor:
        """The same with weights that may have gradients: autocast then casts each only once."""
        self.transformer.requires_grad_(True)
        try:
            return self.autocast(labels, setting, dtype)
        finally:
            self.transformer.requires_grad_(False)

    @contextlib.contextmanager
    def recorded(self) -> Iterator[list[tuple[Tensor, Tensor]]]:
        """Collects guided logits (B, N, V) and tokens (B, N) of each scale drawn inside."""
        steps: list[tuple[Tensor, Tensor]] = []
        draws: Callable[..., Tensor] = self.module.sample_with_top_k_top_p_

        def recording(logits: Tensor, **options: object) -> Tensor:
            before = logits.clone()  # which it filters in place
            tokens = draws(logits, **options)
            steps.append((before, tokens[:, :, 0]))
            return tokens

        with mock.patch.object(self.module, "sample_with_top_k_top_p_", recording):
            yield steps

    def ours(self, dtype: torch.dtype) -> VARPipeline:
        """Our pipeline with the same weights, and a sketch decoder that has learned nothing."""
        official = self.tokenizer.state_dict()
        settings = tokenizer_settings(official, self.shape.sides)
        state = convert_tokenizer_state(official)
        with torch.device(self.device):
            sketch = Sketch(settings["code_dim"], WIDTH, 2 ** (len(self.shape.channels) - 1))
        settings["sketch_width"] = WIDTH
        state |= {f"sketch.{key}": value for key, value in sketch.state_dict().items()}
        tokenizer = network_of(MultiScaleVQVAE, settings, state, dtype)
        official = self.transformer.state_dict()
        settings = transformer_settings(official, self.shape.sides, None)
        state = convert_transformer_state(official)
        return VARPipeline(tokenizer, network_of(VARTransformer, settings, state, dtype))


@contextlib.contextmanager
def tf32() -> Iterator[None]:
    """Float32 products of a GPU in TF32, as the official notebook and trainer ask for."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextlib.contextmanager
def no_tf32() -> Iterator[None]:
    """Float32 convolutions of a GPU in float32, where torch would take TF32."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def fill(network: nn.Module, device: torch.device) -> None:
    """Give the weights of an official network values that make every part of it count."""
    kept = {key: value for key, value in network.state_dict().items() if key.endswith(UNSTORED)}
    shapes = {key: list(value.shape) for key, value in network.state_dict().items()}
    network.load_state_dict(official_state(shapes, device) | kept, assign=True)


def network_of(
    kind: type[nn.Module], settings: dict, state: dict[str, Tensor], dtype: torch.dtype
) -> nn.Module:
    """One of our networks with weights in a dtype."""
    with torch.device("meta"):
        network = kind(**settings)
    network.load_state_dict(state, assign=True)
    return nn.Module.to(network.eval().requires_grad_(False), dtype)
