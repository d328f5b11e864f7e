"""The tokenizer: images to multi-scale token maps and back."""

from collections.abc import Sequence

from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn

from var_core.ranges import check_float, check_int, check_widths
from var_core.scales import SIDES_256, ScaleSchedule, Sides
from var_core.tokenizer.autoencoder import Decoder, Encoder, Sketch
from var_core.tokenizer.quantizers import QUANTIZERS
from var_core.tokenizer.residual_pyramid import Quantization

LEVEL_CHANNELS_OFFICIAL = (160, 160, 320, 320, 640)


class MultiScaleVQVAE(ModelMixin, ConfigMixin):
    """Multi-scale VQ-VAE of arXiv 2404.02905, section 3.2; the defaults are the published model.

    Args:
        sides: token maps, coarse to fine: sides of square ones, or (height, width).
        vocab_size: codes in the shared codebook (V), 2 to 65,536.
        code_dim: width of a code (D), 1 to 512.
        level_channels: width of each resolution level of encoder and decoder, fine to coarse.
        num_blocks: residual blocks per encoder level (the decoder has one more), 1 to 8.
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

    Raises:
        ValueError: if a setting is out of range; nothing has been allocated then.
    """

    _supports_gradient_checkpointing = False

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
    ) -> None:
        schedule = ScaleSchedule(sides)
        check_int("vocab_size", vocab_size, 2, 65536)
        check_int("code_dim", code_dim, 1, 512)
        check_int("num_blocks", num_blocks, 1, 8)
        check_int("norm_groups", norm_groups, 1, 1024)
        check_int("stem_patch", stem_patch, 1, 16)
        check_int("num_refine", num_refine, 1, 64)
        check_float("refine_ratio", refine_ratio, 0.0, 1.0)
        check_int("sketch_width", sketch_width, 0, 1024)
        if code_kind not in QUANTIZERS:
            raise ValueError(f"code_kind must be {' or '.join(QUANTIZERS)}, got {code_kind!r}")
        check_widths("level_channels", level_channels, norm_groups, 2048, 8)
        if head_channels:
            check_widths("head_channels", head_channels, norm_groups, 2048, 4)
        if stem_patch % 2 ** len(head_channels):
            raise ValueError(
                f"{len(head_channels)} head_channels need a stem_patch that is a multiple of "
                f"{2 ** len(head_channels)}, got {stem_patch}"
            )
        super().__init__()
        self.schedule = schedule
        self.stride = stem_patch * 2 ** (len(level_channels) - 1)
        halves = (
            tuple(level_channels),
            code_dim,
            num_blocks,
            norm_groups,
            stem_patch,
            level_attention,
            middle_attention,
        )
        self.encoder = Encoder(*halves)
        self.decoder = Decoder(*halves, tuple(head_channels))
        self.quantizer = QUANTIZERS[code_kind](
            schedule, vocab_size, code_dim, num_refine, refine_ratio
        )
        self.pre_quant = nn.Conv2d(code_dim, code_dim, kernel_size=3, padding=1)
        self.post_quant = nn.Conv2d(code_dim, code_dim, kernel_size=3, padding=1)
        self.sketch = Sketch(code_dim, sketch_width, self.stride) if sketch_width else None

    @property
    def image_shape(self) -> tuple[int, int]:
        """Height and width of the images in pixels."""
        height, width = self.schedule.final_shape
        return self.stride * height, self.stride * width

    def keep_exact(self) -> None:
        """Back to float32 with what must not be rounded: sums over scales, and pixels."""
        self.quantizer.float()
        self.decoder.conv_out.float()

    def encode_features(self, images: Tensor) -> Tensor:
        """Images to features before quantization.

        Args:
            images: (B, 3, *image_shape) in [-1, 1].

        Returns:
            Features (B, D, H, W), float32.

        Raises:
            ValueError: if the shape does not fit the model.
        """
        height, width = self.image_shape
        if images.ndim != 4 or images.shape[1:] != (3, height, width):
            raise ValueError(f"images must be (B, 3, {height}, {width}), got {tuple(images.shape)}")
        images = images.to(self.pre_quant.weight.dtype)
        return self.pre_quant(self.encoder(images)).float()

    def encode(self, images: Tensor) -> Quantization:
        """Images (B, 3, *image_shape) in [-1, 1] to token maps and latents."""
        return self.quantizer.encode(self.encode_features(images))

    def decode_latent(self, latent: Tensor) -> Tensor:
        """A running latent (B, D, H, W), of any number of scales, to images in [-1, 1], float32."""
        return self.decode_unclamped(latent).clamp(-1.0, 1.0)

    def decode_unclamped(self, latent: Tensor) -> Tensor:
        """As `decode_latent` without the final clamp, for losses."""
        latent = latent.to(self.post_quant.weight.dtype)
        return self.decoder(self.post_quant(latent)).float()

    def sketch_latent(self, latent: Tensor) -> Tensor:
        """As `decode_latent`, but quick and rough; the true decode where there is no sketch."""
        if self.sketch is None:
            return self.decode_latent(latent)
        return self.sketch(latent.to(self.post_quant.weight.dtype)).float().clamp(-1.0, 1.0)

    def decode(self, token_maps: Sequence[Tensor]) -> Tensor:
        """Token maps, or a coarse prefix of them, to images (B, 3, *image_shape) in [-1, 1]."""
        return self.decode_latent(self.quantizer.sum_scales(token_maps)[-1])

    def forward(self, images: Tensor) -> Tensor:
        """Reconstruct images: (B, 3, *image_shape) in [-1, 1] -> the same shape and range."""
        return self.decode_latent(self.encode(images).latent)


def straight_through(features: Tensor, latent: Tensor) -> Tensor:
    """The value of `latent` with the gradient of `features` (arXiv 1711.00937, section 3.2)."""
    return features + (latent - features).detach()
