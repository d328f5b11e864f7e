"""The training step of the official code, run from a checkout of it that the user has.

Nothing of it is part of this repository: it is imported from the given folder, and its trainer's
own `train_step` does the step.
"""

import contextlib
import importlib
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import ClassVar

import torch

from training.loop.optim import parameter_groups

NUM_CLASSES = 1000
VAE_WIDTH = 160
STRIDE = 16


class OfficialSteps:
    """The official trainer with its default settings, on random pictures.

    Its weights are random too, which costs the same. Reading the pictures is left out, in favour
    of the official side.

    Args:
        checkout: folder of FoundationVision/VAR.
        sides: of the token maps.
        depth: blocks; as there, heads are as many and the width is 64 times that.
        batch_size: pictures.
        device: must be the one that the official code takes, CUDA where there is one.

    Raises:
        ValueError: if the folder holds no such code.
    """

    NAMES: ClassVar = {  # whether it encodes, whether it autocasts
        "official, default": (True, False),
        "official, without its VAE": (False, False),
        "official, bf16 autocast": (True, True),
        "official, bf16 autocast, without its VAE": (False, True),
    }

    def __init__(
        self,
        checkout: Path,
        sides: Sequence[int],
        depth: int,
        batch_size: int,
        device: torch.device,
    ) -> None:
        if not (checkout / "trainer.py").is_file():
            raise ValueError(f"{checkout} holds no checkout of the official code")
        # its log needs packages that a step does not
        stub = ModuleType("utils.misc")
        stub.MetricLogger = stub.TensorboardLogger = object
        sys.modules["utils.misc"] = stub
        sys.path.insert(0, str(checkout))
        with contextlib.redirect_stdout(io.StringIO()), device:
            self._build(tuple(sides), depth, device)
        side = STRIDE * sides[-1]
        self.images = torch.rand(batch_size, 3, side, side, device=device) * 2 - 1
        self.labels = torch.randint(NUM_CLASSES, (batch_size,), device=device)
        self.tokens = self.vae.img_to_idxBl(self.images)
        self.device = device

    def _build(self, sides: tuple[int, ...], depth: int, device: torch.device) -> None:
        vqvae, var = importlib.import_module("models.vqvae"), importlib.import_module("models.var")
        trainer, amp = importlib.import_module("trainer"), importlib.import_module("utils.amp_sc")
        self.vae = vqvae.VQVAE(ch=VAE_WIDTH, v_patch_nums=sides)
        # xformers has no kernel for the CPU, and the official code would fail there
        fused = device.type == "cuda"
        self.transformer = var.VAR(
            self.vae,
            num_classes=NUM_CLASSES,
            depth=depth,
            embed_dim=64 * depth,
            num_heads=depth,
            drop_path_rate=0.1 * depth / 24,
            attn_l2_norm=True,
            patch_nums=sides,
            flash_if_available=fused,
            fused_if_available=fused,
        )
        self.transformer.init_weights(0.5, 1e-5, 0.02, -1)
        named = list(self.transformer.named_parameters())
        groups = parameter_groups(named, 0.05)
        optimizer = torch.optim.AdamW(groups, lr=1e-6, betas=(0.9, 0.95), fused=True)
        names, parameters = zip(*named, strict=True)
        self.trainer = trainer.VARTrainer(
            device=device,
            patch_nums=sides,
            resos=tuple(STRIDE * side for side in sides),
            vae_local=self.vae,
            var_wo_ddp=self.transformer,
            var=self.transformer,
            var_opt=amp.AmpOptimizer(0, optimizer, list(names), list(parameters), 2.0),
            label_smooth=0.0,
        )

    def steps(self) -> dict[str, Callable[[], object]]:
        """Its default step, and the same with cached tokens, with bf16, and with both."""
        return {name: partial(self.step, *how) for name, how in self.NAMES.items()}

    def step(self, encodes: bool, autocasts: bool) -> None:
        """One step of its trainer.

        Args:
            encodes: whether the pictures go through the VAE, as there, or their tokens are known.
            autocasts: bf16 autocast of the device around the network, which its own option asks of
                CUDA alone.
        """
        with self._tokens_known(not encodes), self._autocast(autocasts):
            self.trainer.train_step(
                it=1,
                g_it=1,
                stepping=True,
                metric_lg=SimpleNamespace(log_iters=()),
                tb_lg=None,
                inp_B3HW=self.images,
                label_B=self.labels,
                prog_si=-1,
                prog_wp_it=1,
            )

    @contextlib.contextmanager
    def _tokens_known(self, known: bool) -> Iterator[None]:
        vae = SimpleNamespace(
            vocab_size=self.vae.vocab_size,
            quantize=self.vae.quantize,
            img_to_idxBl=lambda images: self.tokens,
        )
        self.trainer.vae_local = vae if known else self.vae
        yield
        self.trainer.vae_local = self.vae

    @contextlib.contextmanager
    def _autocast(self, autocasts: bool) -> Iterator[None]:
        optimizer, usual = self.trainer.var_opt, self.trainer.var_opt.amp_ctx
        optimizer.amp_ctx = torch.autocast(self.device.type, torch.bfloat16, enabled=autocasts)
        yield
        optimizer.amp_ctx = usual
