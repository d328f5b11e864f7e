"""What drawings are measured with: distance to real scenes, what they show, how they differ."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from training.data.scenes import Scene
from training.data.scenes.pictures import ScenePictures
from training.data.scenes.stream import phrase_rows
from training.evaluation.features import FEATURES_FILE, FeatureNet, load_features
from training.evaluation.frechet import collect_features
from training.evaluation.scenes.decisions import Marks, join_marks, mark
from training.evaluation.scenes.intervals import mean_estimate, to_json
from training.evaluation.scenes.judge import accuracies
from training.evaluation.scenes.judge_network import (
    SIDE,
    SceneJudge,
    judge_images,
    load_scene_judge,
)
from training.evaluation.scenes.measured_model import to_8_bits
from training.evaluation.scenes.picture_figures import mean_distance
from training.evaluation.scenes.prompts import scene_with_facts, validation_scenes
from training.loop.stop_signals import StopFlag
from training.study.few_pictures import (
    References,
    endless_frechet,
    endless_frechet_estimate,
    few_frechet,
)
from training.study.kept_features import kept_features
from training.study.settings import RivalSettings
from training.tokenizer.perceptual import PerceptualDistance, load_perceptual
from training.transformer.conditioning import Conditioning
from var_core.condition import Condition
from var_core.devices import pick_device
from var_core.files import sha256_of

AT_ONCE, AT_ONCE_GPU = 16, 200  # drawings
TRIED_PART = 2  # for each choice of options, half of the drawings
REFERENCES_EACH = 5  # real scenes to compare with, for each drawing
PROMPTS_PART = 12  # a twelfth of the prompts have drawings that are compared with each other
NUM_SEEDS = 4  # drawings of each of these

Draw = Callable[[Sequence[Scene], Sequence[int]], Tensor]  # pictures of scenes, from seeds


class StoppedError(Exception):
    """Measuring was stopped; nothing of it is kept."""


@dataclass(frozen=True, eq=False)
class Gauge:
    """Nets, judge, and real scenes that neither tokenizer nor network ever saw.

    The scenes that are drawn for choosing options, those that are drawn for figures, and those that
    either are compared with are four different sets: what is chosen to come close to one of them is
    measured by another.

    Attributes:
        pictures: scenes in the size of the drawings.
        net: features of pictures.
        perceptual: distance of two pictures.
        judge: judge of scenes; None leaves open what drawings show.
        count: drawings that a distance is measured with, at least 20.
        made_from: what features of real scenes depend on besides, as JSON.
        folder: folder that these features are kept in.
        stop: request to stop, which is looked at between drawings.
    """

    pictures: ScenePictures
    net: FeatureNet
    perceptual: PerceptualDistance
    judge: SceneJudge | None
    count: int
    made_from: Mapping[str, Any]
    folder: Path
    stop: StopFlag

    @classmethod
    def open(
        cls, settings: RivalSettings, pictures: ScenePictures, scenes: str, stop: StopFlag
    ) -> "Gauge":
        """Open nets and judge.

        Args:
            settings: those of the comparison.
            pictures: scenes in the size of the drawings.
            scenes: hash of what they are composed of.
            stop: request to stop.

        Raises:
            ValueError: if a file is missing or damaged.
        """
        device = pick_device()
        judge = load_scene_judge(settings.judge).to(device) if settings.judge else None
        net, perceptual = load_features(settings.nets, SIDE), load_perceptual(settings.nets)
        weights = sha256_of(Path(settings.nets) / FEATURES_FILE)
        made_from = {"scenes": scenes, "side": pictures.side, "net": weights}
        folder = Path(settings.out)
        nets = net.to(device), perceptual, judge
        return cls(pictures, *nets, settings.drawings, made_from, folder, stop)

    @property
    def num_tried(self) -> int:
        """Drawings for each choice of options."""
        return self.count // TRIED_PART

    @cached_property
    def scenes(self) -> list[Scene]:
        """Scenes for choosing options, scenes to be drawn, and those to compare either with."""
        number = (1 + REFERENCES_EACH) * (self.num_tried + self.count)
        return list(islice(validation_scenes(self.pictures.table), number))

    @property
    def tried(self) -> list[Scene]:
        """Scenes for choosing options."""
        return self.scenes[: self.num_tried]

    @property
    def drawn(self) -> list[Scene]:
        """Scenes that are drawn."""
        return self.scenes[self.num_tried : self.num_tried + self.count]

    @cached_property
    def references(self) -> References:
        """Real scenes that figures compare with."""
        return self.reference_set("references", self.scenes[-REFERENCES_EACH * self.count :])

    @cached_property
    def tried_references(self) -> References:
        """Other real scenes, for choosing options."""
        start = -REFERENCES_EACH * (self.num_tried + self.count)
        scenes = self.scenes[start : -REFERENCES_EACH * self.count]
        return self.reference_set("tried-references", scenes)

    def reference_set(self, name: str, scenes: Sequence[Scene]) -> References:
        """Real scenes as a Gaussian; features are kept in a file, as painting takes minutes."""
        path = self.folder / f"{name}.safetensors"
        made_from = {**self.made_from, "indices": [scenes[0].index, scenes[-1].index]}

        def paint() -> Tensor:
            return self.features(self.parts(self.paint, scenes))

        return References.of(kept_features(path, made_from, paint))

    def paint(self, scenes: Sequence[Scene], seeds: Sequence[int]) -> Tensor:
        """Real scenes, (N, 3, H, W) in [-1, 1]; nothing depends on the seeds."""
        renderer = self.pictures.renderer(pick_device())
        return renderer.render(scenes, self.pictures.side)

    def parts(self, draw: Draw, scenes: Sequence[Scene]) -> list[Tensor]:
        """Drawings of some scenes, rounded to 8 bits, on the CPU; seeds count up.

        Raises:
            StoppedError: if there is a request to stop.
        """
        found = []
        at_once = AT_ONCE_GPU if pick_device().type == "cuda" else AT_ONCE
        for start in range(0, len(scenes), at_once):
            if self.stop.is_set:
                raise StoppedError
            some = scenes[start : start + at_once]
            seeds = range(start, start + len(some))
            found.append(to_8_bits(draw(some, seeds).float().cpu()))
        return found

    def features(self, parts: Sequence[Tensor]) -> Tensor:
        """Features of drawings, (n, F), on the CPU."""
        return collect_features(self.net, [part.to(pick_device()) for part in parts])

    def tried_distance(self, draw: Draw) -> float:
        """Frechet distance of drawings for choosing options, extrapolated as that of figures."""
        features = self.features(self.parts(draw, self.tried))
        return endless_frechet(features, self.tried_references)

    def figures(self, draw: Draw) -> dict[str, Any]:
        """Frechet distance, rates of what is right, and how far drawings of a prompt lie apart."""
        return self.quality(draw) | {"diversity": self.diversity(draw)}

    def real_figures(self) -> dict[str, Any]:
        """The figures of real scenes: what drawings could reach."""
        return self.quality(self.paint) | {"diversity": self.diversity(self.paint_others)}

    def quality(self, draw: Draw) -> dict[str, Any]:
        """Frechet distance to real scenes and, with a judge, rates of what is right."""
        parts = self.parts(draw, self.drawn)
        features = self.features(parts)
        distance = endless_frechet_estimate(features, self.references).to_json()
        distance["references"] = self.references.count
        distance["not_extrapolated"] = rounded(few_frechet(features, self.references))
        found: dict[str, Any] = {"frechet": distance}
        if self.judge is not None:
            found["right"] = accuracies(self.marks(self.judge, parts))
        return found

    def marks(self, judge: SceneJudge, parts: Sequence[Tensor]) -> Marks:
        """What the judge says of the drawings."""
        found, start = [], 0
        for part in parts:
            found.append(mark(judge_images(judge, part), self.drawn[start : start + len(part)]))
            start += len(part)
        return join_marks(found)

    def diversity(self, draw: Draw) -> dict[str, Any] | None:
        """Mean perceptual distance between drawings of one prompt."""
        found = []
        for scene in self.drawn[: self.count // PROMPTS_PART]:
            drawn = to_8_bits(draw([scene] * NUM_SEEDS, range(NUM_SEEDS)).float().cpu())
            found.append(mean_distance(self.perceptual, drawn))
        return to_json(mean_estimate(np.array(found)))

    def paint_others(self, scenes: Sequence[Scene], seeds: Sequence[int]) -> Tensor:
        """Real scenes with the same facts, a different one for each seed."""
        pairs = zip(scenes, seeds, strict=True)
        others = [scene_with_facts(self.pictures.table, *pair) for pair in pairs]
        return self.paint(others, seeds)


def condition_of(
    pictures: ScenePictures, conditioning: Conditioning, scenes: Sequence[Scene]
) -> Condition:
    """What a network is told of some scenes: the usual English words for everything."""
    captions = phrase_rows([pictures.captioner.full_caption(scene) for scene in scenes])
    labels = torch.tensor([[scene.style] for scene in scenes], dtype=torch.int64)
    return conditioning.asked(labels, captions)


def rounded(value: float) -> float:
    """A number with four significant digits."""
    return float(f"{value:.4g}")


def nets_are_there(nets: str) -> bool:
    """Whether distances can be measured."""
    return Path(nets).is_dir()
