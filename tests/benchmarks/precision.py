"""What packed weights and bf16 cost in quality: `python -m tests.benchmarks.precision`.

Draws the embedded model in four ways, plain float32 being the slow twin of the others. For each:
how far unguided, teacher-forced logits are from those of the slow twin, how many drawings of the
same prompts and seeds are alike, and the perceptual distance of the others, beside that between
drawings of the same prompts with other seeds.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from tests.benchmarks.report import SHORT, host
from training.data.scenes.pictures import ScenePictures
from training.data.token_source import encode_pictures, token_maps
from training.evaluation.scenes.measured_model import AT_ONCE, to_8_bits
from training.evaluation.scenes.prompts import Case, caption_case, validation_scenes
from training.tokenizer.perceptual import load_perceptual
from var_core import VARPipeline, generators_from_seeds
from var_core.official.catalogue import EMBEDDED_FOLDER
from var_core.wishes import Wish


@dataclass(frozen=True)
class Quality:
    """One way to draw.

    Attributes:
        name: name of the way.
        logits: relative error of the logits (Euclidean).
        alike: share of drawings that differ from those of the slow twin by at most 1 of 255.
        distance: mean perceptual distance of all drawings to those of the slow twin.
    """

    name: str
    logits: float
    alike: float
    distance: float


def ways(folder: Path) -> dict[str, VARPipeline]:
    """The model as each way has it; the slow twin first."""
    found = {}
    for dtype, name in SHORT.items():
        for kind, packs in (("plain", False), ("packed", True)):
            pipeline = VARPipeline.from_pretrained(folder, torch_dtype=dtype)
            pipeline.packs = packs
            pipeline.pack()
            found[f"{name}, {kind}"] = pipeline
    return found


@torch.inference_mode()
def forced_logits(pipeline: VARPipeline, wishes: list[Wish], maps: list[Tensor]) -> Tensor:
    """Unguided logits of all scales, each predicted from given tokens: (B, L, V)."""
    transformer, quantizer = pipeline.transformer, pipeline.tokenizer.quantizer
    condition = transformer.embed(pipeline.wish_encoder.condition(wishes, pipeline.device))
    cache = transformer.new_cache(len(wishes))
    latents = [quantizer.empty_latent(len(wishes)), *quantizer.sum_scales(maps)]
    logits = []
    for index in range(quantizer.schedule.num_scales):
        inputs = quantizer.next_input(latents[index], index)
        hidden = transformer.predict_scale(inputs, condition, index, cache)
        logits.append(transformer.logits(hidden))
    return torch.cat(logits, dim=1).float()


def draw(pipeline: VARPipeline, wishes: list[Wish], seeds: Sequence[int]) -> Tensor:
    """One drawing for each wish: (N, 3, H, W) in [-1, 1], rounded to 8 bits."""
    parts = []
    for start in range(0, len(wishes), AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        generators = generators_from_seeds(list(seeds[rows]), pipeline.device)
        drawn = pipeline.draw(wishes[rows], generator=generators, output_type="pt")
        parts.append(torch.as_tensor(drawn.images).float())
    return to_8_bits(torch.cat(parts) * 2 - 1)


def measure(
    pipelines: dict[str, VARPipeline],
    pictures: ScenePictures,
    perceptual: torch.nn.Module,
    cases: list[Case],
) -> list[Quality]:
    """Compare all ways with the first one, by prompts and scenes.

    Args:
        pipelines: the same model in each way; the slow twin first.
        pictures: scenes and their words.
        perceptual: perceptual distance of two batches of pictures.
        cases: prompts, with real scenes.
    """
    slow = next(iter(pipelines.values()))
    wishes = [slow.info.reader.read({"style": one.style}, list(one.phrases)) for one in cases]
    scenes = [one.scene for one in cases]
    painted = to_8_bits(pictures.renderer(torch.device("cpu")).render(scenes, pictures.side))
    with torch.inference_mode():
        tokens, _ = encode_pictures(slow.tokenizer, painted)
    maps = token_maps(slow.info.schedule, tokens)
    exact, twins, found = (
        forced_logits(slow, wishes, maps),
        draw(slow, wishes, range(len(cases))),
        [],
    )
    for name, pipeline in pipelines.items():
        error = float((forced_logits(pipeline, wishes, maps) - exact).norm() / exact.norm())
        drawn = draw(pipeline, wishes, range(len(cases)))
        apart = (drawn - twins).abs().amax(dim=(1, 2, 3)) * 127.5
        with torch.inference_mode():
            distance = float(perceptual(drawn, twins).mean())
        found.append(Quality(name, error, float((apart < 1.5).float().mean()), distance))
        print(
            f"{name:13} logits {100 * error:.3f} %, alike {100 * found[-1].alike:.1f} %, "
            f"distance {distance:.4f}",
            flush=True,
        )
    others = draw(slow, wishes, range(len(cases), 2 * len(cases)))
    with torch.inference_mode():
        print(f"other seeds: distance {float(perceptual(others, twins).mean()):.4f}")
    return found


def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=EMBEDDED_FOLDER)
    parser.add_argument("--data", required=True, help="folder written by training.prepare.scenes")
    parser.add_argument("--nets", required=True, help="folder of training.prepare.nets")
    parser.add_argument("--count", type=int, default=64, help="prompts, and their real scenes")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args(argv)
    pictures, perceptual = ScenePictures.open(arguments.data), load_perceptual(arguments.nets)
    scenes = islice(validation_scenes(pictures.table), arguments.count)
    cases = [caption_case(pictures, scene) for scene in scenes]
    found = measure(ways(arguments.model), pictures, perceptual, cases)
    if arguments.json:
        content = {"host": host(torch.device("cpu")), "ways": [asdict(one) for one in found]}
        arguments.json.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
