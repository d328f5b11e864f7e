"""The runs of the comparison: each method at each size, and VAR without one of its parts."""

from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from training.data.scenes.pictures import ScenePictures
from training.study.diffusion_run import DiffusionRun, SceneLatents
from training.study.raster_run import RasterRun
from training.study.settings import AVERAGE_DECAY, PYRAMID, RASTER, RivalSettings
from training.study.sized_run import SizedRun
from training.study.sizes import Size
from training.study.variants import VARIANTS, VariantRun
from training.transformer.choose_conditioning import choose_conditioning
from training.transformer.settings import TransformerSettings
from var_core.checkpoints import load_tokenizer
from var_core.devices import pick_device

VAR, RASTER_METHOD, DIFFUSION = METHODS = ("var", "raster", "diffusion")
LARGEST_DIFFERENCE = 0.03  # of the parameters of a method from those of VAR

RivalRun = SizedRun | RasterRun | DiffusionRun


@dataclass(frozen=True)
class Rival:
    """A method at a size.

    Attributes:
        method: one of `METHODS`.
        size: size of its network.
        variant: key of `VARIANTS`; "" for the method itself.
    """

    method: str
    size: Size
    variant: str = ""

    @property
    def name(self) -> str:
        """Name of its point and of its folder."""
        return "-".join(filter(None, (self.method, f"d{self.size.depth:02d}", self.variant)))

    @property
    def tokenizer(self) -> str:
        """Name of its tokenizer; diffusion shares encoder and decoder of VAR."""
        return RASTER if self.method == RASTER_METHOD else PYRAMID


def rivals_of(settings: RivalSettings) -> list[Rival]:
    """All methods at all sizes, small ones first, then the variants of the smallest VAR."""
    found = []
    if settings.only != "ablations":
        found += [Rival(method, size) for size in settings.sizes for method in METHODS]
    if settings.only != "methods":
        found += [Rival(VAR, settings.sizes[0], variant) for variant in VARIANTS]
    return found


def open_rival(rival: Rival, settings: RivalSettings, scenes: ScenePictures) -> RivalRun:
    """The run of a method: the same settings but for the folders of tokenizer and pool."""
    own = rival_settings(rival, settings)
    if rival.variant:
        variant = VARIANTS[rival.variant]
        return VariantRun(own, scenes, settings.validation, variant)
    if rival.method == VAR:
        return SizedRun(own, scenes, settings.validation)
    if rival.method == RASTER_METHOD:
        return RasterRun(own, scenes, settings.validation)
    tokenizer = load_tokenizer(own.tokenizer)
    nn.Module.to(tokenizer, pick_device())
    # beside the tokens of the same scenes and tokenizer, which the folder was claimed for
    path = settings.pool_folder(PYRAMID) / f"latents-{settings.pool}.npy"
    latents = SceneLatents(scenes, tokenizer, settings.pool, path)
    counts = [len(one["values"]) for one in scenes.label_names["attributes"]]
    conditioning = choose_conditioning(scenes, own)
    return DiffusionRun(own, latents, conditioning, counts, settings.validation)


def rival_settings(rival: Rival, settings: RivalSettings) -> TransformerSettings:
    """Settings of the run of a method.

    All methods average their weights: drawings of diffusion gain most from that, and at 25 and 50 %
    of the training, when the learning rate is still high, those of all.
    """
    own = replace(
        settings.run_settings(rival.name, rival.size, 0, rival.tokenizer), ema_decay=AVERAGE_DECAY
    )
    if not rival.variant:
        return own
    return VARIANTS[rival.variant].settings(own, len(settings.sides))


def check_parameters(found: int, size: Size) -> None:
    """Check that a method has as many parameters as VAR.

    Raises:
        ValueError: if they differ by more than 3 %.
    """
    if abs(found / size.num_parameters - 1) > LARGEST_DIFFERENCE:
        raise ValueError(
            f"a method has {found:,} parameters at depth {size.depth}, VAR {size.num_parameters:,}:"
            " choose a larger depth, where they differ by at most 3 %"
        )


def about_rival(rival: Rival) -> dict[str, Any]:
    """What a rival is, as it stands in its point."""
    return {
        "kind": rival.method,
        "variant": rival.variant,
        "depth": rival.size.depth,
        "width": rival.size.width,
    }
