"""An option is written down once; its field knows the rest."""

import argparse
import inspect
from dataclasses import dataclass, field

import pytest

from tests.conftest import make_labels, make_tokenizer, make_transformer
from var_core import EditOptions, SamplingOptions
from var_core.command_line.drawing_flags import drawing_flags
from var_core.command_line.picture_commands import add_picture_commands
from var_core.jobs import parsing
from var_core.jobs.parsing import SAMPLING_OPTIONS
from var_core.model_info import describe_networks
from var_core.option_fields import about, check_options, option, option_fields, option_named
from var_core.serving.edit_endpoints import EditEndpoints


@dataclass(frozen=True, kw_only=True)
class Oven:
    """Options of something else."""

    heat_scale: float = option(
        180.0, "degrees", label="Heat", low=0, high=250, step=5, shown=(50.0, 250.0)
    )
    trays: int = option(1, "number of trays", label="Trays", low=0, high=3, step=1)
    fan: bool = option(True, "blows", label="Fan")
    side: str = option("top", "where it is hot", label="Side", choices=("top", "bottom"))
    colour: str = "white"  # not an option that people see

    def __post_init__(self) -> None:
        check_options(self)


def test_fields_describe_themselves_in_their_order() -> None:
    heat, trays, fan, side = option_fields(Oven)
    assert (heat.name, heat.flag, heat.kind, heat.default) == ("heat_scale", "--heat", float, 180.0)
    assert (trays.name, trays.flag, trays.kind, trays.high) == ("trays", "--trays", int, 3)
    assert fan.is_switch and fan.default is True and not trays.is_switch
    assert heat.shown == (50.0, 250.0) and trays.shown is None
    assert (side.kind, side.choices) == (str, ("top", "bottom")) and not side.is_switch
    assert option_fields(Oven(trays=2)) == option_fields(Oven)
    assert option_named(Oven, "fan") == fan


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"heat_scale": 251.0}, "heat_scale must be a number from 0 to 250, got 251"),
        ({"heat_scale": float("nan")}, "heat_scale must be a number from 0 to 250"),
        ({"trays": 1.5}, "trays must be a whole number from 0 to 3, got 1.5"),
        ({"trays": True}, "trays must be a whole number from 0 to 3"),
        ({"fan": 1}, "fan must be true or false, got 1"),
        ({"side": ["top"]}, r"side must be one of top, bottom, got \['top'\]"),
    ],
)
def test_values_out_of_range_are_refused_on_construction(values: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Oven(**values)


@dataclass(frozen=True)
class Plan:
    """Settings with limits at one side, several numbers, and a text that must be given."""

    out: str = field(metadata=about("folder to write", "files"))
    sides: tuple[int, ...] = option((1, 2), "sides of maps", low=1)
    seed: int = option(0, "seed", "random")
    loss: float = option(0.5, "highest loss", high=9)


def test_an_option_says_its_limits_and_checks_every_number_of_a_tuple() -> None:
    out, sides, seed, loss = option_fields(Plan)
    assert [one.is_required for one in (out, sides, seed, loss)] == [True, False, False, False]
    assert [one.limits for one in (sides, seed, loss)] == ["at least 1", "", "at most 9"]
    assert [one.group for one in (out, sides, seed)] == ["files", "settings", "random"]
    out.check_range("anything")
    sides.check_range((1, 3))
    with pytest.raises(ValueError, match="sides must be at least 1, got 0"):
        sides.check_range((1, 0))
    with pytest.raises(ValueError, match="loss must be at most 9, got nan"):
        loss.check_range(float("nan"))


def test_every_edit_option_reaches_the_command_line_and_the_parser_of_calls() -> None:
    names = [one.name for one in option_fields(EditOptions)]
    for name in names:
        for function in (parsing.edit, parsing.outpaint, EditEndpoints.edit):
            default = inspect.signature(function).parameters[name].default
            assert default == option_named(EditOptions, name).default
    parser = argparse.ArgumentParser()
    shared = argparse.ArgumentParser(add_help=False)
    add_picture_commands(parser.add_subparsers(), shared, make_labels(), SamplingOptions())
    words = ["edit", "--image", "a.png", "--mask", "b.png"]
    assert parser.parse_args(words).best_of == 1
    assert parser.parse_args([*words, "--best-of", "3", "--rule", "replay"]).best_of == 3


def test_every_sampling_option_reaches_the_command_line_the_endpoints_and_the_page() -> None:
    info = describe_networks(make_tokenizer(), make_transformer(), make_labels())
    names = [option.name for option in option_fields(SamplingOptions)]
    assert list(SAMPLING_OPTIONS) == names == [option.name for option in info.option_fields]
    shared = argparse.ArgumentParser(add_help=False)
    parser = drawing_flags(shared, make_labels(), SamplingOptions())
    flags = {action.dest for action in parser._actions}
    assert set(names) <= flags
    top_k = next(option for option in info.option_fields if option.name == "top_k")
    assert (top_k.high, top_k.default) == (info.vocab_size, info.options.top_k)
