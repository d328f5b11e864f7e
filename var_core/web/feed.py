"""What the stage is told: a text that grows line by line, each line a JSON object.

The page gets only what is new of it. `assets/stage.js` reads it.
"""

import secrets
from collections.abc import Sequence
from pathlib import Path

from var_core.jobs.data_url import png_url, preview_url
from var_core.jobs.progress import JobProgress, Request
from var_core.labels import LabelSpace
from var_core.scales import ScaleSchedule
from var_core.web.html import plain_json
from var_core.web.picture_files import file_url

MAX_NUMBER = (1 << 31) - 1
ON_STAGE = 0  # number that stands for whatever drawing is on the stage
LARGE_PREVIEW, SMALL_PREVIEW = 256, 160  # pixels of the longer side


class Feed:
    """The text about one drawing.

    Args:
        schedule: shapes of the token maps of all scales.
        labels: names of the model's labels.
        number: number of a drawing, or ON_STAGE; None begins a new one.

    Attributes:
        text: all lines so far.
    """

    def __init__(
        self, schedule: ScaleSchedule, labels: LabelSpace, number: int | None = None
    ) -> None:
        self.schedule, self.labels = schedule, labels
        self.number = 1 + secrets.randbelow(MAX_NUMBER) if number is None else number
        self.text = ""

    def start(self, request: Request, shape: tuple[int, int], query: str) -> str:
        """Announce a drawing, so that its tiles are there before its pictures.

        Args:
            request: what is drawn.
            shape: height and width of the pictures in pixels.
            query: query of the link that draws it again; "" if there is none.
        """
        compared = request.comparison
        axes = [compared.rows.captions, compared.columns.captions] if compared else []
        return self._add(
            count=len(request.seeds),
            captions=compared.captions if compared else [],
            axes=axes,
            seeds=list(request.seeds),
            shapes=self.schedule.shapes,
            shape=shape,
            query=query,
        )

    def scale(self, progress: JobProgress) -> str:
        """Show the newest scale of all pictures."""
        pictures = progress.frames[-1]
        urls = [
            preview_url(picture, SMALL_PREVIEW if place else LARGE_PREVIEW)
            for place, picture in enumerate(pictures)
        ]
        return self._add(scale=progress.number, pictures=urls, words=self.words(progress))

    def end(
        self,
        progress: JobProgress,
        files: Sequence[Path | str],
        sheet: Path | None = None,
        queries: Sequence[str] = (),
    ) -> str:
        """Show the finished pictures, or those that there are.

        Args:
            progress: the drawing.
            files: PNG file of each picture.
            sheet: PNG file with all of them side by side, or None.
            queries: query of the link that draws each picture alone; none where nobody can.
        """
        return self._add(
            scale=len(progress.frames),
            is_drawn=progress.is_drawn,
            files=[_named(path) for path in files],
            sheet=_named(sheet) if sheet else None,
            words=self.words(progress),
            queries=list(queries),
            smooth=progress.request.is_smooth,
        )

    def frames(self, progress: JobProgress, place: int) -> str:
        """Show all scales so far of one picture, pixel for pixel."""
        urls = [png_url(pictures[place]) for pictures in progress.frames]
        return self._add(place=place, frames=urls, sketches=progress.num_sketches)

    def open(self, query: str) -> str:
        """Draw what the query of a link names."""
        return self._add(open=query)

    def nothing(self) -> str:
        """Go back to the drawing before."""
        return self._add(nothing=True)

    def words(self, progress: JobProgress) -> list[str]:
        """What each picture shows, short enough to stand below it."""
        return [
            ", ".join([*wish.phrases, *self.labels.telling_names(wish.label)])
            for wish in progress.wishes
        ]

    def _add(self, **line: object) -> str:
        self.text += plain_json({"run": self.number, **line}) + "\n"
        return self.text


def plan_line(axes: Sequence[Sequence[str]]) -> str:
    """The text about a sheet that is not drawn yet: words of its rows and columns, if any."""
    return plain_json({"plan": axes}) + "\n"


def _named(path: Path | str) -> list[str]:
    return [file_url(path), Path(path).name]
