"""Joins a trained tokenizer and transformer into a model folder that the app loads.

`python -m training.export --tokenizer runs/tokenizer/tokenizer --transformer
runs/transformer/transformer --data data/mine --out models/mine`
"""

import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from training.data.caption_vectors import stored_phrases
from training.data.open_pictures import open_pictures
from training.data.prepared_pictures import PreparedPictures
from training.data.scenes.pictures import ScenePictures
from training.loop.command_line import Settings, run_command
from training.loop.heartbeat import busy, counting
from var_core.add_sketch import add_sketch
from var_core.checkpoints import load_tokenizer, load_transformer
from var_core.clip_pipeline import VARClipPipeline
from var_core.labels import LabelSpace
from var_core.option_fields import about, option
from var_core.pipeline import VARPipeline
from var_core.pipeline_parts import PipelineParts
from var_core.sampling import SamplingOptions

SKETCH_PICTURES = 3000
SKETCH_PIXELS = 2**26  # 0.8 GB of memory


@dataclass(frozen=True, kw_only=True)
class OwnDefaults(SamplingOptions, Settings):
    """Sampling options that the model draws with where none are given."""


@dataclass(frozen=True, kw_only=True)
class ExportSettings(Settings):
    """What to join."""

    tokenizer: str = field(metadata=about("folder of the trained tokenizer"))
    transformer: str = field(metadata=about("folder of the trained transformer"))
    data: str = field(metadata=about("data folder that both were trained on"))
    out: str = field(metadata=about("model folder to write"))
    sketch_steps: int = option(
        8000, "training steps of the decoder for cheap previews; 0: none", low=0
    )
    defaults: OwnDefaults = field(default_factory=OwnDefaults)


def export(settings: ExportSettings) -> None:
    """Write the model folder; weights in bf16, but float32 where the tokenizer needs it.

    Raises:
        ValueError: if a part is missing or damaged, or the parts do not fit each other.
        OSError: if the folder cannot be written.
    """
    with busy("joining the networks"):
        pictures, out = open_pictures(settings.data), Path(settings.out)
        is_clip = pictures.num_frames > 1
        kind: type[PipelineParts] = VARClipPipeline if is_clip else VARPipeline
        pipeline = kind(
            load_tokenizer(settings.tokenizer, torch.bfloat16),
            load_transformer(settings.transformer, torch.bfloat16),
            LabelSpace.from_json(pictures.label_names),
            defaults=SamplingOptions(**asdict(settings.defaults)),
        )
        pipeline.save_pretrained(out)
    if isinstance(pictures, ScenePictures):
        pictures.menu_phrases().save(out)
    elif isinstance(pictures, PreparedPictures) and pictures.vectors is not None:
        stored_phrases(Path(settings.data), pictures.data.phrases, pictures.vectors).save(out)
    if settings.sketch_steps:
        count = min(SKETCH_PICTURES, SKETCH_PIXELS // pictures.side**2) // pictures.num_frames
        images = pictures.fixed("train", count).images
        _teach_previews(out, images, settings.sketch_steps)
    size = sum(path.stat().st_size for path in out.rglob("*.safetensors"))
    print(f"{settings.out}: {size / 1e6:.1f} MB of weights")


def _teach_previews(folder: Path, images: torch.Tensor, steps: int) -> None:
    """Teach the decoder of cheap previews; images or clips in [-1, 1]."""
    print(
        f"learning to sketch previews: {steps} steps, maybe minutes; "
        "--sketch-steps 0 leaves it out",
        flush=True,
    )
    with counting("sketching", steps, "step") as reach:
        add_sketch(folder, images, steps, lambda step, _: reach(step))


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(export, ExportSettings, "Join trained parts into a model folder.", argv)


if __name__ == "__main__":
    sys.exit(main())
