"""Geometry of the token pyramid: which maps it has and where each sits among the tokens."""

from collections.abc import Sequence

MAX_SIDE = 256
MAX_FRAMES = 64
MAX_SCALES = 64
SIDES_256 = (1, 2, 3, 4, 5, 6, 8, 10, 13, 16)  # of the published models
SIDES_512 = (1, 2, 3, 4, 6, 9, 13, 18, 24, 32)

MapShape = tuple[int, int, int]  # frames, height, width
Sides = Sequence[int | Sequence[int]]  # a side, height and width, or frames, height and width


class ScaleSchedule:
    """The shapes of the token maps, coarse to fine (r_1 ... r_K in arXiv 2404.02905, section 3.2).

    A clip is a pyramid in space and time. Its first frame is a picture: the picture's maps come
    first, the last of them as high and wide as the latent. The maps of several frames that follow
    stand for all frames of the latent after the first.

    Args:
        sides: K maps: the side of a square one, (height, width), or (frames, height, width). No map
            is longer, higher or wider than the last one, which is the finest.

    Attributes:
        shapes: shape of each map as tensors have it, without an axis for a single frame.

    Raises:
        ValueError: if the list is empty or too long, or a side is not such an integer.
    """

    def __init__(self, sides: Sides) -> None:
        if not 1 <= len(sides) <= MAX_SCALES:
            raise ValueError(f"a schedule has 1 to {MAX_SCALES} scales, got {len(sides)}")
        self._take(tuple(map(map_shape, sides)))
        last = self._maps[-1]
        for shape in self._maps:
            if any(part > limit for part, limit in zip(shape, last, strict=True)):
                raise ValueError(
                    f"no side may exceed the last one ({short_form(last)}), got {short_form(shape)}"
                )
        if self.is_clip:
            _check_clip(self._maps, self.num_picture_scales)

    def _take(self, maps: tuple[MapShape, ...]) -> None:
        self._maps = maps
        self.shapes: tuple[tuple[int, ...], ...] = tuple(map(tensor_shape, maps))
        starts = [0]
        for frames, rows, columns in maps:
            starts.append(starts[-1] + frames * rows * columns)
        self._starts = tuple(starts)

    @property
    def sides(self) -> tuple[int | tuple[int, ...], ...]:
        """The maps in their short form: the side of a square picture, else as `shapes`."""
        return tuple(map(short_form, self._maps))

    @property
    def num_scales(self) -> int:
        """K, the number of scales."""
        return len(self._maps)

    @property
    def num_picture_scales(self) -> int:
        """The number of scales that draw the first frame; all of them where there is no clip."""
        return sum(frames == 1 for frames, _, _ in self._maps)

    @property
    def is_clip(self) -> bool:
        """Whether there are maps of several frames."""
        return self._maps[-1][0] > 1

    @property
    def num_tokens(self) -> int:
        """L, the number of tokens over all scales."""
        return self._starts[-1]

    @property
    def final_shape(self) -> tuple[int, ...]:
        """Shape of the finest map, as tensors have it."""
        return self.shapes[-1]

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Shape of the latent: (H, W), or (T, H, W) with the first frame for clips."""
        frames, height, width = self._maps[-1]
        return (1 + frames, height, width) if self.is_clip else (height, width)

    def shape_of(self, scale_index: int) -> MapShape:
        """Frames, height and width of one map."""
        return self._maps[scale_index]

    def size_of(self, scale_index: int) -> int:
        """N, the number of tokens of one scale."""
        frames, height, width = self._maps[scale_index]
        return frames * height * width

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of tokens of each scale."""
        return tuple(map(self.size_of, range(self.num_scales)))

    def token_range(self, scale_index: int) -> slice:
        """Where the tokens of one scale sit in the sequence of all L tokens."""
        return slice(self._starts[scale_index], self._starts[scale_index + 1])

    def first(self, num_scales: int) -> "ScaleSchedule":
        """The schedule of the first scales alone.

        Raises:
            ValueError: if there are not so many.
        """
        if not 1 <= num_scales <= self.num_scales:
            raise ValueError(f"there are 1 to {self.num_scales} scales, got {num_scales}")
        part = ScaleSchedule.__new__(ScaleSchedule)  # the finest map need not be the largest
        part._take(self._maps[:num_scales])
        return part

    def progress(self, scale_index: int) -> float:
        """Position of a scale in [0, 1]: i / (K - 1); a single scale counts as the start, 0.

        The scales of the first frame and those of the clip are counted by themselves.
        """
        before = self.num_picture_scales
        place, number = scale_index, before
        if scale_index >= before:
            place, number = scale_index - before, self.num_scales - before
        return place / (number - 1) if number > 1 else 0.0

    def scale_of_token(self) -> list[int]:
        """The scale index of each of the L tokens."""
        return [index for index, size in enumerate(self.sizes) for _ in range(size)]

    def __repr__(self) -> str:
        return f"ScaleSchedule({list(self.sides)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ScaleSchedule) and self._maps == other._maps

    def __hash__(self) -> int:
        return hash(self._maps)


def map_shape(side: object) -> MapShape:
    """Frames, height and width of a map from its short form.

    Raises:
        ValueError: if it is no side, height and width, or frames, height and width, in range.
    """
    parts = tuple(side) if isinstance(side, list | tuple) else (side, side)
    whole = (1, *parts) if len(parts) == 2 else parts
    limits = (MAX_FRAMES, MAX_SIDE, MAX_SIDE)
    lengths = [
        part
        for part, limit in zip(whole, limits, strict=False)
        if type(part) is int and 1 <= part <= limit
    ]
    if len(whole) != 3 or len(lengths) != 3:
        raise ValueError(
            f"sides must be integers in [1, {MAX_SIDE}], or a height and a width of such, or up to "
            f"{MAX_FRAMES} frames, a height and a width, got {side!r:.60}"
        )
    frames, height, width = lengths
    return frames, height, width


def tensor_shape(shape: MapShape) -> tuple[int, ...]:
    """Height and width, after the frames where there are several."""
    return shape if shape[0] > 1 else shape[1:]


def short_form(shape: MapShape) -> int | tuple[int, ...]:
    """The side of a square picture, else as `tensor_shape`."""
    frames, height, width = shape
    return height if (frames, height) == (1, width) else tensor_shape(shape)


def _check_clip(maps: Sequence[MapShape], num_picture: int) -> None:
    picture = maps[:num_picture]
    if (
        any(frames > 1 for frames, _, _ in picture)
        or not picture
        or picture[-1][1:] != maps[-1][1:]
    ):
        height, width = maps[-1][1:]
        raise ValueError(
            f"the sides of a clip begin with its first frame, a picture up to {height}x{width}, "
            f"before the maps of several frames, got {[short_form(shape) for shape in maps]!r:.80}"
        )
