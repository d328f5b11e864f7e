"""Checks that drawings show their class, by a small classifier trained on the real pictures.

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

from training.data.prepared_set import PreparedSet, load_prepared_set
from training.evaluation.sheets import save_sheet
from training.loop.command_line import Settings, run_command
from training.loop.heartbeat import busy, counting
from var_core.images import uint8_to_tensor
from var_core.option_fields import about, option
from var_core.pipeline import VARPipeline
from var_core.sampling import generators_from_seeds

SHEET_COLUMNS = 10


@dataclass(frozen=True, kw_only=True)
class CheckSettings(Settings):
    """What to check, and with what."""

    data: str = field(metadata=about("folder of the picture set; its first label is checked"))
    model: str = field(metadata=about("model folder"))
    out: str = field(metadata=about("folder for classes.json and classes.png"))
    per_class: int = option(50, "drawings of each class", low=1)
    steps: int = option(1500, "training steps of the classifier", low=1)
    batch_size: int = option(128, "pictures per step of the classifier", low=1)
    seed: int = option(0, "seed of the classifier")


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


def train_classifier(data: PreparedSet, num_classes: int, settings: CheckSettings) -> nn.Module:
    """Train on the training pictures; returns it in eval mode."""
    torch.manual_seed(settings.seed)
    net = new_classifier(num_classes)
    optimizer = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, settings.steps)
    generator = torch.Generator().manual_seed(settings.seed)
    rows, labels = torch.as_tensor(data.splits["train"]), torch.as_tensor(data.labels[:, 0])
    with counting("classifier", settings.steps, "step") as reach:
        for step in range(settings.steps):
            chosen = rows[torch.randint(len(rows), (settings.batch_size,), generator=generator)]
            images = uint8_to_tensor(data.images[chosen.numpy()])
            loss = F.cross_entropy(net(images), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            reach(step + 1)
    return net.eval().requires_grad_(False)


@torch.inference_mode()
def classify(net: nn.Module, images: Tensor) -> Tensor:
    """The likeliest class of each picture: (N, 3, H, W) in [-1, 1] -> (N,)."""
    return torch.cat([net(batch).argmax(dim=1) for batch in images.split(256)])


def draw_classes(pipeline: VARPipeline, per_class: int) -> tuple[Tensor, Tensor]:
    """Drawings of each class, with seeds counting up, and their classes."""
    num_classes = len(pipeline.labels.attributes[0].values)
    rest = (None,) * (len(pipeline.labels.attributes) - 1)
    pictures, wanted = [], []
    with counting("drawing", num_classes * per_class, "picture") as reach:
        for first in range(0, num_classes * per_class, per_class):
            for start in range(first, first + per_class, 50):
                seeds = range(start, min(start + 50, first + per_class))
                generators, label = generators_from_seeds(seeds), first // per_class
                labels = [(label, *rest)] * len(seeds)
                drawn = pipeline(labels, generator=generators, output_type="pt").images
                pictures.append(torch.as_tensor(drawn) * 2 - 1)
                wanted += [label] * len(seeds)
                reach(len(wanted))
    return torch.cat(pictures), torch.tensor(wanted)


def check(settings: CheckSettings) -> None:
    """Write and print the figures of classifier and drawings; write the grid beside them.

    Raises:
        ValueError: if set or model cannot be used, or they do not fit each other.
        OSError: if the folder cannot be written.
    """
    with busy("opening set and model"):
        data = load_prepared_set(settings.data)
        pipeline = VARPipeline.from_pretrained(settings.model)
    names = data.label_names["attributes"][0]["values"]
    if list(pipeline.labels.attributes[0].values) != list(names):
        raise ValueError(f"the classes of {settings.model} are not those of {settings.data}")
    net = train_classifier(data, len(names), settings)
    rows = data.splits["validation"]
    labels = torch.as_tensor(data.labels[rows, 0])
    with busy("recognising real pictures"):
        real = classify(net, uint8_to_tensor(data.images[rows])) == labels
    drawings, wanted = draw_classes(pipeline, settings.per_class)
    right = classify(net, drawings) == wanted
    out = Path(settings.out)
    grid = drawings.unflatten(0, (len(names), settings.per_class))[:, :SHEET_COLUMNS]
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
    print(f"real pictures recognised: {figures['real_right']:.1%} of {figures['real_n']}")
    print(f"drawings recognised: {figures['drawn_right']:.1%} of {figures['drawn_n']}")


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(check, CheckSettings, "Check the classes of what a model draws.", argv)


if __name__ == "__main__":
    sys.exit(main())
