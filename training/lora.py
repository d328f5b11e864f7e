"""Teaches a trained model a new thing from a few pictures, as an adapter beside the model.

`python -m training.lora --model assets/models/scenes256 --images photos/cat --name "my cat"
--like "a cat" --out adapters/cat`
"""

import sys
from pathlib import Path

from training.adapter.new_thing import read_pictures
from training.adapter.settings import AdapterRunSettings
from training.adapter.training import learn_adapter
from training.loop.command_line import run_command
from training.loop.heartbeat import busy
from var_core.pipeline import VARPipeline


def learn(settings: AdapterRunSettings) -> None:
    """Write the adapter, and a model folder with it if one is asked for.

    Raises:
        ValueError: if model, pictures or names cannot be used.
        OSError: if a folder cannot be written.
    """
    with busy("opening the model"):
        pipeline = VARPipeline.from_pretrained(settings.model)
    pictures = read_pictures(Path(settings.images), pipeline.tokenizer.image_shape)
    print(f"{len(pictures)} pictures of {settings.name}", flush=True)
    adapter = learn_adapter(pipeline, pictures, settings)
    adapter.save(settings.out)
    what = adapter.settings.attribute or "phrase"
    print(f"{settings.out}: {settings.name!r} is a new {what}")
    if settings.merged:
        pipeline.with_adapter(settings.out).save_pretrained(settings.merged)
        print(f"{settings.merged}: a model folder that draws it")


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    about = "Teach a trained model a new thing from a few pictures."
    return run_command(learn, AdapterRunSettings, about, argv)


if __name__ == "__main__":
    sys.exit(main())
