"""Several pictures of one drawing as tiles: each can be looked at, saved and edited."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from var_core.jobs.data_url import thumbnail_url
from var_core.jobs.progress import JobProgress

TO_COME = '<span class="to-come" aria-hidden="true">Save</span>'  # as high as what comes there


def forming_tiles(progress: JobProgress) -> str:
    """HTML of pictures that form; "" for a single picture."""
    pictures = progress.frames[-1]
    if len(pictures) == 1:
        return ""
    cells = [
        f'<figure><span class="picture"><img src="{thumbnail_url(picture)}" alt="{words}"></span>'
        f"<figcaption>{words}</figcaption>{TO_COME}</figure>"
        for picture, words in zip(pictures, captions(progress), strict=True)
    ]
    return f'<div class="tiles">{"".join(cells)}</div><p class="sheet">{TO_COME}</p>'


def finished_tiles(progress: JobProgress, files: Sequence[Path | str], sheet: Path | None) -> str:
    """HTML of finished pictures; "" for a single picture.

    Args:
        progress: the drawing.
        files: PNG file of each picture.
        sheet: PNG file with all of them side by side, or None.
    """
    if len(files) == 1:
        return ""
    cells = []
    for place, (file, words) in enumerate(zip(files, captions(progress), strict=True)):
        name = escape(Path(file).name)
        cells.append(
            f'<figure><button type="button" class="picture" data-look="{place}" '
            f'aria-pressed="{"false" if place else "true"}" title="Look at {words}">'
            f'<img src="{file_url(file)}" alt="{words}"></button><figcaption>{words}</figcaption>'
            f'<a href="{file_url(file)}" download="{name}" title="Save {name}">Save</a>'
            f'<button type="button" data-edit="{place}" title="Send {words} to Edit">Edit</button>'
            "</figure>"
        )
    whole = ""
    if sheet is not None:
        link = f'<a href="{file_url(sheet)}" download="{sheet.name}">Save all as one sheet</a>'
        whole = f'<p class="sheet">{link}</p>'
    return f'<div class="tiles">{"".join(cells)}</div>{whole}'


def captions(progress: JobProgress) -> list[str]:
    """A few words for each picture, escaped."""
    request = progress.request
    words = request.captions or [f"seed {seed}" for seed in request.seeds]
    return [escape(", ".join(one.splitlines())) for one in words]


def file_url(path: Path | str) -> str:
    """The address of a file that the page shows, relative to the page."""
    return f"gradio_api/file={quote(str(path))}"
