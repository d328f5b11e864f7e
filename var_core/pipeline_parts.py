"""What the pipeline is made of, and how it is loaded, saved and made again: as in diffusers."""

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn, Self, TypeVar

import torch
from diffusers.pipelines.pipeline_utils import DiffusionPipeline

from var_core.adapters import load_adapter
from var_core.checkpoints import CheckpointError, load_tokenizer, load_transformer, open_to_readers
from var_core.doors import door
from var_core.hub import MESSAGE, push_folder
from var_core.labels import LabelSpace
from var_core.model_info import (
    CLIPS,
    MAKES,
    OPTIONS_KEY,
    PICTURES,
    check_index,
    describe_networks,
    read_defaults,
    read_labels,
    read_phrases,
    stated_defaults,
)
from var_core.ranges import check_kind
from var_core.sampling import DEFAULTS, SamplingOptions
from var_core.sampling.graphs import GraphRecorder
from var_core.text import PhraseTable, PhraseVectors, TextEncoder, open_text_encoder
from var_core.tokenizer import MultiScaleVQVAE
from var_core.transformer import VARTransformer
from var_core.wishes import WishEncoder

DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)
ENCODER_FOLDER = "text_encoder"
Made = TypeVar("Made", bound="PipelineParts")


class PipelineParts(DiffusionPipeline):
    """Networks, labels and phrases: part of `VARPipeline`, which describes the arguments.

    Attributes:
        kind: class of the pipeline, as its folder names it: one of pictures or of clips.
    """

    kind = PICTURES

    def __init__(
        self,
        tokenizer: MultiScaleVQVAE,
        transformer: VARTransformer,
        labels: LabelSpace | None = None,
        phrases: PhraseTable | None = None,
        text_encoder: str | Path | None = None,
        defaults: SamplingOptions = DEFAULTS,
    ) -> None:
        super().__init__()
        self._text_encoder_folder = text_encoder
        for name, part, kind in (
            ("tokenizer", tokenizer, MultiScaleVQVAE),
            ("transformer", transformer, VARTransformer),
        ):
            check_kind(name, getattr(part, "_orig_mod", part), kind)  # what was compiled, inside
        info = describe_networks(tokenizer, transformer, labels, defaults)
        found = CLIPS if info.schedule.is_clip else PICTURES
        if found != self.kind:
            raise ValueError(f"these networks make {MAKES[found]}: use {found}")
        self.register_modules(tokenizer=tokenizer, transformer=transformer)
        if stated := stated_defaults(info.defaults):
            self.register_to_config(**{OPTIONS_KEY: stated})  # written with the index
        self.info = info
        self.labels = info.labels
        self.packs = True
        self.recorder = GraphRecorder()
        vectors = None
        if phrases is not None:
            encoder_name = phrases.encoder

            def open_encoder() -> TextEncoder:
                return open_text_encoder(encoder_name, text_encoder)

            vectors = PhraseVectors(phrases, open_encoder)
        slots = transformer.num_prefix, transformer.text_dim
        self.wish_encoder = WishEncoder(info.labels, *slots, vectors)

    @classmethod
    @door
    def from_pretrained(  # pyright: ignore[reportIncompatibleMethodOverride]  # strict on purpose
        cls,
        path: str | Path,
        torch_dtype: torch.dtype = torch.float32,
        text_encoder: str | Path | None = None,
        *,
        dtype: torch.dtype | None = None,
        local_files_only: bool = True,
        cache_dir: object = None,
        use_safetensors: bool = True,
        low_cpu_mem_usage: bool = True,
        variant: str | None = None,
        device_map: object = None,
    ) -> Self:
        """Load a model folder, strictly; nothing is ever fetched.

        Args:
            path: a folder written by `save_pretrained`.
            torch_dtype: dtype of both networks; quantizer and last convolution stay float32.
            text_encoder: folder of a `transformers` text model; None takes the one inside the
                model folder (`text_encoder`), or else the embedded encoder.
            dtype: other name of `torch_dtype`.
            local_files_only: without effect, as there are no other files.
            cache_dir: without effect.
            use_safetensors: True.
            low_cpu_mem_usage: without effect.
            variant: None; `torch_dtype` chooses the dtype.
            device_map: None; `to` chooses the device.

        Raises:
            ValueError: if an argument asks for what there is not.
            CheckpointError: if anything is missing, surplus, misshapen, not finite or not
                safetensors or JSON.
        """
        for name, is_fine, instead in (
            ("use_safetensors", bool(use_safetensors), "no pickles are loaded"),
            ("variant", variant is None, "use torch_dtype"),
            ("device_map", device_map is None, 'use .to("cuda")'),
        ):
            if not is_fine:
                raise ValueError(f"{name} is not for model folders: {instead}")
        chosen = _chosen_dtype(torch_dtype, dtype)
        folder = Path(path)
        check_index(folder, cls.kind)
        labels, defaults = read_labels(folder), read_defaults(folder)
        tokenizer = load_tokenizer(folder / "tokenizer", chosen)
        transformer = load_transformer(folder / "transformer", chosen)
        phrases = read_phrases(folder) if transformer.num_prefix else None
        if text_encoder is None and (folder / ENCODER_FOLDER).is_dir():
            text_encoder = folder / ENCODER_FOLDER
        try:
            pipeline = cls(tokenizer, transformer, labels, phrases, text_encoder, defaults)
        except ValueError as error:
            raise CheckpointError(f"{folder}: {error}") from error
        pipeline.info = replace(pipeline.info, name=folder.absolute().name)
        return pipeline

    def save_pretrained(  # pyright: ignore[reportIncompatibleMethodOverride]  # strict on purpose
        self, path: str | Path, *, safe_serialization: bool = True
    ) -> None:
        """Write a folder that `from_pretrained` loads: safetensors and JSON only.

        Raises:
            ValueError: if `safe_serialization` is off.
        """
        if not safe_serialization:
            raise ValueError("safe_serialization must be true: no pickles are written")
        folder = Path(path)
        super().save_pretrained(folder, safe_serialization=True)
        for name in ("tokenizer", "transformer"):
            open_to_readers(folder / name)
        self.labels.save(folder)
        if self.wish_encoder.vectors is not None:
            self.wish_encoder.vectors.table.save(folder)

    def push_to_hub(  # pyright: ignore[reportIncompatibleMethodOverride]  # strict on purpose
        self,
        repo_id: str,
        *,
        private: bool | None = None,
        token: str | None = None,
        commit_message: str = MESSAGE,
    ) -> str:
        """Save the model and upload it, see `push_folder`; returns the address of its page.

        Raises:
            ValueError: if the hub is not there or refuses.
        """
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            return push_folder(
                folder, repo_id, private=private, token=token, commit_message=commit_message
            )

    @door
    def with_adapter(self, path: str | Path, strength: float = 1.0) -> Self:
        """A pipeline that also draws the new thing of an adapter; this one stays as it is.

        Saved, it is a model folder like any other.

        Args:
            path: folder that `python -m training.lora` wrote.
            strength: factor on the changes of weights, 0 to 2.

        Raises:
            CheckpointError: if the folder is missing or damaged.
            ValueError: if the adapter belongs to another model, or the name of its thing is taken.
        """
        known = self.transformer, self.labels, self.components["phrases"]
        adapted = load_adapter(path).applied(*known, strength)
        return self.from_pipe(self, **adapted._asdict())

    def __reduce__(self) -> tuple[Any, ...]:
        """Copied and pickled as what it is made of; locks and recordings are made anew."""
        names = ("packs", "_progress_bar_config")
        state = {name: getattr(self, name) for name in names if hasattr(self, name)}
        return _made_of, (type(self), self.components, self.info.name), state

    @property
    def components(self) -> dict[str, Any]:
        """All arguments that make this pipeline again."""
        vectors = self.wish_encoder.vectors
        return {
            "tokenizer": self.tokenizer,
            "transformer": self.transformer,
            "labels": self.labels,
            "phrases": None if vectors is None else vectors.table,
            "text_encoder": self._text_encoder_folder,
            "defaults": self.info.defaults,
        }

    @classmethod
    def from_pipe(  # pyright: ignore[reportIncompatibleMethodOverride]  # strict on purpose
        cls, pipeline: "PipelineParts", **changes: Any
    ) -> Self:
        """A pipeline of the same parts, some of them changed; networks are shared.

        Raises:
            ValueError: if there is no such part, or the parts do not fit together.
        """
        parts: Mapping[str, Any] = pipeline.components
        for name in changes:
            if name not in parts:
                raise ValueError(f"a pipeline is made of {', '.join(parts)}, not {name!r:.40}")
        return _made_of(cls, {**parts, **changes}, pipeline.info.name)

    def enable_model_cpu_offload(self, *_: object, **__: object) -> NoReturn:
        """Refuse, as hooks of diffusers see only whole calls of networks."""
        raise ValueError(
            "networks are not moved between CPU and GPU while they draw, scale by scale: "
            'use .to("cuda") or .to("cpu")'
        )

    enable_sequential_cpu_offload = enable_model_cpu_offload
    enable_group_offload = enable_model_cpu_offload


def _chosen_dtype(torch_dtype: torch.dtype, dtype: torch.dtype | None) -> torch.dtype:
    """The dtype that is asked for under one of its names.

    Raises:
        ValueError: if the names say different things, or networks cannot have it.
    """
    if dtype is not None and torch_dtype not in (torch.float32, dtype):
        raise ValueError(f"dtype is {dtype}, but torch_dtype is {torch_dtype!r:.40}")
    chosen = torch_dtype if dtype is None else dtype
    if chosen not in DTYPES:
        known = ", ".join(map(str, DTYPES))
        raise ValueError(f"torch_dtype must be one of {known}, got {chosen!r:.40}")
    return chosen


def _made_of(kind: type[Made], components: Mapping[str, Any], name: str) -> Made:
    made = kind(**components)
    made.info = replace(made.info, name=name)
    return made
