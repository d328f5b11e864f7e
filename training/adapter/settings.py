"""The settings of a fine-tuning on a few pictures."""

from dataclasses import dataclass, field

from training.data.augment import KINDS, KINDS_HELP
from training.loop.command_line import Settings
from var_core.adapters import MAX_NAME, MAX_RANK
from var_core.option_fields import about, option


@dataclass(frozen=True, kw_only=True)
class AdapterRunSettings(Settings):
    """What to learn, from what, and how long."""

    model: str = field(metadata=about("model folder"))
    images: str = field(metadata=about("folder with some pictures of the new thing"))
    name: str = field(metadata=about("name of the new thing, as 'my cat'"))
    out: str = field(metadata=about("folder for the adapter"))
    like: str = field(metadata=about("name of a thing that the model knows and that is like it"))
    merged: str = option("", "model folder to write too, with the adapter merged")
    attribute: str = option(
        "",
        "attribute, or menu of a model that takes words, that gets the name; none: the attribute "
        "that implies others, else the first, or the menu of what it is like",
    )
    rank: int = option(16, "rank of the changes", low=1, high=MAX_RANK)
    steps: int = option(400, "training steps", low=1)
    batch_size: int = option(12, "pictures a step", low=2)
    kept_share: float = option(
        0.25,
        "part of a batch that are the model's own drawings, so that it keeps them",
        low=0,
        high=0.9,
    )
    kept_pictures: int = option(64, "drawings of its own to learn from again", low=1)
    num_views: int = option(4, "views of each picture: the picture and moved ones", low=1)
    augmentation: str = option("auto", KINDS_HELP, choices=KINDS)
    flip: bool = option(True, "mirror half of the moved views")
    learning_rate: float = option(3e-3, "highest learning rate of the changes", low=0)
    label_rate: float = option(1e-2, "highest learning rate of the label or phrase", low=0)
    seed: int = option(0, "seed of all randomness")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, value in (("name", self.name), ("like", self.like)):
            if not value.strip() or len(value) > MAX_NAME:
                raise ValueError(
                    f"{name} is a text of at most {MAX_NAME} characters, got {value!r}"
                )
