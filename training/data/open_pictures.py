"""Opens the source of pictures that a data folder holds, whatever its kind."""

from pathlib import Path

from training.data.augment import UNCHANGED, Augmentation
from training.data.motion.clips import MOTION_FILE, MovingScenes
from training.data.picture_source import PictureSource
from training.data.prepared_pictures import PreparedPictures
from training.data.scenes.pictures import TABLE_FILE, ScenePictures


def open_pictures(folder: str | Path, augmentation: Augmentation = UNCHANGED) -> PictureSource:
    """Open a data folder.

    Args:
        folder: folder that a `training.prepare` command wrote.
        augmentation: how training pictures are changed; scenes differ without it.

    Raises:
        ValueError: if it holds no pictures, or a file of it is damaged.
    """
    if (Path(folder) / MOTION_FILE).exists():
        return MovingScenes.open(folder)
    if (Path(folder) / TABLE_FILE).exists():
        return ScenePictures.open(folder)
    return PreparedPictures.open(folder, augmentation)
