"""The methods of the pipeline that look inside."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from PIL import Image
from torch import Tensor

from var_core.doors import door
from var_core.images import tensor_to_images
from var_core.inspection import (
    MAX_ALTERNATIVES,
    NUM_ALTERNATIVES,
    Inspection,
    exchanged_latents,
    inspect_tokens,
)
from var_core.labels import Label
from var_core.model_info import ModelInfo
from var_core.ranges import check_int
from var_core.sampling.code_rules import check_one_picture, check_token_maps
from var_core.tokenizer import MultiScaleVQVAE
from var_core.transformer import VARTransformer
from var_core.wishes import Prompt, Wish, WishEncoder


class InspectablePipeline(Protocol):
    """What looking inside needs of a pipeline; `VARPipeline` has it all."""

    info: ModelInfo
    tokenizer: MultiScaleVQVAE
    transformer: VARTransformer
    wish_encoder: WishEncoder

    def pack(self) -> None:
        """Lay the weights out for drawing."""
        ...

    def decode_latent(self, latent: Tensor) -> Tensor:
        """Latents to pictures."""
        ...


class InspectMethods:
    """What the model thinks of a picture's tokens: part of `VARPipeline`."""

    @door
    def inspect(
        self: InspectablePipeline,
        token_maps: Sequence[Tensor],
        class_labels: Sequence[Label | Wish] | None = None,
        num_alternatives: int = NUM_ALTERNATIVES,
        *,
        prompt: str | Sequence[Prompt] | None = None,
    ) -> Inspection:
        """How likely the model finds each token of some pictures, and where each scale looks.

        `result = pipeline([...]); pipeline.inspect(result.token_maps, result.wishes)` looks into
        drawings, `pipeline.inspect(pipeline.tokenize(image)[0], [label])` into any picture. A
        smooth drawing has no tokens of its own: encode its picture.

        The numbers are those of the plain conditional distribution, without guidance and filters
        (see `inspection.inspect_tokens`).

        Args:
            token_maps: tokens of the first scales or of all, (B, h, w) int64 each, coarse to fine.
            class_labels: labels of each picture as for drawing, or the wishes of a result; None
                leaves all labels open.
            num_alternatives: number of other codes for each token, 1 to 64.
            prompt: prompts as for drawing.

        Raises:
            ValueError: if an argument is out of range or does not fit the model.
        """
        maps = check_token_maps(self.tokenizer.quantizer, token_maps)
        if class_labels is None and prompt is None:
            class_labels = [None] * len(maps[0])
        asked = self.info.reader.read_all(class_labels, prompt)
        wishes = [replace(wish, negative=()) for wish in asked]
        condition = self.wish_encoder.condition(wishes, self.transformer.device)
        self.pack()
        parts = self.transformer, self.tokenizer.quantizer, maps, condition
        return inspect_tokens(*parts, num_alternatives)

    @door
    def exchange(
        self: InspectablePipeline,
        token_maps: Sequence[Tensor],
        scale: int,
        row: int,
        column: int,
        tokens: Sequence[int],
    ) -> list[Image.Image]:
        """A picture with other codes in one place, all other tokens of all scales as they are.

        Args:
            token_maps: tokens of one picture, (1, h, w) int64 each, coarse to fine.
            scale: number of the scale, from 1.
            row: place from the top, from 0.
            column: place from the left, from 0.
            tokens: codes to put there, 1 to 64.

        Returns:
            One picture for each code.

        Raises:
            ValueError: if a value is out of range, or the tokens do not fit the model.
        """
        quantizer = self.tokenizer.quantizer
        maps = check_one_picture(quantizer, token_maps)
        scale = check_int("scale", scale, 1, len(maps))
        codes = list(tokens) if isinstance(tokens, Iterable) else []
        if not 1 <= len(codes) <= MAX_ALTERNATIVES:
            raise ValueError(f"tokens must be 1 to {MAX_ALTERNATIVES} codes, got {tokens!r:.40}")
        place = check_place(self.info, scale, row, column, codes)
        latents = exchanged_latents(quantizer, maps, scale - 1, *place, codes)
        return tensor_to_images(self.decode_latent(latents))


def check_place(
    info: ModelInfo, scale: int, row: object, column: object, tokens: Sequence[object]
) -> tuple[int, int]:
    """Check a place in the token maps, and codes to put there; returns row and column.

    Raises:
        ValueError: if a value is out of range.
    """
    shapes = info.schedule.shapes
    height, width = shapes[check_int("scale", scale, 1, len(shapes)) - 1]
    for token in tokens:
        check_int("a token", token, 0, info.vocab_size - 1)
    return check_int("row", row, 0, height - 1), check_int("column", column, 0, width - 1)
