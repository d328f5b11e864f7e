"""What the Tokenizer tab does, apart from the widgets."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from var_core.images import read_image
from var_core.jobs.data_url import png_url
from var_core.jobs.parsing import progress_from_tokens
from var_core.jobs.reconstruction import Reconstruction, error_map
from var_core.jobs.token_map_colours import token_map_image
from var_core.ranges import check_int
from var_core.serving.engine import Engine
from var_core.web.html import strip_html, tokens_html
from var_core.web.picture_files import PictureFiles
from var_core.web.progress import Moment, full_strip

TOKEN_MAP_SIDE = 64  # pixels


@dataclass(frozen=True)
class Analysis:
    """What the tokenizer makes of a picture, ready to be shown.

    Attributes:
        strip: HTML of the reconstructions after each scale.
        tokens: HTML of the token maps.
        report: a sentence.
        result: the reconstruction.
    """

    strip: str
    tokens: str
    report: str
    result: Reconstruction


class TokenizerHandlers:
    """Shows what the tokenizer of one engine makes of a picture.

    Args:
        engine: encodes and decodes.
        folder: folder for pictures.
        client: function that returns the address of the client who asks.
    """

    def __init__(self, engine: Engine, folder: Path, client: Callable[[], str]) -> None:
        self.engine = engine
        self.files = PictureFiles(folder)
        self.client = client
        self.sides = engine.info.schedule.sides

    def analyse(self, path: str) -> Analysis:
        """Encode a picture, and decode it after every scale.

        Args:
            path: path of a PNG, JPEG or WebP file.

        Raises:
            ValueError: if it is no such file, or too large.
        """
        result = self.engine.tokenize(partial(read_image, path), self.client())
        colours = self.engine.code_colours()
        maps = [token_map_image(one[0], colours, TOKEN_MAP_SIDE) for one in result.token_maps]
        return Analysis(
            strip_html([png_url(frame) for frame in result.frames], self.sides),
            tokens_html([png_url(one) for one in maps], self.sides, result.bits, result.psnr),
            f"{self.engine.info.schedule.num_tokens} tokens, {result.bits[-1]} bits, "
            f"PSNR {result.psnr[-1]:.1f} dB (higher is closer to your picture)",
            result,
        )

    def look(self, result: Reconstruction, scale: int) -> tuple[str, str]:
        """Reconstruction and error map after a scale, as PNG files.

        Raises:
            ValueError: if the scale is out of range.
        """
        frame = result.frames[check_int("scale", scale, 1, len(result.frames)) - 1]
        return self.files.write(frame), self.files.write(error_map(result.source, frame))

    def branch_off(self, result: Reconstruction | None, scale: int) -> Moment:
        """What the Draw tab shows, so that drawing goes on from a scale of an analysed picture.

        Raises:
            ValueError: if there is no picture yet, or the scale is out of range.
        """
        if result is None:
            raise ValueError("there is no picture yet to branch from: drop one first")
        total = len(self.sides)
        scale = min(check_int("scale", scale, 1, total), total - 1)
        progress = progress_from_tokens(self.engine.info, result.token_maps, result.frames)
        return Moment(
            picture=self.files.write(progress.sheet(scale)),
            strip=full_strip(progress, self.sides),
            status=f"Your picture after {scale} scales. Choose labels, then press Redraw",
            scale=scale,
            progress=progress,
            tiles="",
            selected=0,
        )
