"""Chooses how the labels of a data set reach the network."""

from training.data.picture_source import PictureSource
from training.data.prepared_pictures import PreparedPictures
from training.data.scenes.pictures import ScenePictures
from training.transformer.conditioning import Conditioning, LabelConditioning
from training.transformer.prompt_conditioning import PromptConditioning
from training.transformer.settings import TransformerSettings
from var_core.transformer.model import MAX_PHRASES


def choose_conditioning(pictures: PictureSource, settings: TransformerSettings) -> Conditioning:
    """The conditioning for the labels of some pictures."""
    counts = [len(entry["values"]) for entry in pictures.label_names["attributes"]]
    if isinstance(pictures, ScenePictures | PreparedPictures) and pictures.vectors is not None:
        return PromptConditioning(
            pictures.vectors, counts, MAX_PHRASES, settings.drop_all, settings.drop_each
        )
    return LabelConditioning(counts, settings.drop_all, settings.drop_each)
