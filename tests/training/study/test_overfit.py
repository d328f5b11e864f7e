"""Each rival learns sixteen scenes by heart, through the usual loop."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.conftest import make_tokenizer
from training.data.token_source import TokenBatch, encode_pictures
from training.loop.picture_random import PictureRandom
from training.loop.stop_signals import StopFlag
from training.loop.train_loop import train
from training.study.diffusion_drawing import draw_latents
from training.study.diffusion_run import DiffusionRun, SceneLatents
from training.study.held_back import open_scenes
from training.study.line_drawing import draw_lines
from training.study.next_token_run import NextTokenRun
from training.study.settings import StudySettings
from training.study.sizes import Size
from training.transformer.conditioning import LabelConditioning
from training.transformer.settings import TransformerSettings
from var_core.condition import Condition
from var_core.sampling import SamplingOptions, generators_from_seeds

COUNT = 16  # scenes, the last one being for validation as well
ASKED = Condition.of_labels(torch.arange(COUNT).unsqueeze(1))


class Numbered(SceneLatents):
    """Scenes whose only label is their number; the one after the last is the first again."""

    def train_batch(self, rows: Tensor, random: PictureRandom) -> TokenBatch:
        rows = rows % COUNT
        features = self.features(rows.tolist())
        latents = (features - self.mean) / self.deviation
        images = self.scenes.numbered(rows.tolist(), self.tokenizer.device)
        return TokenBatch(encode_pictures(self.tokenizer, images)[0], latents, rows.unsqueeze(1))


@pytest.fixture(scope="module")
def numbered(scenes_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Numbered:
    tokenizer = make_tokenizer((8,))
    scenes = open_scenes(scenes_folder, tokenizer.image_shape[0])
    path = tmp_path_factory.mktemp("latents") / "latents.npy"
    return Numbered(scenes, tokenizer, COUNT + 1, path)


def settings(folder: Path, steps: int) -> TransformerSettings:
    study = StudySettings(data="none", out=str(folder))
    own = study.run_settings("run", Size(3), seed=0)
    return replace(
        own,
        steps=steps,
        warmup_steps=20,
        batch_size=COUNT,
        evaluate_every=steps,
        learning_rate=3e-3,
    )


NUMBERS = LabelConditioning([COUNT], drop_all=0.0, drop_each=0.0)


@pytest.mark.slow
def test_raster_tokens_are_learned_by_heart(numbered: Numbered, tmp_path: Path) -> None:
    codes = numbered.tokenizer.quantizer.code_vectors()
    run = NextTokenRun(settings(tmp_path, 300), numbered, codes, NUMBERS, [COUNT], 1)
    train(run, StopFlag())
    truth = numbered.train_batch(torch.arange(COUNT), run.step_random()).tokens
    options = SamplingOptions(guidance_scale=0.0, top_k=1, top_p=0.0)
    generators = generators_from_seeds(range(COUNT))
    drawn = draw_lines(run.averaged(), run.codes, ASKED, options, generators)
    assert (drawn == truth).float().mean() > 0.98


@pytest.mark.slow
def test_latents_are_learned_by_heart(numbered: Numbered, tmp_path: Path) -> None:
    run = DiffusionRun(settings(tmp_path, 2000), numbered, NUMBERS, [COUNT], 1)
    run.evaluate = lambda: ({}, torch.zeros(1, 1, 3, dtype=torch.uint8).numpy())
    train(run, StopFlag())
    truth = numbered.train_batch(torch.arange(COUNT), run.step_random()).features
    generators = generators_from_seeds(range(COUNT))
    drawn = draw_latents(run.averaged(), ASKED, 50, 0.0, generators)
    assert ((drawn - truth) ** 2).mean() < 0.05  # of a variance of 1
    pictures = (numbered.decode(one) for one in (drawn, truth))
    assert (next(pictures) - next(pictures)).abs().mean() < 0.05
