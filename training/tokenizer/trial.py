"""A tokenizer run to measure for `--dry-run`."""

from dataclasses import replace

from training.data.augment import Augmentation
from training.data.open_pictures import open_pictures
from training.data.prepared_pictures import PreparedPictures
from training.loop.dry_run import TRIED_PICTURES, Trial
from training.tokenizer.run import TokenizerRun
from training.tokenizer.settings import TokenizerSettings


def tokenizer_trial(settings: TokenizerSettings, folder: str) -> Trial:
    """A run with all its parts from the first step on, with codes and adversary."""
    augmentation = Augmentation(settings.augmentation, settings.flip, settings.augmented_share)
    pictures = open_pictures(settings.data, augmentation)
    if isinstance(pictures, PreparedPictures):
        pictures = pictures.few(TRIED_PICTURES)
    tried = replace(settings, out=folder, tracker="none", workers=0, minutes=0.0, painters=0)
    tried = replace(tried, quantize_after=0, adversarial_after=0.0)
    return Trial(TokenizerRun(tried, pictures))
