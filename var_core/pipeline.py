"""What people call: draw, stream, reconstruct, save and load."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from PIL import Image
from torch import Tensor

from var_core.checkpoints import CheckpointError, load_tokenizer, load_transformer
from var_core.condition import Condition
from var_core.edit_methods import EditMethods
from var_core.images import fit_square, image_to_tensor, tensor_to_images
from var_core.labels import Label, LabelSpace
from var_core.model_info import check_index, describe_networks, read_labels
from var_core.outputs import Pictures, Preview, VARPipelineOutput
from var_core.packing import can_pack, pack_weights
from var_core.sampling import (
    DEFAULTS,
    KeepScales,
    SamplingOptions,
    ScaleRule,
    ScaleStep,
    sample_scales,
)
from var_core.sampling.graphs import GraphRecorder
from var_core.tokenizer import MultiScaleVQVAE
from var_core.transformer import VARTransformer

OUTPUT_TYPES = ("pil", "np", "pt")
MAX_IMAGES = 64
GRAPHS_VARIABLE = "VAR_CUDA_GRAPHS"
TOGETHER = 4  # pictures at once on a CPU: more gain little, and each keeps its keys and values


class VARPipeline(EditMethods, DiffusionPipeline):
    """Next-scale image generation (arXiv 2404.02905) as a diffusers pipeline.

    Args:
        tokenizer: turns token maps into pictures and back.
        transformer: predicts token maps.
        labels: names of the transformer's labels; None numbers the values of one attribute
            `class`.

    Attributes:
        info: labels, scales and limits.
        packs: whether drawing may lay the networks' weights out (see `pack`); to be switched off
            for networks whose weights go on changing.

    Raises:
        ValueError: if the parts do not fit together.
    """

    def __init__(
        self,
        tokenizer: MultiScaleVQVAE,
        transformer: VARTransformer,
        labels: LabelSpace | None = None,
    ) -> None:
        super().__init__()
        self.tokenizer: MultiScaleVQVAE
        self.transformer: VARTransformer
        info = describe_networks(tokenizer, transformer, labels)
        self.register_modules(tokenizer=tokenizer, transformer=transformer)
        self.info = info
        self.labels = info.labels
        self.packs = True
        self._recorder = GraphRecorder()

    @classmethod
    def from_pretrained(
        cls, path: str | Path, torch_dtype: torch.dtype = torch.float32
    ) -> "VARPipeline":
        """Load a model folder, strictly.

        Args:
            path: a folder written by `save_pretrained`.
            torch_dtype: of both networks; the quantizer stays float32.

        Raises:
            CheckpointError: if anything is missing, surplus, misshapen, not finite or not
                safetensors or JSON.
        """
        folder = Path(path)
        check_index(folder)
        tokenizer = load_tokenizer(folder / "tokenizer", torch_dtype)
        transformer = load_transformer(folder / "transformer", torch_dtype)
        labels = read_labels(folder)
        try:
            pipeline = cls(tokenizer, transformer, labels)
        except ValueError as error:
            raise CheckpointError(f"{folder}: {error}") from error
        pipeline.info = replace(pipeline.info, name=folder.absolute().name)
        return pipeline

    def pack(self) -> None:
        """Lay the weights out for drawing on this processor, where it has kernels for that.

        The first drawing does it, unless `packs` is off. Moved, copied or saved, the weights are
        plain again.
        """
        if not self.packs or self.transformer.head.weight.is_mkldnn:
            return
        trained = any(weight.requires_grad for weight in self.transformer.parameters())
        if self.device.type == "cpu" and not trained and can_pack(self.transformer.dtype):
            for part in (self.transformer, self.tokenizer.decoder, self.tokenizer.sketch):
                if part is not None:
                    pack_weights(part)

    def save_pretrained(self, path: str | Path) -> None:
        """Write a folder that `from_pretrained` loads: safetensors and JSON only."""
        folder = Path(path)
        super().save_pretrained(folder, safe_serialization=True)
        self.labels.save(folder)

    @property
    def image_size(self) -> int:
        """Side of the pictures in pixels."""
        return self.tokenizer.image_size

    def __call__(
        self,
        class_labels: Sequence[Label],
        guidance_scale: float = DEFAULTS.guidance_scale,
        top_k: int = DEFAULTS.top_k,
        top_p: float = DEFAULTS.top_p,
        temperature: float = DEFAULTS.temperature,
        smooth: bool = DEFAULTS.smooth,
        generator: Sequence[torch.Generator] | None = None,
        output_type: str = "pil",
        keep: Sequence[Tensor] = (),
    ) -> VARPipelineOutput:
        """Draw one picture per label; sampling options go under their diffusers names.

        Args:
            class_labels: for each picture None (everything open), an int (models with one
                attribute), a tuple with one entry per attribute, or a dictionary from attribute
                names to values; entries are names, indices or None. An emoji fills in its category.
            guidance_scale: 0 (off) to 20; the weight at the last scale, ramped up from 0.
            top_k: draw among the k likeliest codes; 0 is off.
            top_p: draw among the likeliest codes of this mass; 0 is off.
            temperature: above 1 wilder, below 1 tamer; 0.01 to 10.
            smooth: mix codes instead of drawing one; smoother looks, less faithful statistics.
            generator: one `torch.Generator` per picture; None takes random seeds.
            output_type: "pil", "np" or "pt".
            keep: token maps of the first scales of earlier pictures, (B, S, S) int64 each; they
                are kept, and the rest is drawn, perhaps with another seed or label.

        Returns:
            The pictures and their token maps.

        Raises:
            ValueError: if an argument is out of range; nothing has been drawn then.
        """
        options = SamplingOptions(
            guidance_scale=guidance_scale,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            smooth=smooth,
        )
        return self.draw(class_labels, options, generator, output_type, keep)

    def draw(
        self,
        class_labels: Sequence[Label],
        options: SamplingOptions = DEFAULTS,
        generator: Sequence[torch.Generator] | None = None,
        output_type: str = "pil",
        keep: Sequence[Tensor] = (),
    ) -> VARPipelineOutput:
        """As `__call__`, with the sampling options in one object."""
        labels, steps = self._steps(class_labels, options, generator, output_type, keep)
        finished = list(steps)
        images = self._output(self.decode_latent(finished[-1].latent), output_type)
        return VARPipelineOutput(images, [step.token_map for step in finished], labels)

    def stream(
        self,
        class_labels: Sequence[Label],
        options: SamplingOptions = DEFAULTS,
        generator: Sequence[torch.Generator] | None = None,
        output_type: str = "pil",
        keep: Sequence[Tensor] = (),
    ) -> Iterator[Preview]:
        """Draw pictures and yield them after every scale; the last preview is the result.

        Earlier ones are sketches, which cost next to nothing, where the tokenizer has a sketch
        decoder. `decode_latent(preview.latent)` is the true decode.

        The arguments are those of `draw`. They are checked here, not at the first preview.
        """
        labels, steps = self._steps(class_labels, options, generator, output_type, keep)
        return self._previews(labels, steps, output_type)

    def fill_open_labels(self, labels: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        """Draw what is left open, where the transformer knows which labels occur together.

        With pairs (see `LabelMaps`), an open attribute is first drawn from the labels of the
        pictures that the model was trained on, and then the picture from all its labels:
        p(x | category) is the sum of p(emoji, style | category) p(x | category, emoji, style).

        Args:
            labels: (B, A) int64.
            generators: one per picture; used only where something is open.

        Returns:
            (B, A); as given where the transformer has no pairs or none that fits.
        """
        maps = self.transformer.label_maps
        if maps is None or not maps.num_pairs:
            return labels
        null = torch.tensor(self.labels.null, device=labels.device)
        known = null.repeat(maps.num_pairs, 1)
        known[:, -2:] = maps.pairs
        for (source, target), table in self.labels.implies.items():
            known[:, target] = torch.tensor(table, device=labels.device)[known[:, source]]
        filled = labels.clone()
        for index, generator in enumerate(generators):
            given = labels[index] != null
            if given.all():
                continue
            fitting = known[(known == labels[index])[:, given].all(dim=1)]
            if len(fitting):
                pick = torch.randint(len(fitting), (), generator=generator, device=labels.device)
                filled[index] = fitting[pick]
        return filled

    def decode_latent(self, latent: Tensor) -> Tensor:
        """Latents (B, D, H, W) to pictures (B, 3, H, W) in [-1, 1].

        On the CPU pictures go one by one: kernels round differently for different batch sizes.
        """
        self.pack()
        with torch.inference_mode():
            chunks = latent.split(1) if latent.device.type == "cpu" else [latent]
            return torch.cat([self.tokenizer.decode_latent(chunk) for chunk in chunks])

    def tokenize(self, image: Image.Image) -> tuple[list[Tensor], list[Image.Image]]:
        """The token maps of a picture, and the picture after 1, 2, ... K of their scales.

        Args:
            image: any size; its central square is used.

        Returns:
            K tensors (1, S, S) int64 and K pictures of the model's size, coarse to fine.
        """
        with torch.inference_mode():
            pixels = image_to_tensor(fit_square(image, self.image_size)).to(self.device)
            quantization = self.tokenizer.encode(pixels)
            decoded = self.decode_latent(torch.cat(quantization.latents))
        return quantization.token_maps, tensor_to_images(decoded)

    def reconstruct(self, image: Image.Image) -> list[Image.Image]:
        """A picture after 1, 2, ... K of the tokenizer's scales, as `tokenize` gives it."""
        return self.tokenize(image)[1]

    def _steps(
        self,
        class_labels: Sequence[Label],
        options: SamplingOptions,
        generator: Sequence[torch.Generator] | None,
        output_type: str,
        keep: Sequence[Tensor],
    ) -> tuple[list[tuple[int, ...]], Iterator[ScaleStep]]:
        """Check the arguments, then return the full labels and the running sampler."""
        if output_type not in OUTPUT_TYPES:
            raise ValueError(
                f"output_type must be one of {', '.join(OUTPUT_TYPES)}, got {output_type!r}"
            )
        options = options.fitted(self.info.vocab_size)
        given, generators = self.check_batch(class_labels, generator)
        labels = self.fill_open_labels(given, generators)
        if keep and len(keep[0]) != len(labels):
            raise ValueError(f"keep must hold tokens of {len(labels)} pictures")
        quantizer = self.tokenizer.quantizer
        if keep:
            KeepScales(quantizer, keep)  # which checks them

        def make_rule(rows: slice) -> ScaleRule | None:
            return KeepScales(quantizer, [tokens[rows] for tokens in keep]) if keep else None

        together = 1 if options.smooth else TOGETHER
        condition = Condition.of_labels(labels)
        steps = self.sample(condition, options, generators, make_rule, together)
        return [tuple(label) for label in labels.tolist()], steps

    def check_batch(
        self, class_labels: Sequence[Label], generator: Sequence[torch.Generator] | None
    ) -> tuple[Tensor, Sequence[torch.Generator]]:
        """Indices (B, A) of labels, null where open, and a generator for each.

        Raises:
            ValueError: if there are none or too many, one is unknown, or the numbers differ.
        """
        if not isinstance(class_labels, list | tuple) or not 1 <= len(class_labels) <= MAX_IMAGES:
            raise ValueError(f"class_labels must be a list of 1 to {MAX_IMAGES} labels")
        resolved = [self.labels.resolve(label) for label in class_labels]
        if generator is None:
            generator = [torch.Generator(self.device) for _ in resolved]
            for one in generator:
                one.seed()
        if not isinstance(generator, list | tuple) or len(generator) != len(resolved):
            raise ValueError(f"generator must be a list of {len(resolved)}, one for each picture")
        return torch.tensor(resolved, device=self.device), generator

    def sample(
        self,
        condition: Condition,
        options: SamplingOptions,
        generators: Sequence[torch.Generator],
        make_rule: Callable[[slice], ScaleRule | None],
        together: int = 1,
    ) -> Iterator[ScaleStep]:
        """Run the sampling loop on a condition.

        A seed must give the same picture alone and in any batch. On a CPU that holds for packed
        weights and codes that are drawn, not mixed or matched; else pictures go one by one.

        Args:
            condition: what each of B pictures is to show.
            options: how tokens are drawn.
            generators: one per picture.
            make_rule: gives the rule for some rows of the batch.
            together: pictures at once on a CPU, where they may be.
        """
        self.pack()
        if self.device.type != "cpu":
            together = len(condition)
        elif not self.transformer.head.weight.is_mkldnn:
            together = 1
        starts = range(0, len(condition), together)
        parts = [slice(start, start + together) for start in starts]
        quantizer = self.tokenizer.quantizer
        runs = [
            sample_scales(
                self.transformer,
                quantizer,
                condition.rows(rows),
                options,
                generators[rows],
                make_rule(rows),
                recorder=self._recorder if self.device.type == "cuda" and records() else None,
            )
            for rows in parts
        ]
        return runs[0] if len(runs) == 1 else _side_by_side(runs)

    def _previews(
        self, labels: list[tuple[int, ...]], steps: Iterator[ScaleStep], output_type: str
    ) -> Iterator[Preview]:
        token_maps: list[Tensor] = []
        total = self.transformer.schedule.num_scales
        for step in steps:
            token_maps.append(step.token_map)
            number = step.scale_index + 1
            decode = self.decode_latent if number == total else self.tokenizer.sketch_latent
            with torch.inference_mode():
                images = self._output(decode(step.latent), output_type)
            yield Preview(images, list(token_maps), number, total, labels, step.latent)

    def _output(self, images: Tensor, output_type: str) -> Pictures:
        if output_type == "pil":
            return tensor_to_images(images)
        unit = (images + 1) / 2
        return unit if output_type == "pt" else unit.permute(0, 2, 3, 1).cpu().numpy()


def records() -> bool:
    """Whether drawings on a GPU are recorded as CUDA graphs: VAR_CUDA_GRAPHS is 1."""
    return os.environ.get(GRAPHS_VARIABLE) == "1"


def _side_by_side(runs: Sequence[Iterator[ScaleStep]]) -> Iterator[ScaleStep]:
    """Advance single-picture runs together and join their steps to batches."""
    for steps in zip(*runs, strict=True):
        yield ScaleStep(
            steps[0].scale_index,
            torch.cat([step.token_map for step in steps]),
            torch.cat([step.latent for step in steps]),
            None if steps[0].logits is None else torch.cat([step.logits for step in steps]),
        )
