"""Pictures: between PIL, arrays and tensors, and guarded reading."""

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

READABLE_FORMATS = ("PNG", "JPEG", "WEBP")
MAX_FILE_BYTES = 10_000_000
MAX_PIXELS = 16_000_000
MAX_SIDE = 8192


def open_source(source: str | Path | bytes) -> tuple[Path | io.BytesIO, str]:
    """What Pillow can open, and a name for messages.

    Raises:
        ValueError: if it is larger than a picture may be, or not there.
    """
    if isinstance(source, bytes):
        name, size = "the picture", len(source)
        file = io.BytesIO(source)
    else:
        file = Path(source)
        name = file.name
        try:
            size = file.stat().st_size
        except (OSError, ValueError) as error:  # not there, or a name that cannot be
            raise ValueError(f"there is no file {name}") from error
    if size > MAX_FILE_BYTES:
        raise ValueError(f"{name} is larger than {MAX_FILE_BYTES // 1_000_000} MB")
    return file, name


def read_image(source: str | Path | bytes) -> Image.Image:
    """Read a picture from an untrusted file as upright RGB.

    Transparency becomes white, 16 bits a channel become 8, of a moving picture the first frame is
    taken, EXIF orientation is applied, colour profiles are left aside. Size and format are judged
    from the header.

    Args:
        source: path or content of a PNG, JPEG or WebP file of at most 10 MB and 16 megapixels.

    Raises:
        ValueError: if it is not such a file; nothing large has been decoded then.
    """
    file, name = open_source(source)
    try:
        with Image.open(file, formats=READABLE_FORMATS) as image:
            fits = max(image.size) <= MAX_SIDE and image.width * image.height <= MAX_PIXELS
            upright = upright_rgb(image) if fits else None
    except Exception as error:  # Pillow has many words for bad files, all of them foreign
        if is_of_machine(error):
            raise
        raise ValueError(f"{name} is not a readable PNG, JPEG or WebP picture") from error
    if upright is None:
        raise ValueError(
            f"{name} has {image.width}x{image.height} pixels; the limits are {MAX_SIDE} a side "
            f"and {MAX_PIXELS // 1_000_000} megapixels"
        )
    return upright


def is_of_machine(error: Exception) -> bool:
    """Whether an error of reading is one of the memory or the disk, not of the file."""
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and bool(error.errno))


def upright_rgb(image: Image.Image) -> Image.Image:
    """Decode the first frame to upright RGB, transparency becoming white; changes `image`.

    It makes as few copies as can be: those of the largest pictures take 48 MB each.
    """
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I"):  # conversion would clip, not scale
        image = Image.fromarray((np.asarray(image, np.float32) / 257).round().astype(np.uint8))
    if not image.has_transparency_data:
        return image.convert("RGB")
    layers = image.convert("RGBA")
    white = Image.new("RGB", image.size, "white")
    white.paste(layers, mask=layers.getchannel("A"))
    return white


def fit_square(image: Image.Image, size: int) -> Image.Image:
    """Crop the central square and scale it to `size` pixels a side (Lanczos)."""
    return ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)


def image_to_tensor(image: Image.Image) -> Tensor:
    """RGB picture to (1, 3, H, W) in [-1, 1]."""
    return uint8_to_tensor(np.asarray(image.convert("RGB"))[None]).contiguous()


def uint8_to_tensor(pixels: np.ndarray) -> Tensor:
    """(B, H, W, 3) uint8 to (B, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2).float() / 127.5 - 1


def tensor_to_uint8(images: Tensor) -> np.ndarray:
    """(B, 3, H, W) in [-1, 1] to (B, H, W, 3) uint8, rounded."""
    scaled = ((images.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return scaled.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def tensor_to_images(images: Tensor) -> list[Image.Image]:
    """(B, 3, H, W) in [-1, 1] to PIL pictures."""
    return [Image.fromarray(pixels) for pixels in tensor_to_uint8(images)]
