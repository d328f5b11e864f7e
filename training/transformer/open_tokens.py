"""Opens the tokens that a transformer run learns from."""

import shutil
from pathlib import Path

from accelerate import Accelerator

from training.data.motion.clips import MovingScenes
from training.data.picture_source import PictureSource
from training.data.prepared_pictures import PreparedPictures
from training.data.scenes.pictures import ScenePictures
from training.data.scenes.replay import ReplayOptions
from training.data.scenes.replayed_tokens import CAPACITY, ReplayedTokens
from training.data.token_cache import CachedTokens
from training.data.token_encoder import Encoder, reading_threads
from training.data.token_files import Views
from training.data.token_pool import TokenPool, check_pool_size
from training.data.token_source import EncodedPictures, TokenSource
from training.transformer.settings import TransformerSettings
from var_core.scales import ScaleSchedule
from var_core.tokenizer import MultiScaleVQVAE


def check_num_scales(num_scales: int, schedule: ScaleSchedule) -> int:
    """How many scales are learned, 0 standing for all.

    Raises:
        ValueError: if there are not so many.
    """
    if not 0 <= num_scales <= schedule.num_scales:
        raise ValueError(f"num_scales is 0 to {schedule.num_scales}, got {num_scales}")
    return num_scales or schedule.num_scales


def open_tokens(
    pictures: PictureSource,
    tokenizer: MultiScaleVQVAE,
    settings: TransformerSettings,
    accelerator: Accelerator,
    num_scales: int,
) -> TokenSource:
    """The tokens to train on: kept where pictures come again, else encoded in every step.

    Args:
        pictures: what is learned.
        tokenizer: frozen; its device is that of the run.
        settings: settings of the run.
        accelerator: processes and device of the run.
        num_scales: scales that are learned; see `learns_first_frames`.

    Raises:
        ValueError: if there is no pool of such a size.
        SaveError: if the cache cannot be written.
    """
    with_features = settings.self_correction > 0
    if isinstance(pictures, MovingScenes) and learns_first_frames(tokenizer, settings, num_scales):
        if settings.pool:  # for later
            check_pool_size(settings.pool, pictures.num_frames)
        return EncodedPictures(pictures.first_frames(), tokenizer, with_features)
    place = accelerator.process_index, accelerator.num_processes
    if isinstance(pictures, ScenePictures) and settings.painters:
        options = ReplayOptions(settings.painters, CAPACITY, *place)
        return ReplayedTokens(pictures, tokenizer, with_features, options)
    if isinstance(pictures, ScenePictures) and settings.pool:
        folder = Path(settings.pool_folder or f"{settings.out}/pool")
        return TokenPool(pictures, tokenizer, folder, settings.pool, with_features, *place)
    if not isinstance(pictures, PreparedPictures):
        return EncodedPictures(pictures, tokenizer, with_features)
    return cached_tokens(pictures, tokenizer, settings, accelerator)


def learns_first_frames(
    tokenizer: MultiScaleVQVAE, settings: TransformerSettings, num_scales: int
) -> bool:
    """Whether a run on clips has no scale of a clip to learn, so that first frames will do.

    Where other processes paint, they paint clips from the start, to have many of them later.
    """
    schedule = tokenizer.schedule
    is_still = schedule.is_clip and num_scales <= schedule.num_picture_scales
    return is_still and not settings.painters


def cached_tokens(
    pictures: PreparedPictures,
    tokenizer: MultiScaleVQVAE,
    settings: TransformerSettings,
    accelerator: Accelerator,
) -> CachedTokens:
    """The tokens of a prepared set; all processes encode what is missing.

    Raises:
        SaveError: if a file cannot be written.
    """
    with_features = settings.self_correction > 0
    views = Views(
        settings.num_views,
        settings.flip,
        with_features,
        pictures.augmentation.kind,
    )
    folder = Path(settings.tokens or f"{settings.out}/cache")
    threads = reading_threads(settings.workers, accelerator.device.type)
    encoder = Encoder(folder, tokenizer, pictures.data, views, threads)
    if not settings.tokens and accelerator.is_main_process:
        remove_others(folder, encoder.folder)
    files = encoder.encode(accelerator.process_index, accelerator.num_processes)
    return CachedTokens(pictures, tokenizer, files, settings.plain_view_share, with_features)


def remove_others(folder: Path, kept: Path) -> None:
    """Remove tokens of other pictures or tokenizers from the folder of a run, if there are any."""
    for path in folder.glob("*"):
        if path.is_dir() and path != kept:
            shutil.rmtree(path)
        elif path.is_file():
            path.unlink()


def check_single_process(settings: TransformerSettings, num_processes: int) -> None:
    """Check that what depends on the clock of one process is not asked of several.

    Raises:
        ValueError: if it is.
    """
    if (settings.minutes or settings.coarse_part < 1) and (num_processes > 1 or settings.shard):
        raise ValueError(
            f"minutes {settings.minutes:g} and coarse_part {settings.coarse_part:g} are for a run "
            f"of one process without shard; leave them out, or start 1 process, not {num_processes}"
        )
