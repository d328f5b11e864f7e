"""The tokenizer that a run starts from."""

from training.loop.checkpoint import step_generator
from training.loop.optim import parameter_groups
from training.tokenizer.new_decoder import outline_decoder, replace_decoder
from training.tokenizer.settings import TokenizerSettings
from var_core.checkpoints import load_tokenizer, outline_network
from var_core.scales import ScaleSchedule, Sides
from var_core.tokenizer import MultiScaleVQVAE
from var_core.tokenizer.inflation import IN_TIME, inflate_tokenizer, init_time, outline_inflated
from var_core.tokenizer.initial_weights import init_tokenizer


def outline_tokenizer(settings: TokenizerSettings) -> MultiScaleVQVAE:
    """The network that a run trains, without the weights it starts from.

    Raises:
        ValueError: if the settings are out of range, or `initial` is no tokenizer or one of others.
    """
    if settings.initial:
        trained = without_sketch(outline_network(settings.initial, MultiScaleVQVAE))
        trained = outline_decoder(trained, settings)
        if is_inflated(trained, settings):
            return outline_inflated(trained, clip_sides(trained, settings), settings.frame_stride)
        return trained
    return MultiScaleVQVAE(
        sides=(*settings.sides, *clip_maps(settings)),
        vocab_size=settings.vocab_size,
        code_dim=settings.code_dim,
        level_channels=settings.level_channels,
        num_blocks=settings.num_blocks,
        stem_patch=settings.stem_patch,
        head_channels=settings.head_channels,
        level_attention=settings.level_attention,
        num_refine=settings.num_refine,
        code_kind=settings.code_kind,
        frame_stride=settings.frame_stride if settings.clip_frames else 1,
        decoder_channels=settings.decoder_channels or None,
        decoder_blocks=settings.decoder_blocks or None,
    )


def new_tokenizer(settings: TokenizerSettings) -> MultiScaleVQVAE:
    """The network with the weights it starts from, float32.

    Raises:
        ValueError: if the settings are out of range, or `initial` is no tokenizer or one of others.
    """
    generator = step_generator(settings.seed, -2)
    if settings.initial:
        trained = without_sketch(load_tokenizer(settings.initial))
        trained = replace_decoder(trained, settings, generator)
        if is_inflated(trained, settings):
            sides = clip_sides(trained, settings)
            return inflate_tokenizer(trained, sides, settings.frame_stride, generator)
        return trained
    tokenizer = outline_tokenizer(settings)
    init_tokenizer(tokenizer, generator)
    init_time(tokenizer, generator)
    return tokenizer


def without_sketch(tokenizer: MultiScaleVQVAE) -> MultiScaleVQVAE:
    """Leave out the decoder of previews, which would not fit what is trained further."""
    tokenizer.sketch = None
    tokenizer.register_to_config(sketch_width=0)
    return tokenizer


def clip_maps(settings: TokenizerSettings) -> list[tuple[int, int, int]]:
    """Frames, height and width of the maps of several frames."""
    pairs = zip(settings.clip_frames, settings.clip_sides, strict=True)
    return [(frames, side, side) for frames, side in pairs]


def clip_sides(trained: MultiScaleVQVAE, settings: TokenizerSettings) -> Sides:
    """The maps of clips whose first frames are the pictures of a trained tokenizer."""
    return [*trained.schedule.sides, *clip_maps(settings)]


def is_inflated(trained: MultiScaleVQVAE, settings: TokenizerSettings) -> bool:
    """Whether the run makes a tokenizer of clips from one of pictures.

    Raises:
        ValueError: if it is one of other clips already.
    """
    if not settings.clip_frames or not trained.schedule.is_clip:
        return bool(settings.clip_frames)
    schedule = trained.schedule
    picture = schedule.first(schedule.num_picture_scales)
    wanted = ScaleSchedule([*picture.sides, *clip_maps(settings)])
    if wanted != schedule or trained.config["frame_stride"] != settings.frame_stride:
        raise ValueError(
            f"{settings.initial} is a tokenizer of other clips: leave out clip_frames and "
            "clip_sides to train it further"
        )
    return False


def choose_trained(tokenizer: MultiScaleVQVAE, settings: TokenizerSettings) -> None:
    """Ask for gradients of the parts that the run trains, and of no others."""
    tokenizer.requires_grad_(not settings.decoder_only)
    for part in (tokenizer.decoder, tokenizer.post_quant, tokenizer.time_up):
        if part is not None:
            part.requires_grad_(True)


def check_losses(settings: TokenizerSettings, tokenizer: MultiScaleVQVAE) -> None:
    """Check that there is no loss for pictures where clips are trained, and none for clips else.

    Raises:
        ValueError: if there is.
    """
    is_clip = tokenizer.schedule.is_clip
    if is_clip and settings.adversarial_weight:
        raise ValueError("adversarial_weight is for pictures: set it to 0 for clips")
    if not is_clip and (settings.change_weight or settings.time_steps):
        raise ValueError("change_weight and time_steps are for clips: leave them out for pictures")


def optimizer_groups(tokenizer: MultiScaleVQVAE, weight_decay: float) -> list[dict]:
    """Groups of `parameter_groups`, those that work along the time by themselves: "in_time"."""
    groups: list[dict] = []
    for in_time in (False, True):
        named = [
            (name, parameter)
            for name, parameter in tokenizer.named_parameters()
            if name.startswith(IN_TIME) == in_time
        ]
        if named:
            found = parameter_groups(named, weight_decay)
            groups += [group | {"in_time": in_time} for group in found]
    return groups
