"""A model whose labels hold HTML, scripts and templates, as a folder from a stranger may."""

from dataclasses import replace
from pathlib import Path

from tests.conftest import make_labels
from var_core import LabelSpace, VARPipeline
from var_core.labels import Attribute
from var_core.serving.local_engine import LocalEngine

TAG = "<img src=http://127.0.0.1:9/leak onerror=window.harmed=1>"
FORMS = (  # the name of a label: a tag, the end of an attribute, of a script, and two templates
    f"{TAG}",
    f'" onfocus=window.harmed=1 x="{TAG}',
    "</script><script>window.harmed=1</script>`${window.harmed=1}`",
    "${window.harmed=1}{{value}}{{{value}}}<svg onload=window.harmed=1>",
)


def hostile_labels() -> LabelSpace:
    """The labels of the tiny model, all of whose words are hostile."""
    given = make_labels()
    values = {"category": FORMS[:2], "emoji": FORMS, "style": FORMS[1:]}
    attributes = tuple(Attribute(one.name, values[one.name]) for one in given.attributes)
    tags = {"emoji": tuple((form, TAG) for form in FORMS)}
    return LabelSpace(attributes, given.implies, tags, {"emoji": FORMS})


def hostile_engine(pipeline: VARPipeline, folder: Path) -> LocalEngine:
    """An engine of the tiny model with these labels, as read from a folder; its name is hostile."""
    hostile = VARPipeline(pipeline.tokenizer, pipeline.transformer, hostile_labels())
    hostile.save_pretrained(folder)
    loaded = VARPipeline.from_pretrained(folder)
    name = "`<img src=x onerror=window.harmed=1>"
    return LocalEngine(replace(loaded.info, name=name), lambda dtype: loaded)
