"""What is known of a model without its weights: labels, scales, limits, size."""

import os
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch

from var_core.checkpoints import CheckpointError, outline_network, read_json, refuse_pickles
from var_core.labels import LABELS_FILE, LabelSpace
from var_core.option_fields import OptionField, Value, option_fields, with_defaults
from var_core.ranges import check_kind
from var_core.sampling import DEFAULTS, SamplingOptions
from var_core.scales import ScaleSchedule
from var_core.text import PhraseTable
from var_core.tokenizer import MultiScaleVQVAE
from var_core.transformer import VARTransformer
from var_core.wishes import WishReader

INDEX_FILE = "model_index.json"
PICTURES, CLIPS = "VARPipeline", "VARClipPipeline"  # classes of pipelines, as folders name them
MAKES = {PICTURES: "pictures", CLIPS: "clips"}
FRAMES_PER_SECOND = 8
MAX_PARTS = 16  # of a clip, one drawn after another
OPTIONS_KEY = "sampling_options"  # of the index: the model's own defaults, where it has some
INDEX_KEYS = {
    *("_class_name", "_diffusers_version", "_name_or_path", "tokenizer", "transformer"),
    OPTIONS_KEY,
}


@dataclass(frozen=True)
class ModelInfo:
    """A model as its settings describe it; it cannot draw.

    Attributes:
        name: name of the model's folder; "" for a model that was not loaded from a folder.
        labels: names of the labels.
        schedule: scales of the token maps.
        vocab_size: number of codes in the codebook.
        image_shape: height and width of the pictures in pixels.
        max_phrases: number of phrases that a prompt may have; 0 for a model without text.
        tokenizer_parameters: number of parameters of the tokenizer.
        transformer_parameters: number of parameters of the transformer.
        num_frames: number of frames that the model draws together; 1 for a model of pictures.
        frame_stride: frames of a clip for each frame of the latent after the first.
        defaults: sampling options where none are given; those that the model does not state are
            the usual ones.
    """

    name: str
    labels: LabelSpace
    schedule: ScaleSchedule
    vocab_size: int
    image_shape: tuple[int, int]
    max_phrases: int
    tokenizer_parameters: int
    transformer_parameters: int
    num_frames: int = 1
    frame_stride: int = 1
    defaults: SamplingOptions = DEFAULTS

    @property
    def frames_kept(self) -> int:
        """Frames of a clip that its next part goes on from: one, and half of the others."""
        return 1 + self.frame_stride * ((self.num_frames - 1) // self.frame_stride // 2)

    @property
    def clip_lengths(self) -> range:
        """Frames that a clip may have: those of one part, and of several that overlap."""
        step = max(1, self.num_frames - self.frames_kept)
        return range(self.num_frames, self.num_frames + MAX_PARTS * step, step)

    @cached_property
    def reader(self) -> WishReader:
        """Reads what is asked of the model, in labels and words."""
        return WishReader(self.labels, self.max_phrases)

    @property
    def options(self) -> SamplingOptions:
        """The model's own default options, with top_k clamped to the codebook."""
        return self.defaults.fitted(self.vocab_size)

    def fit_options(self, options: SamplingOptions | None) -> SamplingOptions:
        """The options of a drawing, for this codebook; None stands for the model's own.

        Raises:
            ValueError: if they are no options, or top_k exceeds the number of codes.
        """
        if options is None:
            return self.options
        return check_kind("options", options, SamplingOptions).fitted(self.vocab_size)

    @property
    def option_fields(self) -> tuple[OptionField, ...]:
        """The sampling options with the limits and defaults of this model."""
        return tuple(
            replace(one, high=self.vocab_size) if one.name == "top_k" else one
            for one in with_defaults(self.options)
        )

    @property
    def num_parameters(self) -> int:
        """Number of parameters of both networks."""
        return self.tokenizer_parameters + self.transformer_parameters

    def size_bytes(self, dtype: torch.dtype) -> int:
        """Size of all weights in a dtype."""
        return self.num_parameters * dtype.itemsize


def describe_networks(
    tokenizer: MultiScaleVQVAE,
    transformer: VARTransformer,
    labels: LabelSpace | None,
    defaults: SamplingOptions = DEFAULTS,
) -> ModelInfo:
    """Describe two networks that belong together; the name of the model stays empty.

    Args:
        tokenizer: tokenizer, perhaps on the meta device.
        transformer: transformer, perhaps on the meta device.
        labels: names of the transformer's labels; None numbers the values of one attribute
            `class`.
        defaults: sampling options where none are given.

    Raises:
        ValueError: if the parts do not fit together.
    """
    counts = transformer.null_labels
    if labels is None and len(counts) == 1:
        labels = LabelSpace.single("class", counts[0])
    if labels is None or labels.counts != counts:
        found = None if labels is None else labels.counts
        raise ValueError(f"the transformer has label counts {counts}, the names have {found}")
    for name in ("vocab_size", "code_dim"):
        ours, theirs = tokenizer.config[name], transformer.config[name]
        if ours != theirs:
            raise ValueError(f"{name} is {ours} in the tokenizer, {theirs} in the transformer")
    if tokenizer.schedule != transformer.schedule:
        raise ValueError(
            f"the scales are {tokenizer.schedule.sides} in the tokenizer, "
            f"{transformer.schedule.sides} in the transformer"
        )
    check_kind("defaults", defaults, SamplingOptions).fitted(tokenizer.quantizer.vocab_size)
    return ModelInfo(
        "",
        labels,
        tokenizer.schedule,
        tokenizer.quantizer.vocab_size,
        tokenizer.image_shape,
        transformer.num_prefix,
        sum(parameter.numel() for parameter in tokenizer.parameters()),
        sum(parameter.numel() for parameter in transformer.parameters()),
        tokenizer.num_frames,
        2**tokenizer.num_halvings,
        defaults,
    )


def kind_of(folder: Path) -> str:
    """The class of the pipeline in a model folder: `PICTURES` or `CLIPS`.

    Raises:
        CheckpointError: if the folder is missing, or holds neither.
    """
    found = read_json(folder / INDEX_FILE).get("_class_name") if os.path.isdir(folder) else None
    kind = CLIPS if found == CLIPS else PICTURES
    check_index(folder, kind)
    return kind


def check_index(folder: Path, wanted: str = PICTURES) -> None:
    """Check the index of a model folder.

    Args:
        folder: the folder.
        wanted: class of the pipeline that it must hold.

    Raises:
        CheckpointError: if the folder is missing, holds a pickle, or another pipeline.
    """
    refuse_pickles(folder)
    index = read_json(folder / INDEX_FILE)
    if surplus := sorted(set(index) - INDEX_KEYS):
        raise CheckpointError(f"{folder / INDEX_FILE}: {surplus[0]!r} is not known")
    found = index.get("_class_name")
    if found == wanted:
        return
    if found in MAKES:
        raise CheckpointError(
            f"{folder} is a model of {MAKES[found]}, and one of {MAKES[wanted]} is needed"
        )
    raise CheckpointError(f"{folder} holds a {found!s:.40}, not a {wanted}")


def read_labels(folder: Path) -> LabelSpace | None:
    """The label names of a model folder; None if it has none.

    Raises:
        CheckpointError: if the file is damaged.
    """
    path = folder / LABELS_FILE
    if not os.path.exists(path):  # also where the name is too long for a folder
        return None
    try:
        return LabelSpace.from_json(read_json(path))
    except CheckpointError:
        raise
    except ValueError as error:
        raise CheckpointError(f"{folder}: {error}") from error


def read_defaults(folder: Path) -> SamplingOptions:
    """The sampling options that a model folder states as its own defaults, over the usual ones.

    Raises:
        CheckpointError: if the index is damaged, or a value is unknown or out of range.
    """
    path = folder / INDEX_FILE
    stated = read_json(path).get(OPTIONS_KEY, {}) if os.path.exists(path) else {}
    known = {one.name: one for one in option_fields(SamplingOptions)}
    try:
        if not isinstance(stated, dict):
            raise ValueError(f"it must be an object of names to values, got {stated!r:.40}")
        if surplus := sorted(set(stated) - set(known)):
            raise ValueError(f"there are {', '.join(known)}, not {surplus[0]!r:.40}")
        return replace(DEFAULTS, **{name: known[name].check(stated[name]) for name in stated})
    except ValueError as error:
        raise CheckpointError(f"{OPTIONS_KEY} of {path}: {error}") from error


def stated_defaults(defaults: SamplingOptions) -> dict[str, Value]:
    """What a model folder states of its default options: those that are not the usual ones."""
    own = {one.name: one.default for one in with_defaults(defaults)}
    usual = {one.name: one.default for one in option_fields(DEFAULTS)}
    return {name: value for name, value in own.items() if value != usual[name]}


def read_phrases(folder: Path) -> PhraseTable:
    """The phrase vectors of a model folder.

    Raises:
        CheckpointError: if they are missing or damaged.
    """
    try:
        return PhraseTable.load(folder)
    except ValueError as error:
        raise CheckpointError(str(error)) from error


def read_model_info(path: str | Path, wanted: str = PICTURES) -> ModelInfo:
    """Read a model folder without its weights, which may be missing.

    Args:
        path: the folder.
        wanted: class of the pipeline that it must hold, `PICTURES` or `CLIPS`.

    Raises:
        CheckpointError: if anything but the weights is missing or damaged.
    """
    folder = Path(path)
    check_index(folder, wanted)
    tokenizer = outline_network(folder / "tokenizer", MultiScaleVQVAE)
    transformer = outline_network(folder / "transformer", VARTransformer)
    labels, defaults = read_labels(folder), read_defaults(folder)
    try:
        info = describe_networks(tokenizer, transformer, labels, defaults)
    except ValueError as error:
        raise CheckpointError(f"{folder}: {error}") from error
    return replace(info, name=folder.absolute().name)
