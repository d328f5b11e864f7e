"""What the buttons of a clip do, apart from the widgets."""

import math
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from PIL import Image

from var_core.clip_options import ClipOptions
from var_core.jobs.animation import AnimateRequest, read_beginning
from var_core.jobs.clip_files import ENDINGS, write_clip
from var_core.jobs.data_url import jpeg_url, png_url
from var_core.jobs.parsing import read_settings
from var_core.jobs.progress import JobProgress
from var_core.model_info import FRAMES_PER_SECOND
from var_core.ranges import check_int, check_kind
from var_core.serving.engine import Engine
from var_core.web.controls import new_seed
from var_core.web.feed import MAX_NUMBER
from var_core.web.html import plain_json
from var_core.web.picture_files import PictureFiles, file_url
from var_core.web.progress import Moment

NUM_LENGTHS = 4  # that the page offers, the shortest ones
MOST_PIXELS = 1_000_000  # of all frames of a film together
TITLES = {".webp": "WebP", ".gif": "GIF", ".mp4": "MP4"}  # formats as people write them


class ClipHandlers:
    """Sets pictures in motion, with the clips of one engine.

    Args:
        animator: engine of a model of clips.
        folder: folder for finished clips.
        client: function that returns the address of the client who asks.
    """

    def __init__(self, animator: Engine, folder: Path, client: Callable[[], str]) -> None:
        self.animator = animator
        self.files = PictureFiles(folder)
        self.client = client
        self.lengths = list(animator.info.clip_lengths[:NUM_LENGTHS])

    def facts(self) -> dict[str, object]:
        """What the scripts of the page know of the model."""
        words = self.animator.info.max_phrases > 0
        return {"lengths": self.lengths, "rate": FRAMES_PER_SECOND, "takesWords": words}

    def request(self, picture: bytes, wanted: Mapping[str, object]) -> AnimateRequest:
        """A clip that begins with a picture, with a new seed.

        Args:
            picture: content of a picture file.
            wanted: `words` for the motion, number of `frames`, and whether it is a `loop`.

        Raises:
            ValueError: if a value is missing, out of range, or nothing that the model knows.
        """
        info = self.animator.info
        words = check_kind("words", wanted.get("words"), str).strip()
        settings = read_settings(info, {}, new_seed(), None, words or None)
        frames = check_int("frames", wanted.get("frames"), 0, self.lengths[-1])
        loop = check_kind("loop", wanted.get("loop"), bool)
        clip_options = ClipOptions(frames, loop).fitted(info.clip_lengths)
        how = settings.options, clip_options, partial(read_beginning, picture)
        return AnimateRequest(settings.wish, settings.seed, *how, precision=settings.precision)

    def stream(self, request: AnimateRequest) -> Iterator[Moment]:
        """Draw a clip, and show all of it after every scale.

        Raises:
            ValueError: if the engine refuses it.
            OSError: if the files cannot be saved.
        """
        feed = ClipFeed()
        yield Moment(stage=feed.start())
        for progress in self.animator.generate(request, self.client()):
            if progress.ahead:
                yield Moment(progress.status)
            elif progress.is_drawn:
                yield self._finish(feed, progress)
            else:
                yield Moment(progress.status, stage=feed.film(progress.frames[-1], jpeg_url))

    def _finish(self, feed: "ClipFeed", progress: JobProgress) -> Moment:
        """Save the finished clip in every format that there is."""
        frames, seed = progress.frames[-1], progress.request.seeds[0]
        (recipe,) = progress.recipes(self.animator.info)
        folder, paths = self.files.new_folder(), []
        with self.animator.turn(self.client(), is_owed=True):
            for ending, kind in ENDINGS.items():
                if kind != "MP4" or find_spec("av") is not None:
                    paths.append(folder / f"clip-seed{seed}{ending}")
                    write_clip(paths[-1], frames, recipe)
        feed.film(frames, png_url)
        words = f"a clip of {len(frames) / FRAMES_PER_SECOND:.1f} s"
        status = f"Done in {progress.seconds:.2f} s, seed {seed}: {words}"
        return Moment(status, stage=feed.end(paths))


class ClipFeed:
    """What the page is told about one clip: lines of JSON, which `assets/clip.js` reads.

    Attributes:
        text: all lines so far.
    """

    def __init__(self) -> None:
        self.number = 1 + secrets.randbelow(MAX_NUMBER)
        self.text = ""

    def start(self) -> str:
        """Announce a clip."""
        return self._add(begins=True)

    def film(self, frames: Sequence[Image.Image], to_url: Callable[[Image.Image], str]) -> str:
        """Show the frames so far."""
        picture, columns = film(frames)
        return self._add(film=to_url(picture), columns=columns, frames=len(frames))

    def end(self, paths: Sequence[Path]) -> str:
        """Offer the files of the finished clip."""
        titles = [TITLES[path.suffix] for path in paths]
        files = zip(map(file_url, paths), (path.name for path in paths), titles, strict=True)
        return self._add(files=list(files))

    def _add(self, **line: object) -> str:
        self.text += plain_json({"run": self.number, **line}) + "\n"
        return self.text


def film(frames: Sequence[Image.Image]) -> tuple[Image.Image, int]:
    """Frames in rows in one picture, which a page can play at any speed, and their columns.

    Args:
        frames: RGB pictures of one size; many large ones are made smaller.
    """
    columns = math.ceil(math.sqrt(len(frames)))
    rows = math.ceil(len(frames) / columns)
    width, height = frames[0].size
    part = min(1.0, math.sqrt(MOST_PIXELS / (rows * columns * width * height)))
    size = max(1, int(part * width)), max(1, int(part * height))
    sheet = Image.new("RGB", (columns * size[0], rows * size[1]))
    for index, frame in enumerate(frames):
        row, column = divmod(index, columns)
        shown = frame if frame.size == size else frame.resize(size, Image.Resampling.BOX)
        sheet.paste(shown, (column * size[0], row * size[1]))
    return sheet, columns
