"""Size and memory of a tokenizer run, without doing any of it."""

from pathlib import Path

import torch

from training.data.open_pictures import open_pictures
from training.data.picture_source import check_side
from training.loop.footprint import PASSES, Footprint, count_parameters, measure_forward
from training.loop.picture_random import PictureRandom
from training.tokenizer.discriminator import PatchDiscriminator
from training.tokenizer.new_tokenizer import choose_trained, outline_tokenizer
from training.tokenizer.objective import TokenizerObjective
from training.tokenizer.perceptual import PerceptualDistance
from training.tokenizer.settings import TokenizerSettings


def tokenizer_footprint(settings: TokenizerSettings) -> Footprint:
    """Size and memory of a run.

    Raises:
        ValueError: if settings or data cannot be used.
    """
    pictures = open_pictures(settings.data)
    with torch.device("meta"):
        tokenizer = outline_tokenizer(settings)
        choose_trained(tokenizer, settings)
        check_side(pictures, tokenizer)
        if settings.checkpoint_activations:
            tokenizer.enable_gradient_checkpointing()
        adversary = PatchDiscriminator(settings.adversary_channels)
        perceptual = PerceptualDistance() if Path(settings.nets).is_dir() else None
        objective = TokenizerObjective(tokenizer, perceptual, settings)
        size = settings.batch_size // settings.accumulate
        frames = [tokenizer.num_frames] * tokenizer.schedule.is_clip
        images = torch.empty(size, 3, *frames, *tokenizer.image_shape)
    judge = adversary if settings.adversarial_weight else None
    random = PictureRandom(0, 0, range(size))
    saved, flops = measure_forward(
        lambda: objective(images, True, judge, random).losses["loss"], objective
    )
    size = count_parameters(tokenizer)
    trained = count_parameters(tokenizer, trained=True)
    memory = {"weights": 4 * size, "gradients": 4 * trained, "AdamW": 8 * trained}
    memory |= {"averaged weights": 4 * size, "activations": saved}
    if judge is not None:
        memory["adversary, gradients, AdamW"] = 16 * count_parameters(adversary)
    parts = {name: count_parameters(part) for name, part in tokenizer.named_children()}
    return Footprint(parts, memory, PASSES * settings.accumulate * flops)
