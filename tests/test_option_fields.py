"""An option is written down once; its field knows the rest."""

import argparse
from dataclasses import dataclass

import pytest

from tests.conftest import make_labels, make_tokenizer, make_transformer
from var_core import SamplingOptions
from var_core.command_line.drawing_flags import drawing_flags
from var_core.jobs.parsing import SAMPLING_OPTIONS
from var_core.model_info import describe_networks
from var_core.option_fields import check_options, number, option_fields, option_named, switch


@dataclass(frozen=True, kw_only=True)
class Oven:
    """Options of something else."""

    heat_scale: float = number(180.0, 0.0, 250.0, 5.0, "Heat", "degrees", shown=(50.0, 250.0))
    trays: int = number(1, 0, 3, 1, "Trays", "number of trays")
    fan: bool = switch(True, "Fan", "blows")
    colour: str = "white"  # not an option that people see

    def __post_init__(self) -> None:
        check_options(self)


def test_fields_describe_themselves_in_their_order() -> None:
    heat, trays, fan = option_fields(Oven)
    assert (heat.name, heat.flag, heat.kind, heat.default) == ("heat_scale", "--heat", float, 180.0)
    assert (trays.name, trays.flag, trays.kind, trays.high) == ("trays", "--trays", int, 3)
    assert fan.is_switch and fan.default is True and not trays.is_switch
    assert heat.shown == (50.0, 250.0) and trays.shown is None
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
    ],
)
def test_values_out_of_range_are_refused_on_construction(values: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Oven(**values)


def test_every_sampling_option_reaches_the_command_line_the_endpoints_and_the_page() -> None:
    info = describe_networks(make_tokenizer(), make_transformer(), make_labels())
    names = [option.name for option in option_fields(SamplingOptions)]
    assert list(SAMPLING_OPTIONS) == names == [option.name for option in info.option_fields]
    parser = drawing_flags(argparse.ArgumentParser(add_help=False), make_labels())
    flags = {action.dest for action in parser._actions}
    assert set(names) <= flags
    top_k = next(option for option in info.option_fields if option.name == "top_k")
    assert (top_k.high, top_k.default) == (info.vocab_size, info.options.top_k)
