"""What the pipeline does with its networks: sampling in batches, decoding, encoding."""

import os
from collections.abc import Callable, Iterator, Sequence

import torch
from PIL import Image
from torch import Tensor, nn

from var_core.condition import Condition
from var_core.doors import door
from var_core.images import central_part, image_to_tensor, tensor_to_images
from var_core.own_settings import in_own_settings
from var_core.packing import LAYOUT, Packable, can_pack, is_packed, pack_weights
from var_core.sampling import SamplingOptions, ScaleRule, ScaleStep, sample_scales
from var_core.sampling.code_rules import check_one_picture
from var_core.sampling.graphs import GraphRecorder
from var_core.sampling.rng import Generators, one_for_each
from var_core.tokenizer import MultiScaleVQVAE
from var_core.transformer import VARTransformer

GRAPHS_VARIABLE = "VAR_CUDA_GRAPHS"


class NetworkMethods:
    """Running the two networks: part of `VARPipeline`.

    Attributes:
        tokenizer: turns token maps into pictures and back.
        transformer: predicts token maps.
        packs: whether drawing may lay the networks' weights out (see `pack`); to be switched off
            for networks whose weights go on changing.
        recorder: records drawings as CUDA graphs.
    """

    tokenizer: MultiScaleVQVAE
    transformer: VARTransformer
    packs: bool
    recorder: GraphRecorder
    _packed: tuple[nn.Module, ...] = ()  # the networks that `pack` has laid out
    _witnesses: tuple[Packable, ...] = ()  # one layer of each of their parts

    @property
    def image_shape(self) -> tuple[int, int]:
        """Height and width of the pictures in pixels."""
        return self.tokenizer.image_shape

    def pack(self) -> None:
        """Lay the weights out for drawing on this processor, where it has kernels for that.

        The first drawing does it, unless `packs` is off. Moved, copied or saved, the weights are
        plain again.
        """
        networks = transformer, tokenizer = self.transformer, self.tokenizer
        if not self.packs:
            return
        if self._packed == networks and all(layer.is_packed for layer in self._witnesses):
            return  # nothing was moved since; a look at every layer takes longer
        parts = [transformer, tokenizer.decoder]
        if tokenizer.sketch is not None:
            parts.append(tokenizer.sketch)
        with LAYOUT:  # a second drawing waits until all parts are packed
            if not all(map(is_packed, parts)):
                trained = any(weight.requires_grad for weight in transformer.parameters())
                if transformer.device.type != "cpu" or trained or not can_pack(transformer.dtype):
                    return
                for part in parts:
                    pack_weights(part)
            layers = [
                [one for one in part.modules() if isinstance(one, Packable)] for part in parts
            ]
            self._packed, self._witnesses = networks, tuple(one[0] for one in layers if one)

    def sample(
        self,
        condition: Condition,
        options: SamplingOptions,
        generators: Sequence[torch.Generator],
        make_rule: Callable[[slice], ScaleRule | None],
        together: int = 1,
        against: Condition | None = None,
    ) -> Iterator[ScaleStep]:
        """Run the sampling loop on a condition.

        A seed must give the same picture alone and in any batch. On a CPU that holds for packed
        weights and codes that are drawn, not mixed or matched; else pictures go one by one.

        Args:
            condition: what each of B pictures is to show.
            options: how tokens are drawn.
            generators: one per picture.
            make_rule: function that returns the rule for some rows of the batch.
            together: pictures at once on a CPU, where they may be.
            against: what guidance pushes away from, B rows; None is the null condition.
        """
        self.pack()
        is_cpu = self.transformer.device.type == "cpu"
        if not is_cpu:
            together = len(condition)
        elif options.smooth or not self.transformer.head.weight.is_mkldnn:
            together = 1
        starts = range(0, len(condition), together)
        recorder = self.recorder if records() and not is_cpu else None
        runs = [
            sample_scales(
                self.transformer,
                self.tokenizer.quantizer,
                condition.rows(rows),
                options,
                generators[rows],
                make_rule(rows),
                recorder=recorder,
                against=None if against is None else against.rows(rows),
            )
            for rows in (slice(start, start + together) for start in starts)
        ]
        return runs[0] if len(runs) == 1 else _side_by_side(runs)

    def check_generators(
        self, generator: Generators | None, count: int
    ) -> Sequence[torch.Generator]:
        """A generator for each picture, as `sampling.rng.one_for_each`."""
        return one_for_each(generator, count, self.transformer.device)

    @in_own_settings
    def decode_latent(self, latent: Tensor) -> Tensor:
        """Latents (B, D, H, W) to pictures (B, 3, H, W) in [-1, 1].

        On the CPU pictures go one by one: kernels round differently for different batch sizes.
        """
        self.pack()
        with torch.inference_mode():
            chunks = latent.split(1) if latent.device.type == "cpu" else [latent]
            return torch.cat([self.tokenizer.decode_latent(chunk) for chunk in chunks])

    @door
    def tokenize(self, image: Image.Image) -> tuple[list[Tensor], list[Image.Image]]:
        """The token maps of a picture, and the picture after 1, 2, ... K of their scales.

        Args:
            image: any size and mode; its central part is used, alpha becomes white.

        Returns:
            K tensors (1, h, w) int64 and K pictures of the model's size, coarse to fine.
        """
        with torch.inference_mode():
            pixels = image_to_tensor(central_part(image, self.image_shape))
            quantization = self.tokenizer.encode(pixels.to(self.tokenizer.device))
            decoded = self.decode_latent(torch.cat(quantization.latents))
        return quantization.token_maps, tensor_to_images(decoded)

    @door
    def decode_prefixes(self, token_maps: Sequence[Tensor]) -> list[Image.Image]:
        """The picture of some token maps, or the first frame of a clip, after 1, 2, ... scales.

        Args:
            token_maps: tokens of the first scales or of all, (1, h, w) int64 each, coarse to fine.

        Raises:
            ValueError: if they do not fit the model.
        """
        maps = check_one_picture(self.tokenizer.quantizer, token_maps)
        with torch.inference_mode():
            latents = torch.cat(self.tokenizer.quantizer.sum_scales(maps))
            if latents.ndim == 5:  # of a clip
                latents = latents[:, :, 0]
            return tensor_to_images(self.decode_latent(latents))

    @door
    def reconstruct(self, image: Image.Image) -> list[Image.Image]:
        """A picture after 1, 2, ... K of the tokenizer's scales, as `tokenize` returns it."""
        return self.tokenize(image)[1]


def records() -> bool:
    """Whether drawings on a GPU are recorded as CUDA graphs: VAR_CUDA_GRAPHS is 1."""
    return os.environ.get(GRAPHS_VARIABLE) == "1"


def _side_by_side(runs: Sequence[Iterator[ScaleStep]]) -> Iterator[ScaleStep]:
    """Advance single-picture runs together and join their steps to batches."""
    for steps in zip(*runs, strict=True):
        logits = [step.logits for step in steps if step.logits is not None]
        yield ScaleStep(
            steps[0].scale_index,
            torch.cat([step.token_map for step in steps]),
            torch.cat([step.latent for step in steps]),
            torch.cat(logits) if logits else None,
        )
