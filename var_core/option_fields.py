"""Options that describe themselves: each field carries its range, its step and a few words.

Command-line flags, API fields, sliders, links and recipes are made from these fields, so that an
option is written down once, in its dataclass: a sampling option in `SamplingOptions`
(`sampling/options.py`), an option of editing in `EditOptions` (`editing/editor.py`). The settings
of training are described alike.
"""

from collections.abc import Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from math import inf, isinf
from typing import Any, ClassVar, Protocol, TypeVar, cast

from var_core.ranges import check_bool, check_choice, check_float, check_int

KEY = "option"
GROUP = "settings"
LARGEST = 10**9  # of numbers without an upper limit of their own, but for those without any
Value = float | int | bool | str | tuple[int, ...]
AnyValue = TypeVar("AnyValue", bound=Value)


class Described(Protocol):
    """A dataclass, or an instance of one."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


@dataclass(frozen=True)
class OptionField:
    """One option, as people see it.

    Attributes:
        help: what the option does, in a few words.
        group: heading of its flag on the command line.
        label: short title of its widget, as "Top-p".
        low: smallest number; without one, minus infinity.
        high: largest number; without one, infinity.
        step: distance between the values of a slider; 0 for what has no slider.
        shown: smallest and largest value of a slider, where it does not span the whole range.
        choices: texts to choose from; empty allows all.
        name: name in Python, JSON, links and recipes.
        default: value where none is given; its type is the type of the option.
        is_required: whether it is a text that must be given.
    """

    help: str
    group: str = GROUP
    label: str = ""
    low: float = -inf
    high: float = inf
    step: float = 0.0
    shown: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    name: str = ""
    default: Value = ""
    is_required: bool = False

    @property
    def is_switch(self) -> bool:
        """Whether the option is only true or false."""
        return isinstance(self.default, bool)

    @property
    def flag(self) -> str:
        """The flag on the command line."""
        return "--" + self.name.removesuffix("_scale").replace("_", "-")

    @property
    def kind(self) -> type[Any]:
        """The type of the values."""
        return type(self.default)

    @property
    def limits(self) -> str:
        """The range in words: "at least 1", "at most 5", "from 0 to 1"; "" where all is allowed."""
        if self.low == -inf:
            return "" if self.high == inf else f"at most {self.high:g}"
        if self.high == inf:
            return f"at least {self.low:g}"
        return f"from {self.low:g} to {self.high:g}"

    def check(self, value: object) -> Value:
        """Return `value`, which may have any type, if the option may have it.

        It is for switches, choices, and numbers that are bounded on both sides.

        Raises:
            ValueError: if it has another type or lies outside of the range.
        """
        if self.choices:
            return check_choice(self.name, value, self.choices)
        if self.is_switch:
            return check_bool(self.name, value)
        if isinstance(self.default, int):
            return check_int(self.name, value, int(self.low), int(self.high))
        assert isinstance(self.default, float)
        return check_float(self.name, value, self.low, self.high)

    def check_range(self, value: Value) -> None:
        """Check a value whose type is right, or each number of a tuple, against range and choices.

        Raises:
            ValueError: naming the option, what it may be, and the value.
        """
        if self.choices and value not in self.choices:
            raise ValueError(f"{self.name} must be {or_list(self.choices)}, got {value!r:.40}")
        numbers = value if isinstance(value, tuple) else (value,)
        if any(isinstance(number, float) and isinf(number) for number in numbers):
            raise ValueError(f"{self.name} must be a finite number, got {value}")
        if not self.limits:
            return
        for number in numbers:
            if not isinstance(number, int | float):
                raise ValueError(f"{self.name} must be a number, got {number!r:.40}")
            if number > LARGEST:
                raise ValueError(f"{self.name} must be at most {LARGEST}, got {number!s:.40}")
            if not self.low <= number <= self.high:  # also of NaN
                raise ValueError(f"{self.name} must be {self.limits}, got {number}")


def option(
    default: AnyValue,
    help: str,
    group: str = GROUP,
    *,
    label: str = "",
    low: float = -inf,
    high: float = inf,
    step: float = 0.0,
    shown: tuple[float, float] | None = None,
    choices: Sequence[str] = (),
) -> AnyValue:
    """A dataclass field that is an option; for the arguments see `OptionField`.

    The type of the default is the type of the option: an int makes it a whole number, a bool a
    switch.
    """
    described = OptionField(help, group, label, low, high, step, shown, tuple(choices))
    return cast(AnyValue, field(default=default, metadata={KEY: described}))


def about(help: str, group: str = GROUP) -> dict[str, OptionField]:
    """Metadata of a dataclass field for a text that must be given: it has no default."""
    return {KEY: OptionField(help, group, is_required=True)}


def option_fields(options: Described | type[Described]) -> tuple[OptionField, ...]:
    """The described fields of a dataclass, or of one of its instances, in their order."""
    return tuple(_named(one) for one in fields(options) if KEY in one.metadata)


def with_defaults(options: Described) -> tuple[OptionField, ...]:
    """The described fields of an instance, whose values stand in the place of the defaults."""
    return tuple(replace(one, default=getattr(options, one.name)) for one in option_fields(options))


def option_named(options: Described | type[Described], name: str) -> OptionField:
    """The described field of a name."""
    return next(one for one in option_fields(options) if one.name == name)


def check_options(options: Described) -> None:
    """Check every described field of an instance; numbers of numpy and torch become plain ones.

    Raises:
        ValueError: if a value has another type or lies outside of its range.
    """
    for one in option_fields(options):
        object.__setattr__(options, one.name, one.check(getattr(options, one.name)))


def or_list(choices: Sequence[str]) -> str:
    """Choices in words: "auto, bf16 or no"."""
    return " or ".join(filter(None, (", ".join(choices[:-1]), choices[-1])))


def _named(one: Field[Any]) -> OptionField:
    described: OptionField = one.metadata[KEY]
    if described.is_required:
        return replace(described, name=one.name)
    assert one.default is not MISSING
    return replace(described, name=one.name, default=one.default)
