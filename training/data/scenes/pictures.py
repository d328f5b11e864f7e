"""Composed scenes as an endless source of pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from training.data.picture_source import PictureBatch, label_words
from training.data.scenes.atlas import SpriteTable, read_table
from training.data.scenes.captions import Captioner
from training.data.scenes.description import PLACES, TIMES, WEATHERS, Scene
from training.data.scenes.held_out import KINDS
from training.data.scenes.making import make_held_out_scene, make_scene, make_validation_scene
from training.data.scenes.painting import Painters, ScenePainters
from training.data.scenes.phrase_vectors import read_phrase_vectors
from training.data.scenes.phrases import Phrases
from training.data.scenes.renderer import SceneRenderer
from training.data.scenes.stream import StreamOptions, phrase_rows
from training.loop.picture_random import PictureRandom
from var_core.menus import Choice, Menu
from var_core.text import PhraseTable
from var_core.text.universal_sentence_encoder import UniversalSentenceEncoder

SIDE = 256
SEED = 0  # of the training scenes
NUM_SCENES = 2**40  # that are drawn from at random, so that none comes twice
MAX_FIXED = 256  # scenes to measure with: they are painted anew each time
TABLE_FILE = "sprites.json"
STARS = "stars"  # the weather of a clear night


class ScenePictures:
    """Scenes with captions, the style of their things being a label.

    Args:
        table: the sprites.
        phrases: all phrases of captions.
        vectors: (n, E) vectors of the phrases, row i for the id i.
        side: side of the pictures in pixels.
    """

    def __init__(
        self, table: SpriteTable, phrases: Phrases, vectors: Tensor, side: int = SIDE
    ) -> None:
        self.side = side
        self.table = table
        self.phrases = phrases
        self.vectors = vectors
        self.captioner = Captioner(table, phrases)
        self._renderers: dict[str, SceneRenderer] = {}

    @classmethod
    def open(cls, folder: str | Path) -> "ScenePictures":
        """Open a folder that `python -m training.prepare.scenes` wrote.

        Raises:
            ValueError: if something in it is missing or damaged.
        """
        table = read_table(Path(folder))
        phrases = Phrases(table)
        return cls(table, phrases, read_phrase_vectors(table.folder, phrases))

    @property
    def label_names(self) -> Mapping[str, Any]:
        """The styles, and menus of things, places, times and weathers."""
        attributes = [{"name": "style", "values": list(self.table.styles)}]
        return {"attributes": attributes, "menus": [menu.to_json() for menu in self.menus()]}

    def menus(self) -> list[Menu]:
        """What a prompt can be picked from: the usual English phrase of each choice."""
        things = tuple(
            Choice(
                thing.name, self._usual("thing", index, "one", "en"), thing.category, thing.synonyms
            )
            for index, thing in enumerate(self.table.things)
        )
        menus = [Menu("thing", things)]
        weathers = (*(one for one in WEATHERS if one != "clear"), "clear", STARS)
        for name, values in (("place", PLACES), ("time", TIMES), ("weather", weathers)):
            choices = (Choice(value, self._usual(name, value, "en")) for value in values)
            menus.append(Menu(name, tuple(choices)))
        return menus

    def menu_phrases(self) -> PhraseTable:
        """All phrases of the menus with their vectors, to be stored with a model."""
        texts = [choice.phrase for menu in self.menus() for choice in menu.choices]
        ids = {text: index for index, text in enumerate(self.phrases.texts)}
        vectors = F.normalize(self.vectors[[ids[text] for text in texts]].float())
        return PhraseTable(UniversalSentenceEncoder.name, tuple(texts), vectors)

    @property
    def stamp(self) -> Mapping[str, str]:
        """What the numbered scenes depend on, but for the way that they are painted."""
        return {"scenes": f"{len(self.table.things)} things, {', '.join(self.table.styles)}"}

    @property
    def num_train(self) -> int:
        """Scenes never end."""
        return 0

    @property
    def num_frames(self) -> int:
        """Scenes stand still."""
        return 1

    @property
    def can_read_ahead(self) -> bool:
        """Scenes are painted on the device of the run."""
        return False

    def words(self, labels: Tensor, captions: Tensor | None) -> list[str]:
        """The phrases that are said of some scenes, and their styles."""
        styles = label_words(self.label_names, labels)
        if captions is None:
            return styles
        texts = ([self.phrases.texts[one] for one in row if one >= 0] for row in captions.tolist())
        return [
            ", ".join(filter(None, (*said, style)))
            for said, style in zip(texts, styles, strict=True)
        ]

    def train_batch(
        self, rows: Tensor, random: PictureRandom, device: torch.device
    ) -> PictureBatch:
        """Random scenes, none of them twice."""
        numbers = random.integers(NUM_SCENES)
        images = self.numbered(numbers.tolist(), device)
        return PictureBatch(images, *self.described(numbers, random))

    def fixed(self, split: str, limit: int) -> PictureBatch:
        """The first scenes of a split with their full captions, at most 256."""
        scenes = [self._fixed_scene(split, index) for index in range(min(limit, MAX_FIXED))]
        captions = phrase_rows([self.captioner.full_caption(scene) for scene in scenes])
        images = self._paint(scenes, torch.device("cpu"))
        return PictureBatch(images, _styles(scenes), captions)

    def numbered(self, numbers: Sequence[int], device: torch.device) -> Tensor:
        """Training scenes by number, (B, 3, side, side) in [-1, 1]."""
        return self._paint([make_scene(self.table, SEED, number) for number in numbers], device)

    def described(self, numbers: Tensor, random: PictureRandom) -> tuple[Tensor, Tensor]:
        """Styles (B, 1) and captions (B, P) of training scenes by number, worded at random."""
        scenes = [make_scene(self.table, SEED, number) for number in numbers.tolist()]
        wordings = random.integers(2**62).tolist()
        captions = [
            self.captioner.caption(scene, Random(wording))
            for scene, wording in zip(scenes, wordings, strict=True)
        ]
        return _styles(scenes), phrase_rows(captions)

    def painters(self, options: StreamOptions) -> Painters:
        """Start processes that paint what `options` describe; to be closed."""
        return ScenePainters(self.table, options)

    def _fixed_scene(self, split: str, index: int) -> Scene:
        if split == "validation":
            return make_validation_scene(self.table, index)
        if split == "held_out":
            kind = KINDS[index % len(KINDS)]
            return make_held_out_scene(self.table, kind, index // len(KINDS))
        return make_scene(self.table, SEED, index)

    def _usual(self, *key: object) -> str:
        return self.phrases.texts[self.phrases.main(*key)]

    def renderer(self, device: torch.device) -> SceneRenderer:
        """The painter on a device, opened once."""
        found = self._renderers.get(str(device))
        if found is None:
            found = self._renderers[str(device)] = SceneRenderer(self.table, device)
        return found

    def _paint(self, scenes: Sequence[Scene], device: torch.device) -> Tensor:
        return self.renderer(device).render(scenes, self.side)


def _styles(scenes: Sequence[Scene]) -> Tensor:
    return torch.tensor([[scene.style] for scene in scenes], dtype=torch.int64)
