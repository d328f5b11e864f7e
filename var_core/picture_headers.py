"""What surrounds the pixels of a picture file: judged and read without unpacking anything."""

import re
import struct
from typing import Literal

MAX_SCANS = 100  # of a JPEG; each goes over the whole picture, encoders write about ten
MAX_SEGMENTS = 10_000
MAX_CHUNKS = 20_000  # of a PNG; a file of 10 MB with chunks of 4 kB has 2,500
MAX_BLOCKS = 100_000  # of a GIF; a file of 10 MB with blocks of 255 bytes has 40,000
MAX_COMMENTS = 1000  # of its blocks; for each one, Pillow copies those before it
JPEG, PNG, GIF = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8"
EXIF = b"Exif\0\0"
MARKER = re.compile(rb"\xff([\x02-\xcf\xd8-\xfe])")  # zeros and restarts are part of the pixels
FRAME_BYTES = 12  # of a PNG chunk: its length, its name, its checksum
START_OF_IMAGE, END_OF_IMAGE, START_OF_SCAN, EXIF_SEGMENT = 0xD8, 0xD9, 0xDA, 0xE1
ORIENTATION, SHORT, ENTRY_BYTES = 0x0112, 3, 12
SCREEN, PLACE = struct.Struct("<6xHHBxx"), struct.Struct("<HHHHB")  # of a GIF and of its frames
HAS_PALETTE, COMMENT, APPLICATION, LOOP = 0x80, b"\xfe", b"\xff", b"NETSCAPE2.0"


def check_jpeg(content: bytes) -> bytes:
    """The EXIF block of a JPEG file, "" if there is none.

    Raises:
        ValueError: if decoding could take minutes: a scan of a few bytes costs as much time as all
            the pixels of the picture.
    """
    exif, at, scans, segments = b"", 2, 0, 0
    while (found := MARKER.search(content, at)) and found[1][0] != END_OF_IMAGE:
        kind, at = found[1][0], found.end()
        size = 0 if kind == START_OF_IMAGE else int.from_bytes(content[at : at + 2], "big")
        scans += kind == START_OF_SCAN
        segments += 1
        if scans > MAX_SCANS or segments > MAX_SEGMENTS:
            raise ValueError(f"the JPEG has more than {MAX_SCANS} scans or {MAX_SEGMENTS} segments")
        if kind == EXIF_SEGMENT and content.startswith(EXIF, at + 2):
            exif = exif or content[at + 2 : at + size]
        at += size
    return exif


def check_png(content: bytes) -> None:
    """Check that a file is not a PNG of countless chunks, each of which takes time to read.

    Raises:
        ValueError: if it is.
    """
    at, chunks = len(PNG), 0
    while (
        content.startswith(PNG)
        and (frame := content[at : at + FRAME_BYTES])
        and frame[4:8] != b"IEND"
    ):
        at += FRAME_BYTES + int.from_bytes(frame[:4], "big")
        chunks += 1
        if chunks > MAX_CHUNKS:
            raise ValueError(f"the PNG has more than {MAX_CHUNKS} chunks")


class _Blocks:
    """What follows the header of a GIF file, byte by byte and block by block, as Pillow reads it.

    Attributes:
        at: place of the next byte.
    """

    def __init__(self, content: bytes, at: int) -> None:
        self._content, self.at, self._count = content, at, 0

    def take(self, size: int = 1) -> bytes:
        """Some bytes, fewer where the file ends.

        Raises:
            ValueError: if the file is one of countless blocks.
        """
        self.at, self._count = self.at + size, self._count + 1
        if self._count > 2 * MAX_BLOCKS:  # a block is its length and its bytes
            raise ValueError(f"the GIF has more than {MAX_BLOCKS} blocks")
        return self._content[self.at - size : self.at]

    def block(self) -> bytes:
        """A block; "" at the end of a row of them."""
        length = self.take()
        return self.take(length[0]) if length and length[0] else b""

    def skip(self) -> int:
        """Go to the end of a row of blocks; returns how many there were."""
        count = 0
        while self.block():
            count += 1
        return count

    def skip_palette(self, flags: int) -> None:
        """Go on after a palette, if the flags say that there is one."""
        self.at += 3 << (flags & 7) + 1 if flags & HAS_PALETTE else 0


def gif_size(content: bytes) -> tuple[int, int]:
    """Width and height that hold the screen and every frame of a GIF file; (0, 0) of other files.

    A frame may be larger than the screen. Pillow makes room for it before it tells the size.

    Raises:
        ValueError: if reading could take minutes.
    """
    if not content.startswith(GIF) or len(content) < SCREEN.size:
        return 0, 0
    width, height, flags = SCREEN.unpack_from(content)
    blocks, comments, is_first = _Blocks(content, SCREEN.size), 0, True
    blocks.skip_palette(flags)
    while (kind := blocks.take()) not in (b"", b";"):
        if kind == b"!":
            label = blocks.take()
            first = blocks.block()  # Pillow goes on after an empty one, but for comments
            if label == APPLICATION and is_first and first.startswith(LOOP):
                blocks.block()
            if label != COMMENT:
                blocks.skip()
            elif first:
                comments += 1 + blocks.skip()
        elif kind == b"," and len(place := blocks.take(PLACE.size)) == PLACE.size:
            left, top, wide, high, flags = PLACE.unpack(place)
            width, height, is_first = max(width, left + wide), max(height, top + high), False
            blocks.skip_palette(flags)
            blocks.at += 1  # the length of the codes
            blocks.skip()
        if comments > MAX_COMMENTS:
            raise ValueError(f"the GIF has more than {MAX_COMMENTS} blocks of comments")
    return width, height


def orientation_of(exif: bytes) -> int:
    """How an EXIF block says that its picture is turned, 1 to 8; 1 if it does not say.

    Pillow would copy the value of every entry, and thousands may share one large value.
    """
    tiff = exif.removeprefix(EXIF)
    orders: dict[bytes, Literal["little", "big"]] = {b"II": "little", b"MM": "big"}
    order = orders.get(tiff[:2])
    if order is None:
        return 1
    first = int.from_bytes(tiff[4:8], order) + 2
    count = int.from_bytes(tiff[first - 2 : first], order)
    for at in range(first, first + count * ENTRY_BYTES, ENTRY_BYTES):
        tag, kind = (int.from_bytes(tiff[i : i + 2], order) for i in (at, at + 2))
        if tag == ORIENTATION and kind == SHORT:
            turned = int.from_bytes(tiff[at + 8 : at + 10], order)
            return turned if 1 <= turned <= 8 else 1
    return 1


def exif_of(orientation: int) -> bytes:
    """An EXIF block that holds nothing but an orientation."""
    entry = struct.pack(">HHIHH", ORIENTATION, SHORT, 1, orientation, 0)
    return EXIF + b"MM\0*" + struct.pack(">IH", 8, 1) + entry + bytes(4)
