"""The model that is measured, and how it draws: default options, first seeds."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from training.data.scenes import Scene
from training.data.scenes.pictures import ScenePictures
from training.evaluation.scenes.judge_network import SceneJudge
from training.evaluation.scenes.prompts import Case
from training.evaluation.scenes.questions import topics_of
from var_core.checkpoints import WEIGHTS_FILE, load_tokenizer, load_transformer
from var_core.files import sha256_of
from var_core.labels import LabelSpace
from var_core.pipeline import VARPipeline
from var_core.sampling import generators_from_seeds
from var_core.wishes import Wish

AT_ONCE = 16  # pictures drawn, painted or judged together
NUM_HASH_LETTERS = 16


@dataclass(frozen=True, eq=False)
class Bench:
    """A model and all that measures it.

    Attributes:
        pipeline: the model.
        judge: judge of scenes.
        pictures: scenes and their words.
        nets: folder of training.prepare.nets.
        limit: largest number of cases of a figure; 0 takes all of them.
    """

    pipeline: VARPipeline
    judge: SceneJudge
    pictures: ScenePictures
    nets: Path
    limit: int = 0

    def __post_init__(self) -> None:
        """Check that the parts fit together.

        Raises:
            ValueError: if they do not.
        """
        styles = self.pictures.table.styles
        attributes = [(one.name, one.values) for one in self.pipeline.labels.attributes]
        if attributes != [("style", styles)] or not self.pipeline.info.max_phrases:
            raise ValueError(
                f"the model must take words and the styles {', '.join(styles)}; it takes "
                f"{self.pipeline.info.max_phrases} phrases and {attributes}"
            )
        if self.judge.topics != topics_of(self.pictures.table):
            raise ValueError("the judge was trained on other scenes than those of the data folder")
        if self.pipeline.image_shape != (self.pictures.side, self.pictures.side):
            raise ValueError(
                f"the scenes have {self.pictures.side} pixels a side, the model draws "
                f"{self.pipeline.image_shape[0]}"
            )

    def size(self, number: int) -> int:
        """Number of cases of a figure that has `number` without a limit."""
        return min(number, self.limit or number)

    def wishes(self, cases: Sequence[Case]) -> list[Wish]:
        """What the prompts of some cases ask of the model."""
        reader = self.pipeline.info.reader
        return [reader.read({"style": case.style}, list(case.phrases)) for case in cases]

    def draw(self, wishes: Sequence[Wish], seeds: Sequence[int]) -> Tensor:
        """One drawing for each wish: (N, 3, H, W) in [-1, 1], rounded to 8 bits, on the CPU."""
        parts = []
        for start in range(0, len(wishes), AT_ONCE):
            rows = slice(start, start + AT_ONCE)
            generators = generators_from_seeds(list(seeds[rows]), self.pipeline.device)
            drawn = self.pipeline.draw(list(wishes[rows]), generator=generators, output_type="pt")
            parts.append(torch.as_tensor(drawn.images).float().cpu())
        return to_8_bits(torch.cat(parts) * 2 - 1)

    def paint(self, scenes: Sequence[Scene]) -> Tensor:
        """Real scenes: (N, 3, H, W) in [-1, 1], rounded to 8 bits, on the CPU."""
        renderer = self.pictures.renderer(torch.device("cpu"))
        return to_8_bits(renderer.render(scenes, self.pictures.side))

    def drawn_and_real(
        self, cases: Sequence[Case], name: str
    ) -> Iterator[tuple[Sequence[Case], Tensor, Tensor]]:
        """Cases, drawings with seeds that count up, and real scenes, some at a time."""
        with tqdm(total=len(cases), desc=name, unit="drawing", disable=None) as bar:
            for start in range(0, len(cases), AT_ONCE):
                some = cases[start : start + AT_ONCE]
                drawn = self.draw(self.wishes(some), range(start, start + len(some)))
                yield some, drawn, self.paint([case.scene for case in some])
                bar.update(len(some))


def to_8_bits(images: Tensor) -> Tensor:
    """Pictures in [-1, 1] with the values that a file of 8 bits can hold."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1


def open_pipeline(
    model: str, tokenizer: str, transformer: str, pictures: ScenePictures, dtype: torch.dtype
) -> VARPipeline:
    """Open a model folder, or join a trained tokenizer and transformer.

    Args:
        model: model folder; "" where there are two parts instead.
        tokenizer: folder of the tokenizer, or "".
        transformer: folder of the transformer, or "".
        pictures: scenes that both were trained on; their labels and menus belong to the parts.
        dtype: dtype of both networks.

    Raises:
        ValueError: if neither or both are named, or something is missing or damaged.
    """
    if bool(model) == bool(tokenizer or transformer) or bool(tokenizer) != bool(transformer):
        raise ValueError("name a model folder, or both a tokenizer and a transformer")
    if model:
        return VARPipeline.from_pretrained(model, dtype)
    return VARPipeline(
        load_tokenizer(tokenizer, dtype),
        load_transformer(transformer, dtype),
        LabelSpace.from_json(pictures.label_names),
        pictures.menu_phrases(),
    )


def weights_hash(model: str, tokenizer: str, transformer: str) -> str:
    """What tells models apart: a hash of the weights of both networks."""
    folders = (Path(tokenizer or f"{model}/tokenizer"), Path(transformer or f"{model}/transformer"))
    hashes = [sha256_of(folder / WEIGHTS_FILE) for folder in folders]
    return hashlib.sha256("".join(hashes).encode()).hexdigest()[:NUM_HASH_LETTERS]
