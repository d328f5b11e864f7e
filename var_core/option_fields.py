"""Options that describe themselves: each field carries its range, its step and a few words.

Command-line flags, API fields, sliders, links and recipes are made from these fields, so that an
option is written down once, in its dataclass.
"""

from dataclasses import MISSING, Field, dataclass, field, fields, replace
from typing import Any, ClassVar, Protocol

from var_core.ranges import check_bool, check_float, check_int

KEY = "option"
Value = float | int | bool


class Described(Protocol):
    """A dataclass, or an instance of one."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


@dataclass(frozen=True)
class OptionField:
    """One option, as people see it.

    Attributes:
        label: short title, as "Top-p".
        help: what the option does, in a few words.
        low: smallest value; 0 for a switch.
        high: largest value; 1 for a switch.
        step: distance between the values of a slider; 0 for a switch.
        shown: smallest and largest value of a slider, where it does not span the whole range.
        name: name in Python, JSON, links and recipes.
        default: value where none is given; its type is the type of the option.
    """

    label: str
    help: str
    low: float = 0.0
    high: float = 1.0
    step: float = 0.0
    shown: tuple[float, float] | None = None
    name: str = ""
    default: Value = False

    @property
    def is_switch(self) -> bool:
        """Whether the option is only true or false."""
        return isinstance(self.default, bool)

    @property
    def flag(self) -> str:
        """The flag on the command line."""
        return "--" + self.name.removesuffix("_scale").replace("_", "-")

    @property
    def kind(self) -> type[float] | type[int] | type[bool]:
        """The type of the values."""
        return type(self.default)

    def check(self, value: object) -> Value:
        """Return `value` if the option may have it.

        Raises:
            ValueError: if it has another type or lies outside of the range.
        """
        if self.is_switch:
            return check_bool(self.name, value)
        if isinstance(self.default, int):
            return check_int(self.name, value, int(self.low), int(self.high))
        return check_float(self.name, value, self.low, self.high)


def number(
    default: float,
    low: float,
    high: float,
    step: float,
    label: str,
    help: str,
    shown: tuple[float, float] | None = None,
) -> Any:
    """A dataclass field for a number; an int as default makes it a whole number."""
    described = OptionField(label, help, low, high, step, shown)
    return field(default=default, metadata={KEY: described})


def switch(default: bool, label: str, help: str) -> Any:
    """A dataclass field for a choice between true and false."""
    return field(default=default, metadata={KEY: OptionField(label, help)})


def option_fields(options: Described | type[Described]) -> tuple[OptionField, ...]:
    """The described fields of a dataclass, or of one of its instances, in their order."""
    return tuple(_named(one) for one in fields(options) if KEY in one.metadata)


def option_named(options: Described | type[Described], name: str) -> OptionField:
    """The described field of a name."""
    return next(one for one in option_fields(options) if one.name == name)


def check_options(options: Described) -> None:
    """Check every described field of an instance.

    Raises:
        ValueError: if a value has another type or lies outside of its range.
    """
    for one in option_fields(options):
        one.check(getattr(options, one.name))


def _named(one: Field[Any]) -> OptionField:
    assert one.default is not MISSING
    return replace(one.metadata[KEY], name=one.name, default=one.default)
