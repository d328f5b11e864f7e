"""Figures of any model on any set of pictures with labels: reconstruction, likeness, diversity.

Features are those of EfficientNet-Lite0. Every figure of drawings stands beside the same one of
real pictures, which is what a perfect model would have.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from PIL import Image
from torch import Tensor

from training.data.open_pictures import open_pictures
from training.data.picture_source import PictureBatch, PictureSource, check_side
from training.evaluation.features import NUM_FEATURES, FeatureNet, load_features
from training.evaluation.frechet import feature_statistics, frechet_distance
from training.evaluation.inception import Inception, inception_figures, load_inception
from training.evaluation.sheets import SheetRow, captioned_sheet
from training.loop.command_line import Settings
from training.loop.heartbeat import busy, counting
from training.loop.processes import dealt, gathered
from training.tokenizer.perceptual import load_perceptual
from training.tokenizer.reconstruction import reconstruction_figures
from var_core.devices import pick_device
from var_core.option_fields import about, option
from var_core.pipeline import VARPipeline
from var_core.sampling import generators_from_seeds

AT_ONCE = 32  # pictures
SHOWN = 16
FEWEST = 4  # training pictures, for two halves of two


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings(Settings):
    """What to measure, and with what."""

    out_is_file = True

    model: str = field(metadata=about("model folder"))
    data: str = field(metadata=about("folder of the picture set"))
    nets: str = field(metadata=about("folder of training.prepare.nets"))
    out: str = field(metadata=about("JSON file to write; a sheet of drawings lies beside it"))
    inception: str = option(
        "", "file of Inception's weights for its figures too; needs the package torch-fidelity"
    )
    pictures: int = option(1000, "drawings to measure, at most half of the training set", low=2)
    labels: int = option(16, "labels whose drawings are compared with each other", low=1)
    seeds: int = option(8, "drawings of each of these labels", low=2)


@dataclass(frozen=True)
class Described:
    """Features of some pictures and what the pictures show.

    Attributes:
        features: (N, F), on the CPU.
        labels: (N, A) int64, as in the set.
        inception: what Inception says of them, (N, I); None where nobody asked it.
    """

    features: Tensor
    labels: Tensor
    inception: Tensor | None = None

    def every_other(self, first: int) -> "Described":
        """Half of the pictures, beginning with 0 or 1."""
        inception = None if self.inception is None else self.inception[first::2]
        return Described(self.features[first::2], self.labels[first::2], inception)


def write_figures(settings: EvaluationSettings) -> None:
    """Measure a model, with all processes; the first one writes and prints figures and sheet.

    Raises:
        ValueError: if model, pictures or nets cannot be used, or do not fit each other.
        OSError: if a file cannot be written.
    """
    accelerator = Accelerator(cpu=pick_device().type == "cpu")
    figures, sheet = measure(settings, accelerator)
    if not accelerator.is_main_process:
        return
    path, text = Path(settings.out), json.dumps(figures, indent=2)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", "utf-8")
    sheet.save(path.with_suffix(".png"))
    print(text)


def measure(
    settings: EvaluationSettings, accelerator: Accelerator
) -> tuple[dict[str, Any], Image.Image]:
    """All figures of a model and a sheet of drawings, the same in all processes."""
    with busy("opening model and pictures", accelerator.is_main_process):
        pipeline = VARPipeline.from_pretrained(settings.model).to(accelerator.device)
        pictures = open_pictures(settings.data)
        check_side(pictures, pipeline.tokenizer)
        training = pictures.fixed("train", 2 * settings.pictures)
        validation = pictures.fixed("validation", settings.pictures)
    if training.captions is not None:
        raise ValueError(
            f"{settings.data} holds scenes with words: use training.evaluation.scenes.figures"
        )
    if len(training.labels) < FEWEST:
        raise ValueError(f"{settings.data} has {len(training.labels)} training pictures, too few")
    tables = label_tables(pipeline, pictures)
    inception = load_inception(settings.inception) if settings.inception else None
    measurer = Measurer(pipeline, load_features(settings.nets), tables, accelerator, inception)
    real = measurer.describe(training, "training pictures")
    unseen = measurer.describe(validation, "validation pictures")
    asked = real.every_other(0).labels
    drawn = measurer.draw(asked, range(len(asked)), "drawings")
    perceptual = load_perceptual(settings.nets)
    images = validation.images.to(accelerator.device)
    with busy("rebuilding validation pictures", accelerator.is_main_process):
        rebuilt = reconstruction_figures(
            pipeline.tokenizer, perceptual.to(images.device), images, accelerator
        )
    figures: dict[str, Any] = {
        "reconstruction": {"n": len(images), **rebuilt},
        "frechet": frechet_figures(drawn, real),
        "recognised": recognition_figures(drawn, unseen, real.every_other(1), pictures),
        "diversity": diversity_figures(measurer, real, settings.labels, settings.seeds),
    }
    halves = [real.every_other(half).inception for half in (0, 1)]
    if drawn.inception is not None and halves[0] is not None and halves[1] is not None:
        figures["inception"] = inception_figures(drawn.inception, halves[0], halves[1])
    shown = torch.linspace(0, len(asked) - 1, min(SHOWN, len(asked))).long()  # of all labels
    rows = [
        SheetRow("training pictures", training.images[::2][shown]),
        SheetRow(
            "drawn",
            measurer.pictures(asked[shown], shown.tolist()).cpu(),
            pictures.words(asked[shown], None),
        ),
    ]
    return figures, Image.fromarray(captioned_sheet(rows))


class Measurer:
    """Draws and describes pictures, with all processes.

    Args:
        pipeline: model, on the device of the processes.
        net: feature net.
        tables: what `label_tables` returned.
        accelerator: the processes.
        inception: Inception; None does without.
    """

    def __init__(
        self,
        pipeline: VARPipeline,
        net: FeatureNet,
        tables: Sequence[tuple[int, Tensor] | None],
        accelerator: Accelerator,
        inception: Inception | None = None,
    ) -> None:
        self.pipeline = pipeline
        self.inception = None if inception is None else inception.to(accelerator.device)
        self.net = net.to(accelerator.device)
        self.tables = tables
        self.accelerator = accelerator
        self.is_first = accelerator.is_main_process

    def describe(self, batch: PictureBatch, title: str) -> Described:
        """Features of pictures."""
        return self._described(batch.labels, title, lambda rows: batch.images[rows])

    def draw(self, labels: Tensor, seeds: Sequence[int], title: str) -> Described:
        """Features of drawings of labels (N, A) of the set."""

        def drawn(rows: Tensor) -> Tensor:
            return self.pictures(labels[rows], [seeds[row] for row in rows.tolist()])

        return self._described(labels, title, drawn)

    def pictures(self, labels: Tensor, seeds: Sequence[int]) -> Tensor:
        """Drawings of labels (N, A) of the set with default options: (N, 3, H, W) in [-1, 1]."""
        columns = [
            [None] * len(labels) if table is None else table[1][labels[:, table[0]]].tolist()
            for table in self.tables
        ]
        asked = [tuple(row) for row in zip(*columns, strict=True)]
        generators = generators_from_seeds(seeds[: len(asked)], self.pipeline.device)
        drawn = self.pipeline.draw(asked, generator=generators, output_type="pt").images
        return torch.as_tensor(drawn) * 2 - 1

    @torch.no_grad()
    def _described(self, labels: Tensor, title: str, make: Callable[[Tensor], Tensor]) -> Described:
        parts: list[Tensor] = []
        shares, is_first = dealt(self.accelerator, len(labels), AT_ONCE), self.is_first
        with counting(title, len(labels), "picture", is_first) as reach:
            for rows in shares:
                images = make(rows).to(self.accelerator.device)
                features = self.net(images)
                if self.inception is not None:
                    features = torch.cat((features, self.inception(images)), dim=1)
                parts.append(gathered(self.accelerator, features))
                reach(sum(map(len, parts)))
        found = torch.cat(parts)
        rest = None if self.inception is None else found[:, NUM_FEATURES:]
        return Described(found[:, :NUM_FEATURES], labels, rest)


def label_tables(pipeline: VARPipeline, pictures: PictureSource) -> list[tuple[int, Tensor] | None]:
    """Where the set has the attributes of the model, and what it calls their values.

    Returns:
        For each attribute of the model its column in the set, and the index in the model for each
        value of the set; None for an attribute that the set has not.

    Raises:
        ValueError: if the model does not know a value, or has no attribute of the set.
    """
    found = {entry["name"]: entry["values"] for entry in pictures.label_names["attributes"]}
    own = {attribute.name: attribute for attribute in pipeline.labels.attributes}
    if missing := [name for name in found if name not in own]:
        raise ValueError(f"the model has labels {', '.join(own)}, not {missing[0]!r:.60}")
    columns = list(found)
    return [
        (columns.index(name), torch.tensor([attribute.index(v) for v in found[name]]))
        if name in found
        else None
        for name, attribute in own.items()
    ]


def frechet_figures(drawn: Described, real: Described) -> dict[str, Any]:
    """Distance of drawings to half of the training pictures, and of the other half, as labelled."""
    ours, first, second = (
        feature_statistics(one.features)
        for one in (drawn, real.every_other(0), real.every_other(1))
    )
    return {
        "n": len(drawn.labels),
        "drawn_to_real": frechet_distance(ours, second),
        "real_to_real": frechet_distance(first, second),
    }


def recognition_figures(
    drawn: Described, unseen: Described, real: Described, pictures: PictureSource
) -> dict[str, Any]:
    """How often the right value of each attribute is the nearest one.

    A value is the mean of the unit features of its training pictures; nearness is the cosine.

    Args:
        drawn: drawings.
        unseen: validation pictures.
        real: training pictures whose labels the drawings were not asked for.
        pictures: the set.
    """
    figures: dict[str, Any] = {}
    for column, entry in enumerate(pictures.label_names["attributes"]):
        values, places = real.labels[:, column].unique(return_inverse=True)
        if len(values) < 2:
            continue
        features = F.normalize(real.features, dim=1)
        means = torch.zeros(len(values), features.shape[1]).index_add_(0, places, features)
        means = F.normalize(means, dim=1)
        own: dict[str, Any] = {"values": len(values)}
        for name, some in (("drawn", drawn), ("validation", unseen)):
            is_known = torch.isin(some.labels[:, column], values)
            nearest = values[(some.features[is_known] @ means.t()).argmax(dim=1)]
            right = nearest == some.labels[is_known, column]
            own |= {name: right.float().mean().item() if len(right) else None}
            own |= {f"{name}_n": len(right)}
        figures[str(entry["name"])] = own
    return figures


def diversity_figures(
    measurer: Measurer, real: Described, num_labels: int, num_seeds: int
) -> dict[str, Any]:
    """How far drawings of one label are from each other, and real pictures of the same labels.

    Distances are one less the cosine of features, means over all pairs and then over labels.
    """
    every = real.labels.unique(dim=0)
    chosen = every[:: -(-len(every) // num_labels)]
    asked = chosen.repeat_interleave(num_seeds, dim=0)
    drawn = measurer.draw(asked, range(len(asked)), "drawings of the same labels")
    groups = [real.features[(real.labels == label).all(dim=1)] for label in chosen]
    spreads = [spread(group) for group in groups if len(group) > 1]
    ours = [spread(group) for group in drawn.features.split(num_seeds)]
    return {
        "labels": len(chosen),
        "drawings_of_each": num_seeds,
        "drawn": sum(ours) / len(ours),
        "real": sum(spreads) / len(spreads) if spreads else None,
    }


def spread(features: Tensor) -> float:
    """Mean of one less the cosine over all pairs of features (N, F)."""
    unit = F.normalize(features, dim=1)
    pairs = torch.ones(len(unit), len(unit)).triu(1).bool()
    return (1 - unit @ unit.t())[pairs].mean().item()
