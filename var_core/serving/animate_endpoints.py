"""The endpoint that draws clips."""

import base64
from collections.abc import Iterator
from functools import partial
from typing import TypedDict

from var_core.clip_options import ClipOptions
from var_core.jobs.animation import AnimateRequest, read_beginning
from var_core.jobs.clip_files import clip_bytes
from var_core.jobs.parsing import DEFAULT_SEED, read_base64, read_settings
from var_core.jobs.progress import JobProgress
from var_core.ranges import check_int, check_kind
from var_core.serving.endpoint_base import Endpoints, Labels, Options

MOST_FRAMES = 129  # of a clip that a stranger asks for: 16 seconds


class DrawnClip(TypedDict):
    """A finished clip with what is needed to draw it again; empty while it is drawn."""

    clip: str  # data URL of a WebP animation, pixel for pixel, with its recipe
    frames: int
    labels: dict[str, str | None]
    prompt: list[str]
    notes: list[str]
    seed: int
    scale: int
    total: int


class AnimateEndpoints(Endpoints):
    """The endpoint that draws clips, by the server's model of clips."""

    def animate(
        self,
        labels: Labels,
        prompt: str | None = None,
        picture: str | None = None,
        frames: int = 0,
        loop: bool = False,
        seed: int = DEFAULT_SEED,
        options: Options | None = None,
        negative_prompt: str | None = None,
    ) -> Iterator[DrawnClip]:
        """Draw a clip, from words or from a picture; for servers with a model of clips.

        Args:
            labels: attribute names to values; attributes left out are drawn at random.
            prompt: phrases with commas between them, as "a rocket flying up, at night".
            picture: PNG, JPEG, WebP or GIF as base64, which becomes the first frame; of an
                animation the clip goes on from the last frames.
            frames: number of frames, eight a second; 0 is one part of the model.
            loop: whether the end leads back to the start.
            seed: seed of the clip.
            options: sampling options by name, as in `about`, and precision.
            negative_prompt: what the clip should not show.
        """
        animator = self.engine.animator
        if animator is None:
            raise ValueError("there is no model of clips here: start the server with --clips")
        info = animator.info
        settings = read_settings(info, labels, seed, options, prompt, negative_prompt)
        most = max(MOST_FRAMES, info.num_frames)
        length = check_int("frames", frames, 0, most)
        clip_options = ClipOptions(length, check_kind("loop", loop, bool)).fitted(info.clip_lengths)
        read = None if picture is None else partial(read_beginning, read_base64(picture))
        request = AnimateRequest(
            settings.wish,
            settings.seed,
            settings.options,
            clip_options,
            read,
            precision=settings.precision,
        )
        progress = JobProgress(request)
        for progress in animator.generate(request, self.client()):
            if not progress.is_drawn:
                yield _told(progress, "", 0)
        drawn = progress.frames[-1]
        (recipe,) = progress.recipes(info)
        with animator.turn(self.client(), is_owed=True):
            content = clip_bytes(drawn, recipe)
        url = f"data:image/webp;base64,{base64.b64encode(content).decode('ascii')}"
        (wish,) = progress.wishes
        told = _told(progress, url, len(drawn))
        told["labels"] = info.labels.names(wish.label)
        told["prompt"], told["notes"] = list(wish.phrases), list(wish.notes)
        yield told


def _told(progress: JobProgress, clip: str, frames: int) -> DrawnClip:
    return DrawnClip(
        clip=clip,
        frames=frames,
        labels={},
        prompt=[],
        notes=[],
        seed=progress.request.seeds[0],
        scale=progress.number,
        total=progress.total,
    )
