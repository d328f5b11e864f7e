"""Geometry of the token pyramid: which maps it has and where each sits among the tokens."""

from collections.abc import Sequence

MAX_SIDE = 256
MAX_SCALES = 64
SIDES_256 = (1, 2, 3, 4, 5, 6, 8, 10, 13, 16)  # of the published models
SIDES_512 = (1, 2, 3, 4, 6, 9, 13, 18, 24, 32)

MapShape = tuple[int, int]  # height, width
Sides = Sequence[int | Sequence[int]]  # a number for a square map, else height and width


class ScaleSchedule:
    """The shapes of the token maps, coarse to fine (r_1 ... r_K in arXiv 2404.02905, section 3.2).

    Args:
        sides: K maps: the side of a square one, or (height, width). No map is higher or wider than
            the last one, which is the finest.

    Raises:
        ValueError: if the list is empty or too long, or a side is not such an integer.
    """

    def __init__(self, sides: Sides) -> None:
        if not 1 <= len(sides) <= MAX_SCALES:
            raise ValueError(f"a schedule has 1 to {MAX_SCALES} scales, got {len(sides)}")
        self.shapes: tuple[MapShape, ...] = tuple(map(map_shape, sides))
        height, width = self.shapes[-1]
        for shape in self.shapes:
            if shape[0] > height or shape[1] > width:
                raise ValueError(
                    f"no side may exceed the last one ({short_form(self.shapes[-1])}), "
                    f"got {short_form(shape)}"
                )
        starts = [0]
        for rows, columns in self.shapes:
            starts.append(starts[-1] + rows * columns)
        self._starts = tuple(starts)

    @property
    def sides(self) -> tuple[int | MapShape, ...]:
        """The maps in their short form: the side of a square one, else (height, width)."""
        return tuple(map(short_form, self.shapes))

    @property
    def num_scales(self) -> int:
        """K, the number of scales."""
        return len(self.shapes)

    @property
    def num_tokens(self) -> int:
        """L, the number of tokens over all scales."""
        return self._starts[-1]

    @property
    def final_shape(self) -> MapShape:
        """Height and width of the finest map, which are also those of the latent."""
        return self.shapes[-1]

    def size_of(self, scale_index: int) -> int:
        """N, the number of tokens of one scale."""
        height, width = self.shapes[scale_index]
        return height * width

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
        return ScaleSchedule(self.shapes[:num_scales])

    def progress(self, scale_index: int) -> float:
        """Position of a scale in [0, 1]: i / (K - 1); a single scale counts as the start, 0."""
        return scale_index / (self.num_scales - 1) if self.num_scales > 1 else 0.0

    def scale_of_token(self) -> list[int]:
        """The scale index of each of the L tokens."""
        return [index for index, size in enumerate(self.sizes) for _ in range(size)]

    def __repr__(self) -> str:
        return f"ScaleSchedule({list(self.sides)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ScaleSchedule) and self.shapes == other.shapes

    def __hash__(self) -> int:
        return hash(self.shapes)


def map_shape(side: object) -> MapShape:
    """Height and width of a map from its short form.

    Raises:
        ValueError: if it is neither a side nor a height and a width, in [1, 256].
    """
    pair = side if isinstance(side, list | tuple) else (side, side)
    lengths = [part for part in pair if type(part) is int and 1 <= part <= MAX_SIDE]
    if len(pair) != 2 or len(lengths) != 2:
        raise ValueError(
            f"sides must be integers in [1, {MAX_SIDE}], or a height and a width of such, "
            f"got {side!r}"
        )
    height, width = lengths
    return height, width


def short_form(shape: MapShape) -> int | MapShape:
    """The side of a square, else height and width."""
    height, width = shape
    return height if height == width else shape
