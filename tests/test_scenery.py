"""An edit says of itself where a picture is, when nobody told it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from tests.conftest import make_tokenizer
from tests.prompted_models import FakeEncoder, make_text_transformer
from var_core import VARPipeline, generators_from_seeds
from var_core import pipeline_parts as pipeline_module
from var_core.editing import Margins
from var_core.images import image_to_tensor
from var_core.labels import Attribute, LabelSpace
from var_core.menus import Choice, Menu
from var_core.scenery import add_scenery
from var_core.text import PhraseTable
from var_core.wishes import Wish

MENUS = (
    Menu("thing", (Choice("fox", "a fox"), Choice("pizza", "a pizza"))),
    Menu("place", (Choice("snow", "in the snow"), Choice("sea", "at the sea"))),
    Menu("time", (Choice("day", "by day"), Choice("night", "at night"))),
)
SPACE = LabelSpace((Attribute("style", ("noto", "flat", "3d")),), menus=MENUS)
PHRASES = [choice.phrase for menu in MENUS for choice in menu.choices]
TABLE = PhraseTable.encode(FakeEncoder(), PHRASES)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> VARPipeline:
    """A tiny pipeline with menus of things, places and times."""
    monkeypatch.setattr(pipeline_module, "open_text_encoder", lambda name, folder: FakeEncoder())
    return VARPipeline(make_tokenizer(), make_text_transformer(), SPACE, TABLE)


def asked(pipeline: VARPipeline, picture: torch.Tensor, *wishes: Wish) -> list[Wish]:
    networks = pipeline.transformer, pipeline.tokenizer, pipeline.wish_encoder
    return add_scenery(*networks, pipeline.labels.menus, picture, wishes)


def test_the_place_of_a_drawing_is_recognized(embedded: VARPipeline) -> None:
    places = ("in the snow", "on the grass", "at the sea", "in space", "on the beach", "in a room")
    menu = next(one for one in embedded.labels.menus if one.name == "place")
    known = [choice.phrase for choice in menu.choices if choice.phrase in places]
    assert len(known) >= 4
    prompts = [["a fox", place] for place in known]
    drawn = embedded(prompt=prompts, generator=generators_from_seeds(range(len(known)))).images
    nothing = embedded.info.reader.read()
    for place, image in zip(known, drawn, strict=True):
        assert asked(embedded, image_to_tensor(image), nothing)[0].phrases[0] == place


def test_the_likeliest_phrase_of_each_menu_is_added_and_noted(tiny: VARPipeline) -> None:
    picture = (
        torch.rand(1, 3, *tiny.image_shape, generator=torch.Generator().manual_seed(3)) * 2 - 1
    )
    maps = tiny.tokenizer.encode(picture).token_maps[:3]

    def fit(*phrases: str) -> float:
        inspected = tiny.inspect(maps, [Wish((3,), phrases)])
        return sum(float(scale.probability.log().sum()) for scale in inspected.scales)

    (found,) = asked(tiny, picture, Wish((3,), ("a fox",)))
    place = max(("in the snow", "at the sea"), key=lambda phrase: fit("a fox", phrase))
    assert found.phrases[:2] == ("a fox", place)
    times = {phrase: fit("a fox", place, phrase) for phrase in ("by day", "at night")}
    best = max(times, key=lambda phrase: times[phrase])
    is_said = times[best] > fit("a fox", place) + np.log(2)
    assert found.phrases[2:] == ((best,) if is_said else ())
    assert found.notes[-1] == f"the picture was taken for one {', '.join(found.phrases[1:])}"


def test_what_is_named_is_not_named_again(tiny: VARPipeline) -> None:
    picture = torch.zeros(1, 3, *tiny.image_shape)
    both = Wish((3,), ("at the sea", "by day"))
    unwanted = Wish((3,), (), ("in the snow", "at night"))
    full = Wish((3,), ("a fox", "a pizza", "a puppy", "an owl"))
    assert asked(tiny, picture, both, unwanted, full, both) == [both, unwanted, full, both]
    (found,) = asked(tiny, picture, replace(both, phrases=("by day",)))
    assert "at night" not in found.phrases and found.phrases[1] in ("in the snow", "at the sea")


def test_edits_ask_for_the_scenery_of_the_picture(tiny: VARPipeline) -> None:
    image = tiny(prompt=["a fox, at the sea"], generator=generators_from_seeds([1])).images[0]
    mask = np.zeros(tiny.image_shape, bool)
    mask[2:5, 2:5] = True
    expected = asked(tiny, image_to_tensor(image), tiny.info.reader.read(None, "a pizza"))
    edited = tiny.edit(image, mask, prompt="a pizza", generator=generators_from_seeds([0]))
    assert edited.wishes == expected
    told = [list(one.phrases) for one in expected]
    again = tiny.edit(image, mask, prompt=told, generator=generators_from_seeds([0]))
    assert all(map(torch.equal, edited.token_maps, again.token_maps))
    wide = tiny.outpaint(image, Margins(right=4), generator=generators_from_seeds([0]))
    assert (
        wide.wishes[0].phrases
        == asked(tiny, image_to_tensor(image), tiny.info.reader.read())[0].phrases
    )


def test_the_scenery_is_looked_for_where_the_picture_is_known(tiny: VARPipeline) -> None:
    image = tiny(prompt=["a fox, at the sea"], generator=generators_from_seeds([1])).images[0]
    height, width = tiny.image_shape
    wide = Image.new("RGB", (3 * width, height))
    wide.paste(image, (0, 0))
    mask = np.zeros((height, 3 * width), bool)
    mask[:, width:] = True  # the middle too
    (expected,) = asked(tiny, image_to_tensor(image), tiny.info.reader.read())
    edited = tiny.edit_stream(wide, mask, generator=generators_from_seeds([0]))
    assert next(edited).wishes == [expected]
    grey = asked(tiny, torch.zeros(1, 3, height, width), tiny.info.reader.read())
    assert grey != [expected]  # what would be said of nothing
