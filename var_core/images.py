"""Pictures: the one reader of picture files, and between PIL, arrays and tensors."""

import io
import stat
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import ExifTags, Image, ImageOps
from torch import Tensor

from var_core.picture_headers import EXIF, JPEG, check_jpeg, check_png, exif_of, orientation_of

READABLE_FORMATS = ("PNG", "JPEG", "WEBP")
OWN_FORMATS = (*READABLE_FORMATS, "AVIF", "BMP", "GIF", "JPEG2000", "PPM", "QOI", "TIFF")
MAX_FILE_BYTES = 10_000_000
MAX_PIXELS = 16_000_000
MAX_SIDE = 8192
_OPENING = threading.Lock()  # held while Pillow's own limit is lifted


@dataclass(frozen=True)
class PictureLimits:
    """What is read of a picture file; size and format are judged from the header.

    Attributes:
        file_bytes: size of the file.
        pixels: width times height.
        side: the longer side.
        formats: formats by Pillow's names.
    """

    file_bytes: int = MAX_FILE_BYTES
    pixels: int = MAX_PIXELS
    side: int = MAX_SIDE
    formats: tuple[str, ...] = READABLE_FORMATS

    def check_bytes(self, name: str, size: int) -> None:
        """Raise ValueError if a file is too large."""
        if size > self.file_bytes:
            raise ValueError(f"{name} is larger than {self.file_bytes // 1_000_000} MB")

    def check_size(self, name: str, width: int, height: int) -> None:
        """Raise ValueError if a picture has too many pixels."""
        if max(width, height) > self.side or width * height > self.pixels:
            raise ValueError(
                f"{name} has {width}x{height} pixels; the limits are {self.side} a side "
                f"and {self.pixels // 1_000_000} megapixels"
            )


VISITORS = PictureLimits()  # what anybody may send; one's own files are read without limits


def open_source(
    source: str | Path | bytes, limits: PictureLimits | None = VISITORS
) -> tuple[Path | io.BytesIO, str]:
    """What Pillow can open, and a name for messages.

    Raises:
        ValueError: if it is larger than a picture may be, not there, no regular file, or not to be
            read.
    """
    if isinstance(source, bytes):
        file, name, size = io.BytesIO(source), "the picture", len(source)
    else:
        file = Path(source)
        name = file.name
        try:
            found = file.stat()
        except (OSError, ValueError) as error:  # not there, or a name that cannot be
            raise ValueError(f"there is no file {name}") from error
        if not stat.S_ISREG(found.st_mode):  # a pipe could be waited for without end
            raise ValueError(f"{name} is no file")
        try:
            file.open("rb").close()
        except PermissionError as error:  # of the file; other errors are the machine's
            raise ValueError(f"{name} cannot be read: {error.strerror}") from error
        size = found.st_size
    if limits is not None:
        limits.check_bytes(name, size)
    return file, name


def read_image(source: str | Path | bytes, limits: PictureLimits | None = VISITORS) -> Image.Image:
    """Read a picture file as upright RGB.

    Transparency becomes white, 16 bits a channel become 8, of a moving picture the first frame is
    taken, EXIF orientation is applied, colour profiles are left aside.

    Args:
        source: path or content of a file.
        limits: what may be read; None reads every format in `OWN_FORMATS`, of any size.

    Raises:
        ValueError: if it is no such file; nothing large has been decoded then.
    """
    return on_white(read_layers(source, limits))


def read_layers(source: str | Path | bytes, limits: PictureLimits | None = VISITORS) -> Image.Image:
    """As `read_image`, but RGBA where the picture has transparency."""
    file, name = open_source(source, limits)
    formats = OWN_FORMATS if limits is None else limits.formats
    try:
        exif = b""
        if limits is not None:
            file, exif = _judged(file)
        with opened(file, formats, limits) as image:
            size = image.size
            fits = limits is None or (max(size) <= limits.side and np.prod(size) <= limits.pixels)
            if fits and limits is not None:
                _keep_orientation_alone(image, exif)
            layers = upright_layers(image) if fits else None
    except Exception as error:  # Pillow has many words for bad files, all of them foreign
        if is_of_machine(error):
            raise
        wanted = "PNG, JPEG or WebP picture" if limits is not None else "picture"
        raise ValueError(f"{name} is not a readable {wanted}") from error
    if limits is not None:
        limits.check_size(name, *size)
    assert layers is not None
    return layers


def content_of(file: Path | io.BytesIO) -> bytes:
    """The bytes of what `open_source` returns."""
    return file.read_bytes() if isinstance(file, Path) else file.getvalue()


