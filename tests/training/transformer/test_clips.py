"""A transformer of clips is trained by the command that trains one of pictures."""

import json
from pathlib import Path

import pytest
import torch

from tests.training.tiny import different, final_weights, random_of
from tests.training.tiny_clips import (
    SIDE,
    WIDTH,
    picture_tokenizer,
    run_clip_transformer,
)
from training import export
from training.data import token_pool
from training.data.motion import MovingScenes
from training.data.motion.clips import ClipChunks
from training.data.motion.making import NUM_FRAMES
from training.data.scenes import StreamOptions
from training.data.scenes.replay import ReplayOptions
from training.data.scenes.replayed_tokens import ReplayedTokens
from training.data.token_source import EncodedPictures, encode_pictures, token_maps
from training.loop.checkpoint import step_generator
from training.loop.command_line import parse_settings
from training.transformer.correction import corrupt, nearest_codes
from training.transformer.run import TransformerRun
from training.transformer.settings import TransformerSettings
from var_core.clip_pipeline import VARClipPipeline
from var_core.tokenizer import MultiScaleVQVAE
from var_core.tokenizer.inflation import inflate_tokenizer
from var_core.transformer import VARTransformer, init_weights

CLIP_SIDES = [1, 2, [2, 1, 1], [2, 2, 2]]


@pytest.fixture(scope="module")
def made() -> MultiScaleVQVAE:
    return inflate_tokenizer(picture_tokenizer(), CLIP_SIDES, 8, step_generator(0, 1))


@pytest.fixture(scope="module")
def tokenizer(made: MultiScaleVQVAE, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    made.save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def few_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_pool, "SHARD_CLIPS", 8)
    monkeypatch.setattr("training.transformer.validation.MAX_EVALUATED", 3 * NUM_FRAMES)


POOL = ("--pool", "8")


