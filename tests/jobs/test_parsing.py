"""Nothing malformed reaches a network, whatever a stranger sends."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.conftest import make_labels, make_tokenizer, make_transformer
from var_core import VARPipeline
from var_core.jobs.data_url import png_url
from var_core.jobs.parsing import MAX_COUNT, SAMPLING_OPTIONS, read_settings
from var_core.sampling import MAX_SEED
from var_core.serving.all_endpoints import Api
from var_core.serving.local_engine import LocalEngine
from var_core.web.controls import Controls

EXAMPLES = [60, pytest.param(1000, marks=pytest.mark.slow)]
PIPELINE = VARPipeline(make_tokenizer(), make_transformer(), make_labels())
API = Api(LocalEngine(PIPELINE.info, lambda dtype: PIPELINE))
CONTROLS = Controls(PIPELINE.info)
CODES = PIPELINE.transformer.config.vocab_size
WHOLE = {"seed": (0, MAX_SEED), "count": (1, MAX_COUNT), "top_k": (0, CODES)}
REAL = {
    "guidance_scale": (0.0, 20.0),
    "temperature": (0.01, 10.0),
    "top_p": (0.0, 1.0),
    "pause": (0.0, 1.0),
}
NAMES = {attribute.name: attribute for attribute in PIPELINE.labels.attributes}

PICTURE = png_url(Image.new("RGB", (20, 20), "white"))

anything = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=20),
        st.sampled_from([2**64, -1, 1e400, -0.0, "nan", "1", "cat\0", "../cat", b"cat", object()]),
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=4,
)


def is_whole(value: object, name: str) -> bool:
    low, high = WHOLE[name]
    return type(value) is int and low <= value <= high


def is_real(value: object, name: str) -> bool:
    low, high = REAL[name]
    return type(value) in (int, float) and math.isfinite(value) and low <= value <= high


def is_allowed(name: str, value: object) -> bool:
    """What the limits say, written apart from the code that keeps them."""
    if name in WHOLE:
        return is_whole(value, name)
    if name in REAL:
        return is_real(value, name)
    if name in NAMES:
        known = NAMES[name]
        if type(value) is int:
            return 0 <= value <= len(known.values)
        return not value or (isinstance(value, str) and value in (*known.values, *known.aliases))
    if name == "precision":
        return isinstance(value, str) and value in ("auto", "fp32", "bf16")
    return type(value) is bool


def examples(count: int) -> settings:
    return settings(max_examples=count, suppress_health_check=list(HealthCheck))


@pytest.fixture
def calls() -> list[str]:
    """The networks' forward passes since the test began."""
    seen: list[str] = []
    networks = (PIPELINE.transformer, PIPELINE.tokenizer.decoder, PIPELINE.tokenizer.encoder)
    parts = [part for network in networks for part in network.modules()]
    handles = [part.register_forward_pre_hook(lambda *_: seen.append("call")) for part in parts]
    yield seen
    for handle in handles:
        handle.remove()


@pytest.mark.parametrize("count", EXAMPLES)
@pytest.mark.parametrize("name", CONTROLS.names)
def test_a_control_takes_what_its_limits_allow_and_nothing_else(
    name: str, count: int, calls: list
) -> None:
    @examples(count)
    @given(anything)
    def check(value: object) -> None:
        values = {**CONTROLS.defaults(), name: value}
        if is_allowed(name, value):
            CONTROLS.read(values)
            return
        with pytest.raises(ValueError) as caught:
            CONTROLS.read(values)
        assert len(str(caught.value)) < 400 + len(repr(value))

    check()
    assert calls == []


def drawn(stream: Iterator[object]) -> object:
    *_, last = stream
    return last


