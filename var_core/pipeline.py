"""What people call: draw, stream, save and load.

Editing is in `edit_methods`, looking inside in `inspect_methods`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from var_core.doors import door
from var_core.edit_methods import EditMethods
from var_core.images import tensor_to_images
from var_core.inspect_methods import InspectMethods
from var_core.labels import Label
from var_core.network_methods import NetworkMethods
from var_core.outputs import Pictures, Preview, VARPipelineOutput
from var_core.own_settings import in_own_settings
from var_core.pipeline_parts import PipelineParts
from var_core.ranges import check_choice
from var_core.sampling import KeepScales, SamplingOptions, ScaleRule, ScaleStep
from var_core.sampling.code_rules import check_kept
from var_core.sampling.rng import Generators
from var_core.wishes import Prompt, Wish

OUTPUT_TYPES = ("pil", "np", "pt")
TOGETHER = 4  # pictures at once on a CPU: more gain little, and each keeps its keys and values


class VARPipeline(EditMethods, InspectMethods, NetworkMethods, PipelineParts):
    """Next-scale image generation (arXiv 2404.02905) as a diffusers pipeline.

    Args:
        tokenizer: turns token maps into pictures and back.
        transformer: predicts token maps.
        labels: names of the transformer's labels, and menus; None numbers the values of one
            attribute `class`.
        phrases: phrases whose vectors are stored, which also names the text encoder; None for a
            transformer that takes no text.
        text_encoder: folder of a `transformers` text model; None takes the embedded encoder. It is
            loaded when words are met whose vectors are not stored.
        defaults: sampling options where a call gives none, the model's own; they are saved with it.

    Attributes:
        info: labels, scales and limits.
        packs: whether drawing may lay the networks' weights out (see `pack`); to be switched off
            for networks whose weights go on changing.

    Raises:
        ValueError: if the parts do not fit together.
    """

    @door
    def __call__(
        self,
        class_labels: Sequence[Label | Wish] | None = None,
        guidance_scale: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        temperature: float | None = None,
        smooth: bool | None = None,
        generator: Generators | None = None,
        output_type: str = "pil",
        keep: Sequence[Tensor] = (),
        *,
        prompt: str | Sequence[Prompt] | None = None,
        negative_prompt: str | Sequence[Prompt] | None = None,
        return_dict: bool = True,
    ) -> VARPipelineOutput:
        """Draw one picture per label or prompt; sampling options go under their diffusers names.

        An option that is not given, or None, is the model's own default, see `info.options`.

        Args:
            class_labels: labels of each picture: None (everything open), an int (models with one
                attribute), a tuple with one entry per attribute, or a dictionary from attributes
                and menus to values; entries are names, indices or None. An emoji fills in its
                category. None leaves the labels of all pictures open.
            guidance_scale: 0 (off) to 20; the weight at the last scale, ramped up from 0.
            top_k: draw among the k likeliest codes; 0 is off.
            top_p: draw among the likeliest codes of this mass; 0 is off.
            temperature: above 1 wilder, below 1 tamer; 0.01 to 10.
            smooth: mix codes instead of drawing one; smoother looks, less faithful statistics.
            generator: one `torch.Generator` per picture, or one that seeds them; None takes random
                seeds.
            output_type: "pil", "np" or "pt".
            keep: token maps of the first scales of earlier pictures, (B, h, w) int64 each; they
                are kept, and the rest is drawn, perhaps with another seed or label.
            prompt: words for each picture: a text ("a fox and a pizza, in the snow"), its phrases,
                or None; a single text is one picture. A model without text takes the nearest names.
            negative_prompt: what guidance pushes away from, one text for all pictures or one each.
            return_dict: True; for those who are used to it.

        Returns:
            The pictures and their token maps.

        Raises:
            ValueError: if an argument is out of range; nothing has been drawn then.
        """
        if not return_dict:
            raise ValueError("return_dict must be true: a result has names, such as .images")
        given = {
            "guidance_scale": guidance_scale,
            "temperature": temperature,
            "top_k": top_k,
            "top_p": top_p,
            "smooth": smooth,
        }
        chosen: dict[str, Any] = {name: one for name, one in given.items() if one is not None}
        options = replace(self.info.options, **chosen)
        wishes = self.info.reader.read_all(class_labels, prompt, negative_prompt)
        return self.draw(wishes, options, generator, output_type, keep)

    @door
    def draw(
        self,
        class_labels: Sequence[Label | Wish] | None = None,
        options: SamplingOptions | None = None,
        generator: Generators | None = None,
        output_type: str = "pil",
        keep: Sequence[Tensor] = (),
        *,
        prompt: str | Sequence[Prompt] | None = None,
        negative_prompt: str | Sequence[Prompt] | None = None,
    ) -> VARPipelineOutput:
        """As `__call__`, with the sampling options in one object; None takes the model's own."""
        wishes = self.info.reader.read_all(class_labels, prompt, negative_prompt)
        finished = list(self._start(wishes, options, generator, output_type, keep))
        images = self._output(self.decode_latent(finished[-1].latent), output_type)
        return VARPipelineOutput(images, [step.token_map for step in finished], wishes)

    @door
    def stream(
        self,
        class_labels: Sequence[Label | Wish] | None = None,
        options: SamplingOptions | None = None,
        generator: Generators | None = None,
        output_type: str = "pil",
        keep: Sequence[Tensor] = (),
        *,
        prompt: str | Sequence[Prompt] | None = None,
        negative_prompt: str | Sequence[Prompt] | None = None,
    ) -> Iterator[Preview]:
        """Draw pictures and yield them after every scale; the last preview is the result.

        Earlier ones are sketches, which cost next to nothing, where the tokenizer has a sketch
        decoder. `decode_latent(preview.latent)` is the true decode.

        The arguments are those of `draw`. They are checked here, not at the first preview.
        """
        wishes = self.info.reader.read_all(class_labels, prompt, negative_prompt)
        steps = self._start(wishes, options, generator, output_type, keep)
        return self._previews(wishes, steps, output_type)

    def _start(
        self,
        wishes: Sequence[Wish],
        options: SamplingOptions | None,
        generator: Generators | None,
        output_type: str,
        keep: Sequence[Tensor],
    ) -> Iterator[ScaleStep]:
        """Check the arguments of a drawing, and start it."""
        options = self.info.fit_options(options)
        check_choice("output_type", output_type, OUTPUT_TYPES)
        generators = self.check_generators(generator, len(wishes))
        rule = self._keep_rule(keep, len(wishes))
        condition = self.wish_encoder.condition(wishes, self.device)
        against = self.wish_encoder.against(wishes, self.device)
        return self.sample(condition, options, generators, rule, TOGETHER, against)

    def _keep_rule(self, keep: Sequence[Tensor], count: int) -> Callable[[slice], ScaleRule | None]:
        """What returns the rule that keeps some scales of earlier pictures, for some rows."""
        quantizer = self.tokenizer.quantizer
        kept = check_kept(quantizer, keep, count)
        if not kept:
            return lambda rows: None
        return lambda rows: KeepScales(quantizer, [tokens[rows] for tokens in kept])

    @in_own_settings
    def _previews(
        self, wishes: list[Wish], steps: Iterator[ScaleStep], output_type: str
    ) -> Iterator[Preview]:
        token_maps: list[Tensor] = []
        total = self.transformer.schedule.num_scales
        for step in steps:
            token_maps.append(step.token_map)
            number = step.scale_index + 1
            decode = self.decode_latent if number == total else self.tokenizer.sketch_latent
            with torch.inference_mode():
                images = self._output(decode(step.latent), output_type)
            yield Preview(images, list(token_maps), number, total, wishes, step.latent)

    def _output(self, images: Tensor, output_type: str) -> Pictures:
        if output_type == "pil":
            return tensor_to_images(images)
        unit = (images + 1) / 2
        return unit if output_type == "pt" else unit.permute(0, 2, 3, 1).cpu().numpy()
