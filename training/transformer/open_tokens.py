"""Opens the tokens that a transformer run learns from."""

from pathlib import Path

from accelerate import Accelerator

from training.data.picture_source import PictureSource
from training.data.prepared_pictures import PreparedPictures
from training.data.scenes.pictures import ScenePictures
from training.data.scenes.replayed_tokens import ReplayedTokens
from training.data.token_cache import CachedTokens, Views, load_or_build_token_cache
from training.data.token_pool import TokenPool
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
) -> TokenSource:
    """The tokens to train on: kept where pictures come again, else encoded in every step.

    Raises:
        SaveError: if the cache cannot be written.
    """
    with_features = settings.self_correction > 0
    if isinstance(pictures, ScenePictures) and settings.painters:
        place = accelerator.process_index, accelerator.num_processes
        return ReplayedTokens(pictures, tokenizer, with_features, settings.painters, *place)
    if isinstance(pictures, ScenePictures) and settings.pool:
        folder = Path(settings.pool_folder or f"{settings.out}/pool")
        return TokenPool(pictures, tokenizer, folder, settings.pool, with_features)
    if not isinstance(pictures, PreparedPictures):
        return EncodedPictures(pictures, tokenizer, with_features)
    kind = pictures.augmentation.kind
    views = Views(settings.num_views, settings.flip, all_latents=with_features, kind=kind)
    folder = Path(settings.out) / "cache"
    cache = load_or_build_token_cache(folder, tokenizer, pictures.data.images, views)
    return CachedTokens(pictures, tokenizer, cache, settings.plain_view_share, with_features)


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
