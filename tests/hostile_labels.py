"""A model whose labels hold HTML, scripts and templates, as a folder from a stranger may."""

from dataclasses import replace
from pathlib import Path

from tests.conftest import make_tokenizer, make_transformer
from var_core import LabelSpace, VARPipeline
from var_core.labels import Attribute
from var_core.serving.local_engine import LocalEngine

HARM = "window.harmed=1"
TAG = f"<img src=http://127.0.0.1:9/leak onerror={HARM}>"
LONG = f"{TAG}{'long ' * 2_000}"  # more than 10,000 characters
FORMS = (  # the end of an attribute, of a script, templates, turned letters, names of JavaScript
    TAG,
    f'" \' onfocus={HARM} x="{TAG}',
    f"</script></style><script>{HARM}</script>`${{{HARM}}}`",
    f"${{{HARM}}}{{{{value}}}}{{{{{{value}}}}}}<svg onload={HARM}>",
    "\N{RIGHT-TO-LEFT OVERRIDE}gnp.live\N{RIGHT-TO-LEFT ISOLATE}<b>right to left",
    "__proto__",
    "constructor",
    LONG,
)
NAME = f"`<img src=x onerror={HARM}>"  # of the model


def hostile_labels() -> LabelSpace:
    """Labels all of whose words are hostile."""
    attributes = (
        Attribute("category", FORMS[:2]),
        Attribute("emoji", FORMS),
        Attribute("style", FORMS[1:4]),
    )
    implied = tuple(number % 2 for number in range(len(FORMS)))
    tags = {"emoji": tuple((form, TAG) for form in FORMS)}
    return LabelSpace(attributes, {(1, 0): implied}, tags, {"emoji": FORMS})


def hostile_engine(folder: Path) -> LocalEngine:
    """An engine of a tiny model with these labels, as read from a folder; its name is hostile."""
    transformer = make_transformer((2, len(FORMS), 3))
    VARPipeline(make_tokenizer(), transformer, hostile_labels()).save_pretrained(folder)
    loaded = VARPipeline.from_pretrained(folder)
    return LocalEngine(replace(loaded.info, name=NAME), lambda dtype: loaded)