def _judged(file: Path | io.BytesIO) -> tuple[io.BytesIO, bytes]:
    """The file without EXIF where Pillow would read it on opening, and that EXIF.

    Raises:
        ValueError: if to open or decode it could take minutes.
    """
    content = content_of(file)
    if not content.startswith(JPEG):
        check_png(content)
        return io.BytesIO(content), b""
    exif = check_jpeg(content)
    return io.BytesIO(content.replace(EXIF, EXIF.lower())), exif


def _keep_orientation_alone(image: Image.Image, exif: bytes) -> None:
    """Decode, and leave of what a file says about its picture only how it is turned."""
    image.load()
    exif = exif or image.info.get("exif", b"")
    kept = {name: image.info[name] for name in ("transparency",) if name in image.info}
    image.info = {**kept, "exif": exif_of(orientation_of(exif))}


def is_of_machine(error: Exception) -> bool:
    """Whether an error of reading is one of the memory or the disk, not of the file."""
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and bool(error.errno))


def opened(
    file: Path | io.BytesIO, formats: tuple[str, ...], limits: PictureLimits | None
) -> Image.Image:
    """The header of a picture file; without limits, also of one whose size Pillow would refuse."""
    if limits is not None:
        return Image.open(file, formats=formats)
    with _OPENING:  # visitors' pictures are judged by their own limits, also meanwhile
        largest, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(file, formats=formats)
        finally:
            Image.MAX_IMAGE_PIXELS = largest


def upright(image: object) -> Image.Image:
    """An upright RGB copy of a picture: the door for the pictures of callers.

    Raises:
        ValueError: if it is no PIL picture, or damaged.
    """
    copy = copied(image)
    is_turned = copy.getexif().get(ExifTags.Base.Orientation, 1) != 1
    if copy.mode == "RGB" and not copy.has_transparency_data and not is_turned:
        return copy  # all else makes another copy
    return on_white(upright_layers(copy))


def copied(image: object) -> Image.Image:
    """A decoded copy of a picture.

    Raises:
        ValueError: if it is no PIL picture, empty or damaged.
    """
    if not isinstance(image, Image.Image):
        raise ValueError(f"a picture must be a PIL picture, got {type(image).__name__}")
    if 0 in image.size:
        raise ValueError(f"a picture must have pixels, got {image.width}x{image.height}")
    try:
        return image.copy()
    except (OSError, SyntaxError) as error:  # of a file that is only now decoded
        raise ValueError("the picture is damaged") from error


def upright_layers(image: Image.Image) -> Image.Image:
    """Decode the first frame to upright RGB, or RGBA where it has transparency; changes `image`.

    It makes as few copies as can be: those of the largest pictures take 48 MB each.

    Raises:
        ValueError: if the range of the pixels is not clear.
    """
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode == "F":
        raise ValueError(
            "a picture of floating-point numbers has no known range: scale it to 0 to 255, and "
            'convert it to mode "L"'
        )
    if image.mode.startswith("I"):  # conversion would clip, not scale
        image = _eight_bits(image)
    if image.mode == "La":  # Pillow converts it no further
        image = image.convert("LA")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """A picture of whole numbers as one of mode L.

    The modes "I;16" hold 0 to 65535. Mode "I" says nothing of its range: 0 to 255 where nothing is
    larger, as when it was made of a picture of mode L; else 0 to 65535.

    Raises:
        ValueError: if it holds other numbers.
    """
    values = np.asarray(image)
    low, high = values.min(), values.max()
    if low < 0 or high > 65535:
        raise ValueError(
            f"a picture of whole numbers holds 0 to 255 or 0 to 65535, got {low} to {high}"
        )
    if image.mode != "I" or high > 255:
        values = (values.astype(np.float32) / 257).round()
    return Image.fromarray(values.astype(np.uint8))


def on_white(layers: Image.Image) -> Image.Image:
    """An RGB or RGBA picture as RGB, on white."""
    if layers.mode == "RGB":
        return layers
    white = Image.new("RGB", layers.size, "white")
    white.paste(layers, mask=layers.getchannel("A"))
    return white


def central_part(image: object, shape: tuple[int, int]) -> Image.Image:
    """The upright central part of any picture, RGB, scaled to a height and a width (Lanczos).

    Raises:
        ValueError: if it is no PIL picture, or damaged.
    """
    height, width = shape
    return ImageOps.fit(upright(image), (width, height), Image.Resampling.LANCZOS)


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
