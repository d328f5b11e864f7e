"""How far drawings are from real pictures, measured while a transformer is trained."""

from collections.abc import Callable

import torch
from accelerate import Accelerator
from torch import Tensor

from training.data.picture_source import PictureSource
from training.evaluation.features import load_features
from training.evaluation.frechet import feature_statistics, frechet_distance
from training.loop.processes import dealt, gathered
from training.transformer.validation import Drawer

DRAWN_AT_ONCE = 32
FEWEST = 4  # training pictures, for two halves of two


class DrawnDistance:
    """Frechet distance of drawings to training pictures, by our own features.

    What one half of some training pictures shows is drawn, and compared with the other half. The
    distance between the two halves is what a perfect network would have.

    Args:
        pictures: pictures that the network learns from.
        nets: folder of the feature net.
        count: drawings, at most half of the training pictures.
        accelerator: processes that share the work; all of them get the same figures.

    Raises:
        ValueError: if the net is missing, or there are too few pictures.
    """

    def __init__(
        self, pictures: PictureSource, nets: str, count: int, accelerator: Accelerator
    ) -> None:
        some = pictures.fixed("train", 2 * count)
        if len(some.labels) < FEWEST:
            raise ValueError(
                f"frechet_drawings needs {FEWEST} training pictures, there are {len(some.labels)}"
            )
        self.net = load_features(nets).to(accelerator.device)
        self.accelerator = accelerator
        self.labels = some.labels[::2]
        self.captions = None if some.captions is None else some.captions[::2]
        real = self._features(len(some.labels), lambda rows: some.images[rows])
        first, self.real = (feature_statistics(real[half::2]) for half in (0, 1))
        self.between_halves = frechet_distance(first, self.real)

    def figures(self, drawer: Drawer) -> dict[str, float]:
        """The distance of the drawings, first seeds and default options, and that of pictures."""

        def drawn(rows: Tensor) -> Tensor:
            captions = None if self.captions is None else self.captions[rows]
            return drawer.draw(self.labels[rows], captions, rows.tolist())

        statistics = feature_statistics(self._features(len(self.labels), drawn))
        return {
            "frechet": frechet_distance(statistics, self.real),
            "frechet_of_real": self.between_halves,
        }

    @torch.inference_mode()
    def _features(self, count: int, make: Callable[[Tensor], Tensor]) -> Tensor:
        parts = [
            gathered(self.accelerator, self.net(make(rows).to(self.accelerator.device)))
            for rows in dealt(self.accelerator, count, DRAWN_AT_ONCE)
        ]
        return torch.cat(parts)
