"""Are the drawings of a model what their labels say? A small classifier, trained on the pictures.

`python -m training.evaluation.class_check --data data/fashion --model runs/quick/model
--out runs/quick`
"""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from training.data.picture_data import PictureData, load_picture_data
from training.data.prepared_pictures import to_tensor
from training.evaluation.sheets import save_sheet
from training.loop.config import EXIT_BAD_INPUT, parse_config
from var_core.pipeline import VARPipeline
from var_core.sampling import generators_from_seeds

SHEET_COLUMNS = 10


@dataclass(frozen=True)
class CheckConfig:
    """What to check with what."""

    data: str = field(metadata={"help": "folder of the picture set; its first label is asked for"})
    model: str = field(metadata={"help": "model folder"})
    out: str = field(metadata={"help": "folder for classes.json and classes.png"})
    per_class: int = field(default=50, metadata={"help": "drawings of each class"})
    steps: int = field(default=1500, metadata={"help": "of the classifier"})
    batch_size: int = 128
    seed: int = 0


def new_classifier(num_classes: int) -> nn.Module:
    """A small convolutional net for pictures of any size."""
    layers: list[nn.Module] = []
    width = 3
    for channels in (32, 64, 128):
        layers += [
            nn.Conv2d(width, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.MaxPool2d(2),
        ]
        width = channels
    return nn.Sequential(
        *layers,
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(16 * width, num_classes),
    )


def train_classifier(data: PictureData, num_classes: int, config: CheckConfig) -> nn.Module:
    """Train on the training pictures; returns it in eval mode."""
    torch.manual_seed(config.seed)
    net = new_classifier(num_classes)
    optimizer = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, config.steps)
    generator = torch.Generator().manual_seed(config.seed)
    rows, labels = torch.as_tensor(data.splits["train"]), torch.as_tensor(data.labels[:, 0])
    for _ in tqdm(range(config.steps), desc="classifier"):
        chosen = rows[torch.randint(len(rows), (config.batch_size,), generator=generator)]
        images = to_tensor(data.images[chosen.numpy()])
        loss = F.cross_entropy(net(images), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return net.eval().requires_grad_(False)


@torch.inference_mode()
def classify(net: nn.Module, images: Tensor) -> Tensor:
    """The likeliest class of each picture: (N, 3, H, W) in [-1, 1] -> (N,)."""
    return torch.cat([net(batch).argmax(dim=1) for batch in images.split(256)])


def draw_classes(pipeline: VARPipeline, per_class: int) -> tuple[Tensor, Tensor]:
    """Drawings of every class, seeds counting up, and their classes."""
    num_classes = len(pipeline.labels.attributes[0].values)
    rest = (None,) * (len(pipeline.labels.attributes) - 1)
    pictures, wanted = [], []
    for label in tqdm(range(num_classes), desc="drawing"):
        for start in range(0, per_class, 50):
            seeds = range(label * per_class + start, label * per_class + min(start + 50, per_class))
            generators = generators_from_seeds(seeds)
            labels = [(label, *rest)] * len(seeds)
            drawn = pipeline(labels, generator=generators, output_type="pt").images
            pictures.append(drawn * 2 - 1)
            wanted += [label] * len(seeds)
    return torch.cat(pictures), torch.tensor(wanted)


def check(config: CheckConfig) -> dict:
    """Figures of the classifier and of the drawings; the grid is written beside them.

    Raises:
        ValueError: if the set or the model cannot be used, or they do not fit each other.
    """
    data, pipeline = load_picture_data(config.data), VARPipeline.from_pretrained(config.model)
    names = data.label_names["attributes"][0]["values"]
    if list(pipeline.labels.attributes[0].values) != list(names):
        raise ValueError(f"the classes of {config.model} are not those of {config.data}")
    net = train_classifier(data, len(names), config)
    rows = data.splits["validation"]
    real = classify(net, to_tensor(data.images[rows])) == torch.as_tensor(data.labels[rows, 0])
    drawings, wanted = draw_classes(pipeline, config.per_class)
    right = classify(net, drawings) == wanted
    out = Path(config.out)
    grid = drawings.unflatten(0, (len(names), config.per_class))[:, :SHEET_COLUMNS]
    save_sheet(out / "classes.png", list(grid))
    figures = {
        "real_right": real.float().mean().item(),
        "real_n": len(real),
        "drawn_right": right.float().mean().item(),
        "drawn_n": len(right),
        "per_class": {
            name: right[wanted == index].float().mean().item() for index, name in enumerate(names)
        },
    }
    (out / "classes.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return figures


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    config = parse_config(CheckConfig, argv, "Check the classes of what a model draws.")
    try:
        figures = check(config)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    print(f"real pictures recognised: {figures['real_right']:.1%} of {figures['real_n']}")
    print(f"drawings recognised: {figures['drawn_right']:.1%} of {figures['drawn_n']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
