"""A transformer run to measure for `--dry-run`."""

from dataclasses import replace
from time import monotonic

from torch import Tensor

from training.data.augment import Augmentation
from training.data.open_pictures import open_pictures
from training.data.prepared_pictures import PreparedPictures
from training.data.token_source import encode_pictures
from training.loop.dry_run import TRIED_PICTURES, Trial
from training.transformer.run import TransformerRun
from training.transformer.settings import TransformerSettings
from var_core.tokenizer import MultiScaleVQVAE

ENCODED = 32  # pictures


def transformer_trial(settings: TransformerSettings, folder: str) -> Trial:
    """A run that learns all scales that are asked for; scenes are encoded in every step."""
    pictures = open_pictures(settings.data, Augmentation(settings.augmentation))
    num_scales = settings.num_scales if settings.coarse_part == 1 else 0
    tried = replace(settings, out=folder, tracker="none", workers=0, coarse_part=1.0, minutes=0.0)
    tried = replace(tried, tokens="", num_scales=num_scales, pool=0, painters=0, frechet_drawings=0)
    if not isinstance(pictures, PreparedPictures):
        return Trial(TransformerRun(tried, pictures))
    run = TransformerRun(tried, pictures.few(TRIED_PICTURES))
    seconds = encoding_seconds(run.tokenizer, pictures.fixed("train", ENCODED).images)
    seconds /= run.accelerator.num_processes  # all of them encode
    return Trial(run, seconds * len(pictures.labels) * settings.num_views)


def encoding_seconds(tokenizer: MultiScaleVQVAE, images: Tensor) -> float:
    """Seconds to encode a picture, from some pictures (N, 3, H, W)."""
    images = images.to(tokenizer.device)
    start = monotonic()
    encode_pictures(tokenizer, images)[0].cpu()  # waits for the device
    return (monotonic() - start) / len(images)
