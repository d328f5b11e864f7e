"""The settings of a tokenizer run."""

from dataclasses import dataclass

from training.loop.run_settings import (
    AUGMENTATION,
    FILES,
    LOSSES,
    MACHINE,
    NETWORK,
    STEPS,
    RunSettings,
)
from var_core.option_fields import option
from var_core.tokenizer.quantizers import QUANTIZERS

PERCEPTUAL_VIEWS = ("whole", "half", "crop")
CODES = "codes"
ADVERSARY = "adversary"


@dataclass(frozen=True, kw_only=True)
class TokenizerSettings(RunSettings):
    """Settings of a tokenizer run."""

    nets: str = option(
        "data/nets", "folder of training.prepare.nets; if missing, pixel losses only", FILES
    )
    initial: str = option("", "folder of a trained tokenizer to start from", FILES)
    decoder_only: bool = option(
        False, "train the decoder alone, so that all tokens stay valid; needs --initial", NETWORK
    )
    decoder_channels: tuple[int, ...] = option(
        (),
        "channels of each level of the decoder; none: those of the encoder. With --initial a new "
        "decoder takes the place of the trained one",
        NETWORK,
        low=1,
    )
    decoder_blocks: int = option(
        0, "residual blocks per level of the decoder; 0: one more than the encoder", NETWORK, low=0
    )

    sides: tuple[int, ...] = option(
        (1, 2, 3, 4, 5, 6, 8), "sides of the token maps, coarse to fine", NETWORK, low=1
    )
    clip_frames: tuple[int, ...] = option(
        (),
        "frames of the maps that clips have after those of their first frame, coarse to fine; "
        "none: pictures",
        NETWORK,
        low=2,
    )
    clip_sides: tuple[int, ...] = option((), "sides of these maps", NETWORK, low=1)
    frame_stride: int = option(
        4, "frames of a clip for each frame of the finest of these maps", NETWORK, low=1
    )
    level_channels: tuple[int, ...] = option(
        (160, 192), "channels of each level of encoder and decoder, multiples of 32", NETWORK, low=1
    )
    num_blocks: int = option(1, "residual blocks per level", NETWORK, low=0)
    stem_patch: int = option(4, "side of the patches that the encoder starts from", NETWORK, low=1)
    head_channels: tuple[int, ...] = option(
        (),
        "channels of decoder levels between the patches and the pixels, multiples of 32; with "
        "--initial as --decoder-channels",
        NETWORK,
        low=1,
    )
    level_attention: bool = option(False, "attention in the last level", NETWORK)

    code_kind: str = option(
        "vq",
        "vq: a learned codebook; bsq: signs, with vocab_size 2^code_dim",
        CODES,
        choices=tuple(QUANTIZERS),
    )
    vocab_size: int = option(2048, "number of codes", CODES, low=2)
    code_dim: int = option(32, "width of a code", CODES, low=1)
    num_refine: int = option(
        4, "refine convolutions; bsq works best with one per scale", CODES, low=1
    )
    quantize_after: int = option(
        150, "steps as a plain autoencoder before codes are used", CODES, low=0
    )
    restart_every: int = option(50, "steps between restarts of unused codes", CODES, low=1)
    restart_until: float = option(
        0.8, "part of the run in which codes are restarted", CODES, low=0, high=1
    )

    base_rate: float = option(
        4.8e-3,
        "highest learning rate for each 256 pictures of a step",
        STEPS,
        low=0,
    )
    time_steps: int = option(
        0, "first steps of clips, which train what works along the time alone", STEPS, low=0
    )
    warmup_steps: int = option(100, "steps until the highest rate", STEPS, low=0)
    final_ratio: float = option(0.02, "last learning rate over the highest", STEPS, low=0, high=1)
    weight_decay: float = option(0.01, "weight decay of matrices", STEPS, low=0)
    grad_clip: float = option(1.0, "largest gradient norm; 0: any", STEPS, low=0)
    ema_decay: float = option(0.999, "decay of the averaged weights", STEPS, low=0, high=1)

    l1_weight: float = option(1.0, "weight of the absolute error", LOSSES, low=0)
    l2_weight: float = option(1.0, "weight of the squared error", LOSSES, low=0)
    change_weight: float = option(
        0.0, "weight of the absolute error of changes between frames", LOSSES, low=0
    )
    perceptual_weight: float = option(0.3, "weight of the perceptual distance", LOSSES, low=0)
    perceptual_view: str = option(
        "whole",
        "pictures compared perceptually: whole, at half the size, or a crop of a quarter",
        LOSSES,
        choices=PERCEPTUAL_VIEWS,
    )
    commitment: float = option(0.25, "weight that keeps features near their codes", LOSSES, low=0)
    entropy_weight: float = option(
        0.1, "weight of the loss that keeps the bits of bsq in use", LOSSES, low=0
    )

    adversarial_weight: float = option(
        0.0, "share of the adversary's gradient; 0: no adversary", ADVERSARY, low=0
    )
    adversarial_after: float = option(
        0.4, "part of the run before the adversary joins", ADVERSARY, low=0, high=1
    )
    adversary_channels: int = option(
        48, "channels of its first layer, a multiple of 16", ADVERSARY, low=16
    )
    adversary_rate: float = option(3e-4, "learning rate of the adversary", ADVERSARY, low=0)

    compile: bool = option(False, "compile encoder and decoder, in minutes", MACHINE)

    augmented_share: float = option(
        0.5, "part of the pictures that --augmentation changes", AUGMENTATION, low=0, high=1
    )
    flip: bool = option(True, "mirror half of the pictures", AUGMENTATION)
    latent_noise: float = option(
        0.0,
        "noise that the decoder learns to undo, over the spread of latents",
        AUGMENTATION,
        low=0,
    )
    scale_dropout: float = option(
        0.0,
        "chance that a picture is decoded from coarse scales only",
        AUGMENTATION,
        low=0,
        high=1,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.clip_frames) != len(self.clip_sides):
            raise ValueError(
                f"every map of a clip has frames and a side: clip_frames has "
                f"{len(self.clip_frames)} numbers, clip_sides {len(self.clip_sides)}"
            )
        new_decoder = self.decoder_channels or self.decoder_blocks or self.head_channels
        if self.initial and new_decoder and not self.decoder_only:
            raise ValueError(
                "decoder_channels, decoder_blocks and head_channels give a trained tokenizer a new "
                "decoder, which has to learn alone: add decoder_only"
            )
        if self.decoder_only and not self.initial:
            raise ValueError("decoder_only keeps a trained encoder, so it needs initial")
        if not self.initial and self.steps <= self.quantize_after:
            raise ValueError(
                f"with {self.steps} steps no code would be learned, as codes are used after "
                f"{self.quantize_after}: choose more --steps or fewer --quantize-after"
            )