def test_the_loss_falls_on_clips_first_of_their_first_frames(
    motion: Path, tokenizer: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    words = "--num-scales 2 --coarse-part 0.34 --evaluate-every 20 --batch-size 8"
    more = (*POOL, *words.split())
    assert run_clip_transformer(motion, tokenizer, out, 60, *more) == 0
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    shown = [one["validation_entropy_per_scale"] for one in lines]
    assert [len(one) for one in shown] == [2, 4, 4]  # the picture's scales, then the clip's too
    assert lines[-1]["entropy"] < lines[1]["entropy"]
    assert len(list(out.glob("sheet-*.png"))) > 0


def test_a_run_of_clips_resumes_bit_for_bit(motion: Path, tokenizer: Path, tmp_path: Path) -> None:
    more = (*POOL, "--self-correction", "0.3", "--num-scales", "2", "--coarse-part", "0.4")
    assert run_clip_transformer(motion, tokenizer, tmp_path / "whole", 6, *more) == 0
    kept = tmp_path / "parts" / "step-00000003"
    kept.parent.mkdir()
    (tmp_path / "whole" / kept.name).rename(kept)
    assert run_clip_transformer(motion, tokenizer, tmp_path / "parts", 6, *more) == 0
    weights = final_weights(tmp_path / "parts")
    assert not different(weights, final_weights(tmp_path / "whole"))


def test_a_run_begins_with_what_a_transformer_of_pictures_has_learned(
    motion: Path, tokenizer: Path, tmp_path: Path
) -> None:
    still = VARTransformer(
        [1, 2], 16, 8, depth=2, width=32, num_heads=2, mlp_ratio=3.0, label_counts=[2],
        shared_modulation=True, qk_norm=True, text_dim=WIDTH, max_phrases=8,
    )  # fmt: skip
    init_weights(still, step_generator(0, 5))
    still.save_pretrained(tmp_path / "still")
    words = f"--data {motion} --tokenizer {tokenizer} --out {tmp_path} --initial {tmp_path}/still"
    settings = parse_settings(
        TransformerSettings, f"{words} --mixed-precision no --no-compile".split(), ""
    )
    begun = TransformerRun(settings).transformer.state_dict()
    for name, value in still.state_dict().items():
        if name == "pos_embed":
            assert torch.equal(begun[name][:, : value.shape[1]], value)
        elif name != "scale_embed.weight":
            assert torch.equal(begun[name], value), name


def test_scales_of_a_picture_are_learned_from_first_frames_alone(
    motion: Path, made: MultiScaleVQVAE
) -> None:
    clips = MovingScenes.open(motion)
    whole, first = (
        EncodedPictures(source, made, with_features=True).train_batch(rows, random_of(6))
        for source, rows in ((clips, torch.arange(6)), (clips.first_frames(), torch.arange(6)))
    )
    assert first.tokens.shape == (6, 5) and whole.tokens.shape == (6, 15)
    assert torch.equal(first.tokens, whole.tokens[:, :5])
    assert torch.equal(first.labels, whole.labels)
    assert torch.equal(first.captions, whole.captions)
    neighbours = nearest_codes(made.quantizer.code_vectors(), 4)
    learned = [
        corrupt(
            made.quantizer,
            token_maps(made.schedule, batch.tokens)[:2],
            batch.features,
            neighbours,
            0.5,
            random_of(6),
        )
        for batch in (whole, first)
    ]
    torch.testing.assert_close(learned[0], learned[1])


def test_wrong_codes_of_a_clip_are_corrected_in_its_later_scales(
    motion: Path, made: MultiScaleVQVAE
) -> None:
    clips = MovingScenes.open(motion)
    images = clips.numbered(range(3), torch.device("cpu"))
    tokens, features = encode_pictures(made, images)
    maps = made.encode(images).token_maps
    quantizer = made.quantizer
    neighbours = nearest_codes(quantizer.code_vectors(), 4)
    inputs, targets = corrupt(quantizer, maps, features, neighbours, 0.0, random_of(3))
    assert torch.equal(targets, tokens)
    torch.testing.assert_close(inputs, quantizer.teacher_inputs(maps))
    inputs, targets = corrupt(quantizer, maps, features, neighbours, 1.0, random_of(3))
    assert inputs.shape == (3, 14, 8) and not torch.equal(targets, tokens)


def test_painted_chunks_are_numbered_clips_with_words(motion: Path) -> None:
    clips = MovingScenes.open(motion)
    chunk = ClipChunks(clips, StreamOptions(0, 2, SIDE)).paint(1)
    assert torch.equal(chunk.images, clips.numbered([2, 3], torch.device("cpu")))
    assert chunk.styles.shape == (2, 1) and chunk.phrases.shape == (2, 8)


@pytest.mark.slow
def test_processes_paint_clips_beside_a_run(motion: Path, made: MultiScaleVQVAE) -> None:
    clips = MovingScenes.open(motion)
    options = ReplayOptions(workers=1, capacity=8, chunk=2 * NUM_FRAMES)
    tokens = ReplayedTokens(clips, made, True, options)
    try:
        batch = tokens.train_batch(torch.arange(2), random_of(2))
    finally:
        tokens.close()
    assert batch.tokens.shape == (2, 15)
    assert batch.features.shape == (2, 8, 3, 2, 2)
    known = encode_pictures(made, clips.numbered(range(40), torch.device("cpu")))[0]
    assert all((row == known).all(dim=1).any() for row in batch.tokens)


def test_a_trained_model_is_exported_and_animates(
    motion: Path, tokenizer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "SKETCH_PICTURES", 3 * NUM_FRAMES)
    assert run_clip_transformer(motion, tokenizer, tmp_path / "var", 2, *POOL) == 0
    words = f"--tokenizer {tokenizer} --transformer {tmp_path}/var/transformer --data {motion}"
    out = tmp_path / "model"
    assert export.main(f"{words} --out {out} --sketch-steps 2".split()) == 0
    pipeline = VARClipPipeline.from_pretrained(out)
    (clip,) = pipeline.animate(prompt="a fox").clips
    assert len(clip) == NUM_FRAMES and clip[0].size == (SIDE, SIDE)


def test_a_pool_of_other_sizes_is_one_sentence(
    motion: Path, tokenizer: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    for later in ((), ("--num-scales", "2", "--coarse-part", "0.5")):
        bad = ("--pool", "9", *later)
        assert run_clip_transformer(motion, tokenizer, tmp_path / "a", 2, *bad) == 2
        assert "a pool holds a multiple of 8 clips, not 9" in capsys.readouterr().err
