"""Geometry of the token pyramid: which sides it has and where each scale sits among the tokens."""

from collections.abc import Sequence

MAX_SIDE = 256
MAX_SCALES = 64
SIDES_256 = (1, 2, 3, 4, 5, 6, 8, 10, 13, 16)  # of the published models
SIDES_512 = (1, 2, 3, 4, 6, 9, 13, 18, 24, 32)


class ScaleSchedule:
    """The sides of the token maps, coarse to fine (r_1 ... r_K in arXiv 2404.02905, section 3.2).

    Args:
        sides: K integers; each lies in [1, sides[-1]], so that the last map is the finest.

    Raises:
        ValueError: if the list is empty or too long, or a side is not such an integer.
    """

    def __init__(self, sides: Sequence[int]) -> None:
        if not 1 <= len(sides) <= MAX_SCALES:
            raise ValueError(f"a schedule has 1 to {MAX_SCALES} scales, got {len(sides)}")
        for side in sides:
            if type(side) is not int or not 1 <= side <= MAX_SIDE:
                raise ValueError(f"sides must be integers in [1, {MAX_SIDE}], got {side!r}")
            if side > sides[-1]:
                raise ValueError(f"no side may exceed the last one ({sides[-1]}), got {side}")
        self.sides: tuple[int, ...] = tuple(sides)
        starts = [0]
        for side in self.sides:
            starts.append(starts[-1] + side * side)
        self._starts = tuple(starts)

    @property
    def num_scales(self) -> int:
        """K, the number of scales."""
        return len(self.sides)

    @property
    def num_tokens(self) -> int:
        """L, the number of tokens over all scales."""
        return self._starts[-1]

    @property
    def final_side(self) -> int:
        """Side of the finest map, which is also the side of the latent."""
        return self.sides[-1]

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
        return ScaleSchedule(self.sides[:num_scales])

    def progress(self, scale_index: int) -> float:
        """Position of a scale in [0, 1]: i / (K - 1); a single scale counts as the start, 0."""
        return scale_index / (self.num_scales - 1) if self.num_scales > 1 else 0.0

    def scale_of_token(self) -> list[int]:
        """The scale index of each of the L tokens."""
        return [index for index, side in enumerate(self.sides) for _ in range(side * side)]

    def __repr__(self) -> str:
        return f"ScaleSchedule({list(self.sides)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ScaleSchedule) and self.sides == other.sides

    def __hash__(self) -> int:
        return hash(self.sides)
