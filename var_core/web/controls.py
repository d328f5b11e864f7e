"""Values of the page's controls: defaults, limits, and what sets them besides a hand."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from var_core.counted_json import SMALL, read_counted
from var_core.devices import PRECISIONS
from var_core.jobs.parsing import (
    DEFAULT_SEED,
    MAX_COUNT,
    SAMPLING_OPTIONS,
    read_settings,
    read_tokens,
)
from var_core.jobs.png_recipe import read_png_recipe
from var_core.jobs.requests import Settings
from var_core.labels import LabelSpace
from var_core.model_info import ModelInfo
from var_core.option_fields import option_named
from var_core.ranges import check_bool, check_int
from var_core.sampling import MAX_SEED, SamplingOptions, random_seed
from var_core.web.label_choices import ANY
from var_core.wishes import Wish

BALANCED = "Balanced"
OWN = "Own"  # options that are no preset's
PRESETS: Mapping[str, Mapping[str, object]] = {
    BALANCED: {},
    "Faithful": {"top_p": 0.3},
    "Varied": {"top_p": 0.9},
    "Wild": {"guidance_scale": 0.0, "top_p": 1.0, "temperature": 1.3, "top_k": 0},
    "Soft": {"smooth": True},
}
GUIDANCE = {"Faithful": 5 / 3, "Varied": 2 / 3}  # times that of the model, 1.5 where it has no own


@dataclass(frozen=True)
class Choice:
    """Checked values of all controls.

    Attributes:
        settings: label, seed and options of a drawing.
        count: number of pictures, 1 to MAX_COUNT.
        with_recipe: whether PNG files carry their recipe.
    """

    settings: Settings
    count: int
    with_recipe: bool


class Controls:
    """Values of the controls of one model, as dictionaries from names to values.

    The names are the attributes of the model and the options of a drawing. Recipes and links use
    the same names.

    Args:
        info: model whose labels and limits hold.

    Attributes:
        names: names of all controls, in the order of the page.
        prompts: names of the controls that hold words.
    """

    def __init__(self, info: ModelInfo) -> None:
        self.info = info
        self.labels = info.labels
        self.attributes = [attribute.name for attribute in info.labels.attributes]
        self.prompts = prompt_names(info)
        self.names = list(self.defaults())

    def defaults(self) -> dict[str, object]:
        """Values of a fresh page."""
        return {
            **dict.fromkeys(self.prompts, ""),
            **dict.fromkeys(self.attributes, ANY),
            "seed": DEFAULT_SEED,
            "count": 1,
            **self.preset(BALANCED),
            "precision": PRECISIONS[0],
            "with_recipe": True,
        }

    def preset(self, name: object) -> dict[str, object]:
        """Values of `SAMPLING_OPTIONS` under a preset's name.

        Raises:
            ValueError: if there is no such preset.
        """
        if not isinstance(name, str) or name not in PRESETS:
            raise ValueError(f"preset must be one of {', '.join(PRESETS)}, got {name!r:.40}")
        options = {option: getattr(self.info.options, option) for option in SAMPLING_OPTIONS}
        if name in GUIDANCE:
            most = option_named(SamplingOptions, "guidance_scale").high
            guidance = self.info.options.guidance_scale * GUIDANCE[name]
            options["guidance_scale"] = min(round(guidance, 1), most)
        return {**options, **PRESETS[name]}

    def preset_of(self, values: Mapping[str, object]) -> str:
        """Name of the preset that sets the options to these values; OWN if there is none."""
        found = (
            name
            for name in PRESETS
            if all(values[option] == value for option, value in self.preset(name).items())
        )
        return next(found, OWN)

    def read(self, values: Mapping[str, object]) -> Choice:
        """Check values.

        Raises:
            ValueError: if one is missing or out of range, or the model does not know it.
        """
        if missing := [name for name in self.names if name not in values]:
            raise ValueError(f"the value of {missing[0]} is missing")
        if values["seed"] is None:
            raise ValueError(f"type a seed from 0 to {MAX_SEED}, or untick Keep")
        settings = read_settings(
            self.info,
            {name: values[name] or None for name in self.attributes},
            values["seed"],
            {name: values[name] for name in (*SAMPLING_OPTIONS, "precision")},
            **{name: values[name] or None for name in self.prompts},
        )
        return Choice(
            settings,
            check_int("count", values["count"], 1, MAX_COUNT),
            check_bool("with_recipe", values["with_recipe"]),
        )

    def with_seed(self, values: Mapping[str, object], keep: bool) -> dict[str, object]:
        """The same values, with a new seed unless it is to be kept."""
        return {**values} if keep else {**values, "seed": new_seed()}

    def of_wish(self, wish: Wish) -> dict[str, object]:
        """Values of the controls that ask for the same: labels and words."""
        words = {"prompt": wish.phrases, "negative_prompt": wish.negative}
        labels = {name: label or ANY for name, label in self.labels.names(wish.label).items()}
        return {**labels, **{name: ", ".join(words[name]) for name in self.prompts}}

    def complete(self, values: Mapping[str, object]) -> dict[str, object]:
        """The same values, checked, with the labels that other labels or words imply.

        Raises:
            ValueError: if one is missing or out of range, or the model does not know it.
        """
        names = self.labels.names(self.read(values).settings.wish.label)
        return {**values, **{name: label or ANY for name, label in names.items()}}

    def from_recipe(self, path: str | Path) -> tuple[dict[str, object], tuple[Tensor, ...]]:
        """Values from the recipe in a PNG file, and the coarse scales that its picture kept.

        Returns:
            Values, and token maps (1, h, w); none if the whole picture was drawn.

        Raises:
            ValueError: if there is no recipe, or it is damaged or of another model.
        """
        name, recipe = Path(path).name, read_png_recipe(path)
        if recipe is None:
            raise ValueError(f"{name} holds no recipe of VAR Studio")
        if recipe.get("model") != self.info.name:
            raise ValueError(f"{name} was drawn by model {recipe.get('model')!r:.60}")
        precision = {"float32": "fp32", "bfloat16": "bf16"}.get(str(recipe.get("dtype")), "auto")
        options = {**recipe, "precision": precision}
        labels = {name: recipe["labels"].get(name) or ANY for name in self.attributes}
        words = {name: recipe.get(name, "") for name in self.prompts}
        options |= {
            name: words[name] if name == "prompt" else _joined(words[name]) for name in words
        }
        values = {name: options.get(name, value) for name, value in self.defaults().items()}
        values = self.complete({**values, **labels})
        kept = recipe.get("kept", [])
        if not isinstance(kept, list) or len(kept) >= self.info.schedule.num_scales:
            raise ValueError(f"the recipe of {name} is damaged")
        try:
            return values, read_tokens(self.info, kept)
        except ValueError as error:
            raise ValueError(f"the recipe of {name} is damaged") from error

    def from_query(self, query: Mapping[str, str]) -> tuple[dict[str, object], list[str]]:
        """Values of a link, and a sentence for each value that was left out because it is wrong."""
        values, refused = self.defaults(), []
        for name in self.names:
            if name not in query:
                continue
            try:
                is_list = name == "prompt" and query[name].startswith("[")
                value = _phrases(query[name]) if is_list else _parsed(query[name], values[name])
                changed = {**values, name: value}
                self.read(changed)
            except ValueError as error:
                refused.append(f"The link's {name} was left out: {error}")
                continue
            values = changed
        return self.complete(values), refused


def prompt_names(info: ModelInfo) -> tuple[str, ...]:
    """Names of the controls that hold words.

    A model without text that knows a single list of named classes takes words for their names.
    """
    if info.max_phrases:
        return ("prompt", "negative_prompt")
    return ("prompt",) if len(info.labels.attributes) == 1 and info.reader.has_names else ()


def drawn_words(labels: LabelSpace, wish: Wish) -> str:
    """What a picture shows, in words between commas; "" where everything was left open."""
    return ", ".join([*wish.phrases, *filter(None, labels.names(wish.label).values())])


def _joined(phrases: object) -> object:
    """The phrases of a recipe as they are typed; anything else is left to the checks."""
    if not isinstance(phrases, list):
        return phrases
    return ", ".join(str(phrase) for phrase in phrases)


def new_seed() -> int:
    """A random seed that leaves room to count up."""
    return random_seed() // 2


def _phrases(text: str) -> object:
    """Phrases that a link lists, so that commas and joining words inside them split nothing."""
    try:
        return read_counted(text, SMALL)
    except ValueError as error:
        raise ValueError(f"it must be words, or a list of phrases, got {text[:40]!r}") from error


def _parsed(text: str, like: object) -> object:
    """A value of a link, in the type of the control's default value."""
    if isinstance(like, bool):
        if text not in ("true", "false"):
            raise ValueError(f"it must be true or false, got {text[:40]!r}")
        return text == "true"
    if not isinstance(like, int | float):
        return text
    try:
        return type(like)(text)
    except ValueError as error:
        kind = "a whole number" if isinstance(like, int) else "a number"
        raise ValueError(f"it must be {kind}, got {text[:40]!r}") from error
