"""How long a clip is and how it ends."""

from dataclasses import dataclass, replace

from var_core.option_fields import check_options, option

MOST_FRAMES = 10_000  # beyond those of any model


@dataclass(frozen=True)
class ClipOptions:
    """How long a clip is and how it ends.

    Attributes:
        frames: number of frames; 0 for those that the model draws together.
        loop: whether the end goes back to the start. The last frame, which is the first one again,
            is then left out.

    Raises:
        ValueError: on construction, if a value is out of range.
    """

    frames: int = option(
        0, "frames, eight a second; 0 is one part of the model", low=0, high=MOST_FRAMES
    )
    loop: bool = option(False, "lead the end back to the start")

    def __post_init__(self) -> None:
        check_options(self)

    def fitted(self, lengths: range) -> "ClipOptions":
        """The same options with a number of frames that a model can draw.

        Raises:
            ValueError: if it cannot.
        """
        if self.frames in lengths:
            return self
        if self.frames:
            raise ValueError(
                f"a clip of this model has {lengths[0]}, {lengths[1]}, {lengths[2]}, ... or "
                f"{lengths[-1]} frames, got {self.frames}"
            )
        return replace(self, frames=lengths[0])