TOKENS = [[[[0] * side] * side] for side in PIPELINE.info.schedule.sides]
FIELDS: dict[str, Callable[[object], object]] = {
    "labels": lambda value: drawn(API.generate(value)),
    "a label": lambda value: drawn(API.generate({"emoji": value})),
    "seed": lambda value: drawn(API.generate({}, seed=value)),
    "count": lambda value: drawn(API.generate({}, count=value)),
    "options": lambda value: drawn(API.generate({}, options=value)),
    **{
        name: lambda value, name=name: drawn(API.generate({}, options={name: value}))
        for name in (*SAMPLING_OPTIONS, "precision")
    },
    "a side": lambda value: drawn(API.compare({}, value, {"seed": [1]})),
    "compared numbers": lambda value: drawn(API.compare({}, {"top_p": value}, {"seed": [1]})),
    "a compared name": lambda value: drawn(API.compare({}, {"style": [value]}, {"seed": [1]})),
    "compared scales": lambda value: drawn(API.compare({}, {"scales": [value]}, {"seed": [1]})),
    "token_maps": lambda value: drawn(API.redraw(value, 1, {})),
    "scale": lambda value: drawn(API.redraw([[[[0]]]], value, {})),
    "picture": lambda value: API.tokenize(value),
    "edited picture": lambda value: drawn(API.edit(value, PICTURE, {})),
    "mask": lambda value: drawn(API.edit(PICTURE, value, {})),
    "rule": lambda value: drawn(API.edit(PICTURE, PICTURE, {}, rule=value)),
    "best_of": lambda value: drawn(API.edit(PICTURE, PICTURE, {}, best_of=value)),
    "side": lambda value: drawn(API.outpaint(PICTURE, {}, right=value)),
    "keep_scales": lambda value: drawn(API.vary(PICTURE, value, {})),
    "recipe": lambda value: API.recipe(value),
    "inside tokens": lambda value: API.look_inside({}, value),
    "inside picture": lambda value: API.look_inside({}, picture=value),
    "exchanged tokens": lambda value: API.exchange(value, 1, 0, 0, [0]),
    "place": lambda value: API.exchange(TOKENS, 2, value, value, [0]),
    "codes": lambda value: API.exchange(TOKENS, 2, 0, 0, value),
}

NEVER_DRAWN = (
    *("token_maps", "scale", "picture", "recipe", "edited picture", "mask"),
    *("inside tokens", "inside picture"),
)


@pytest.mark.parametrize("count", EXAMPLES)
@pytest.mark.parametrize("field", FIELDS)
def test_an_endpoint_refuses_what_is_malformed_before_any_network_runs(
    field: str, count: int
) -> None:
    class DrawnError(Exception):
        pass

    def stop(*_: object) -> None:
        raise DrawnError

    handle = PIPELINE.transformer.blocks[0].register_forward_pre_hook(stop)

    @examples(count)
    @given(anything)
    def check(value: object) -> None:
        try:
            FIELDS[field](value)
        except DrawnError:  # it was well-formed after all, and would have been drawn
            assert field not in NEVER_DRAWN
        except ValueError as error:
            assert "Traceback" not in str(error) and str(Path.home()) not in str(error)

    try:
        check()
    finally:
        handle.remove()
    assert torch.is_inference_mode_enabled() is False


def test_a_label_that_is_sent_as_a_number_is_refused(pipeline: VARPipeline) -> None:
    with pytest.raises(ValueError, match="emoji must be a name, a text as '2', got 2"):
        read_settings(pipeline.info, {"emoji": 2}, 5, None)


@pytest.mark.parametrize(
    "labels",
    [
        {"emoji": ["cat"] * 40_000},
        {"emoji": 10**399},
        {"emoji": "x" * 4_000},
        {"emoji": 1.5e300},
        {"x" * 4_000: "cat"},
        ["x" * 4_000],
    ],
    ids=range(6),
)
def test_what_is_refused_is_repeated_in_a_few_characters(
    pipeline: VARPipeline, labels: object
) -> None:
    with pytest.raises(ValueError, match=r"emoji|labels|label") as caught:
        read_settings(pipeline.info, labels, 5, None)
    assert len(str(caught.value)) < 180
    with pytest.raises(ValueError, match=r"emoji|label"):
        pipeline.labels.resolve(labels)
