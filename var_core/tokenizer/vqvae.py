"""The tokenizer: images to multi-scale token maps and back."""

from collections.abc import Sequence

from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn

from var_core.scales import SIDES_256, ScaleSchedule, Sides
from var_core.tokenizer.autoencoder import Decoder, Encoder, Sketch
from var_core.tokenizer.fixed_threads import in_fixed_threads
from var_core.tokenizer.frames import double_frames, fold_frames, unfold_frames
from var_core.tokenizer.quantizers import QUANTIZERS
from var_core.tokenizer.residual_pyramid import Quantization
from var_core.tokenizer.settings import FRAME_STRIDES, check_settings
from var_core.tokenizer.time_layers import TimeDown, TimeUp

LEVEL_CHANNELS_OFFICIAL = (160, 160, 320, 320, 640)


class MultiScaleVQVAE(ModelMixin, ConfigMixin):
    """Multi-scale VQ-VAE of arXiv 2404.02905, section 3.2; the defaults are the published model.

    With maps of several frames it is one of clips, causal in time: the first frame of a clip is
    encoded and decoded as a picture by itself. A picture is encoded as such a frame.

    Args:
        sides: token maps, coarse to fine: sides of square ones, (height, width), or (frames,
            height, width).
        vocab_size: codes in the shared codebook (V), 2 to 65,536.
        code_dim: width of a code (D), 1 to 512.
        level_channels: width of each resolution level of encoder and decoder, fine to coarse.
        num_blocks: residual blocks per encoder level, 1 to 8.
        norm_groups: groups of every GroupNorm; must divide every width.
        stem_patch: side of pixel squares folded into channels before the first convolution.
        level_attention: attention after each block of the coarsest level.
        middle_attention: attention between the two middle blocks.
        num_refine: refine convolutions shared by the scales, 1 to 64.
        refine_ratio: weight of a refine convolution against its input, in [0, 1].
        code_kind: "vq", codes of a learned codebook, or "bsq", signs of channels; see
            `quantizers.py`.
        head_channels: width of each decoder level between the mirrored levels and the pixels. Each
            doubles the sides, so 2 ** len(head_channels) divides `stem_patch`; none as published.
        sketch_width: channels of a small decoder for previews, up to 1,024; 0, as published, has
            none.
        frame_stride: frames of a clip for each frame of the latent after the first: 1, 2, 4 or 8; 1
            for pictures.
        decoder_channels: width of each decoder level where it is not that of the encoder's; None,
            as published, where it is.
        decoder_blocks: residual blocks per decoder level, 1 to 16; None, as published, is one more
            than `num_blocks`.

    Raises:
        ValueError: if a setting is out of range; nothing has been allocated then.
    """

    _supports_gradient_checkpointing = True

    @register_to_config
    def __init__(
        self,
        sides: Sides = SIDES_256,
        vocab_size: int = 4096,
        code_dim: int = 32,
        level_channels: Sequence[int] = LEVEL_CHANNELS_OFFICIAL,
        num_blocks: int = 2,
        norm_groups: int = 32,
        stem_patch: int = 1,
        level_attention: bool = True,
        middle_attention: bool = True,
        num_refine: int = 4,
        refine_ratio: float = 0.5,
        code_kind: str = "vq",
        head_channels: Sequence[int] = (),
        sketch_width: int = 0,
        frame_stride: int = 1,
        decoder_channels: Sequence[int] | None = None,
        decoder_blocks: int | None = None,
    ) -> None:
        check_settings(self.config)
        super().__init__()
        self.num_threads: int | None = None
        self.schedule = schedule = ScaleSchedule(sides)
        self.stride = stem_patch * 2 ** (len(level_channels) - 1)
        decoder_channels = decoder_channels or level_channels
        decoder_blocks = decoder_blocks or num_blocks + 1
        both = norm_groups, stem_patch, level_attention, middle_attention
        self.encoder = Encoder(tuple(level_channels), code_dim, num_blocks, *both)
        self.decoder = Decoder(
            tuple(decoder_channels), code_dim, decoder_blocks, *both, tuple(head_channels)
        )
        self.quantizer = QUANTIZERS[code_kind](
            schedule, vocab_size, code_dim, num_refine, refine_ratio
        )
        self.pre_quant = nn.Conv2d(code_dim, code_dim, kernel_size=3, padding=1)
        self.post_quant = nn.Conv2d(code_dim, code_dim, kernel_size=3, padding=1)
        self.sketch = Sketch(code_dim, sketch_width, self.stride) if sketch_width else None
        self.num_halvings = FRAME_STRIDES.index(frame_stride)
        widths = level_channels[-1], decoder_channels[-1]
        self.time_down = TimeDown(widths[0], self.num_halvings) if schedule.is_clip else None
        self.time_up = TimeUp(widths[1], self.num_halvings) if schedule.is_clip else None

    @property
    def num_frames(self) -> int:
        """Frames of a clip; 1 where there are only pictures."""
        frames = self.schedule.latent_shape[0] if self.schedule.is_clip else 1
        return 1 + (frames - 1) * 2**self.num_halvings

    @property
    def image_shape(self) -> tuple[int, int]:
        """Height and width of the images in pixels."""
        height, width = self.schedule.final_shape[-2:]
        return self.stride * height, self.stride * width

    @in_fixed_threads
    def encode_features(self, images: Tensor) -> Tensor:
        """Images to features before quantization.

        Args:
            images: (B, 3, *image_shape) in [-1, 1], or clips (B, 3, F, *image_shape) of up to
                `num_frames` frames.

        Returns:
            Features (B, D, H, W), or (B, D, T, H, W) of clips, float32.

        Raises:
            ValueError: if the shape does not fit the model.
        """
        self._check_shape(images)
        images = images.to(self.pre_quant.weight.dtype)
        if images.ndim == 4:
            return self.pre_quant(self.encoder(images)).float()
        assert self.time_down is not None
        frames = unfold_frames(self.encoder.shrink(fold_frames(images)), len(images))
        maps = self.encoder.finish(fold_frames(self.time_down(frames)))
        return unfold_frames(self.pre_quant(maps), len(images)).float()

    def _check_shape(self, images: Tensor) -> None:
        """Raise ValueError if images or clips do not fit the model."""
        height, width = self.image_shape
        if images.ndim == 5 and self.schedule.is_clip:
            stride = 2**self.num_halvings
            known = range(1, self.num_frames + 1, stride)
            if (
                images.shape[1] == 3
                and images.shape[2] in known
                and images.shape[3:]
                == (
                    height,
                    width,
                )
            ):
                return
            raise ValueError(
                f"clips must be (B, 3, F, {height}, {width}) with F one of 1, {1 + stride}, ... "
                f"{self.num_frames}, got {tuple(images.shape)}"
            )
        if images.ndim != 4 or images.shape[1:] != (3, height, width):
            raise ValueError(f"images must be (B, 3, {height}, {width}), got {tuple(images.shape)}")

    @in_fixed_threads
    def encode(self, images: Tensor) -> Quantization:
        """Images (B, 3, *image_shape) in [-1, 1], or whole clips, to token maps and latents."""
        return self.quantizer.encode(self.encode_features(images))

    def decode_latent(self, latent: Tensor) -> Tensor:
        """A running latent, of any number of scales, to images in [-1, 1], float32.

        Args:
            latent: (B, D, H, W), or (B, D, T, H, W) of clips.

        Returns:
            (B, 3, *image_shape), or (B, 3, F, *image_shape) of clips.
        """
        return self.decode_unclamped(latent).clamp(-1.0, 1.0)

    @in_fixed_threads
    def decode_unclamped(self, latent: Tensor) -> Tensor:
        """As `decode_latent` without the final clamp, for losses."""
        latent = latent.to(self.post_quant.weight.dtype)
        if latent.ndim == 4:
            return self.decoder(self.post_quant(latent)).float()
        assert self.time_up is not None
        maps = self.decoder.start(self.post_quant(fold_frames(latent)))
        frames = fold_frames(self.time_up(unfold_frames(maps, len(latent))))
        return unfold_frames(self.decoder.finish(frames).float(), len(latent))

    @in_fixed_threads
    def sketch_latent(self, latent: Tensor) -> Tensor:
        """As `decode_latent`, but quick and rough; the true decode where there is no sketch."""
        if self.sketch is None:
            return self.decode_latent(latent)
        if latent.ndim == 4:
            return self.sketch(latent.to(self.post_quant.weight.dtype)).float().clamp(-1.0, 1.0)
        clips = unfold_frames(self.sketch_latent(fold_frames(latent)), len(latent))
        for _ in range(self.num_halvings):
            clips = double_frames(clips)
        return clips

    def decode(self, token_maps: Sequence[Tensor]) -> Tensor:
        """Token maps, or a coarse prefix of them, to images as those of `decode_latent`."""
        return self.decode_latent(self.quantizer.sum_scales(token_maps)[-1])

    def forward(self, images: Tensor) -> Tensor:
        """Reconstruct images or whole clips in [-1, 1] -> the same shape and range."""
        return self.decode_latent(self.encode(images).latent)


def straight_through(features: Tensor, latent: Tensor) -> Tensor:
    """The value of `latent` with the gradient of `features` (arXiv 1711.00937, section 3.2)."""
    return features + (latent - features).detach()
