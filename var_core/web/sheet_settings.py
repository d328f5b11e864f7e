"""What a sheet can compare, with values to begin with: nothing here knows a widget."""

from dataclasses import dataclass

from var_core.jobs.comparison import (
    MAX_CELLS,
    MAX_SIDE,
    PROMPT,
    SCALES,
    SEED,
    Cell,
    axis_choices,
    axis_titles,
    cells,
    parse_axis,
    typed_values,
)
from var_core.model_info import ModelInfo
from var_core.ranges import check_choice

Side = tuple[str, str]  # name of a setting, and its values as they are typed
LIMIT = f"at most {MAX_CELLS} pictures, {MAX_SIDE} along a side"
FEW = 4  # names to begin with, of a setting that has many
NUMBERS = {
    SEED: "1, 2, 3",
    "guidance_scale": "0, 1.5, 3, 6",
    "temperature": "0.5, 1, 1.5",
    "top_p": "0.2, 0.5, 0.9",
}


@dataclass(frozen=True)
class Preset:
    """A comparison worth beginning with.

    Attributes:
        words: what stands on its button.
        rows: setting of the rows.
        columns: setting of the columns.
    """

    words: str
    rows: Side
    columns: Side


def first_values(info: ModelInfo, setting: object) -> str:
    """Values of a setting to begin with, as they are typed.

    Raises:
        ValueError: if there is no such setting.
    """
    name = check_choice("a compared setting", setting, list(axis_titles(info)))
    if name in NUMBERS:
        return NUMBERS[name]
    if name == "top_k":
        return ", ".join(str(number) for number in (1, 10, 100) if number <= info.vocab_size)
    for one in info.option_fields:
        if one.name == name and one.step:
            ends = {*(one.shown or (one.low, one.high)), one.check(one.default)}
            return ", ".join(f"{number:g}" for number in sorted(map(float, ends)))
    if name == SCALES:
        last = info.schedule.num_scales - 1
        return ", ".join(str(number) for number in sorted({0, 1, last // 2, last}))
    if name == PROMPT:
        menus = info.labels.menus
        chosen = [one.phrase for one in menus[0].choices[:3]] if menus else ["a fox", "a pizza"]
        return "\n".join(chosen)
    names = axis_choices(info.labels, name)
    return typed_values(names if len(names) <= MAX_SIDE else names[:FEW])


def presets(info: ModelInfo) -> list[Preset]:
    """Comparisons to begin with; the first one is on the page when it opens."""
    found, styles = [], [one.name for one in info.labels.attributes if len(one.values) <= MAX_SIDE]
    menus = [menu.name for menu in info.labels.menus]

    def side(name: str) -> Side:
        return name, first_values(info, name)

    if styles:
        name = styles[-1]
        if len(menus) > 1:
            columns = menus[1], typed_values(axis_choices(info.labels, menus[1])[:FEW])
            found.append(Preset(f"{name.capitalize()}s and {menus[1]}s", side(name), columns))
        else:
            found.append(Preset(f"Every {name}", (SEED, "1, 2"), side(name)))
    found.append(Preset("Guidance and seeds", side("guidance_scale"), side(SEED)))
    other = side(PROMPT) if info.max_phrases else (SEED, "1, 2, 3")
    words = "Scales kept and prompts" if info.max_phrases else "Scales kept"
    found.append(Preset(words, side(SCALES), other))
    return found


def describe(info: ModelInfo, rows: Side, columns: Side) -> tuple[str, list[list[str]]]:
    """What would be drawn, or why it would not.

    Returns:
        A sentence, and the words of rows and columns; none where it cannot be drawn.
    """
    try:
        axes = [parse_axis(info, *side) for side in (rows, columns)]
        base = Cell(info.reader.read(), 0, info.options)
        count = len(cells(info, base, *axes))
    except ValueError as error:
        words = str(error)
        limit = "" if f"most {MAX_CELLS}" in words else f" (a sheet has {LIMIT})"
        return f"{words[0].upper()}{words[1:]}{limit}", []
    kept = any(axis.name == SCALES for axis in axes)
    more = ". The scales are those of the picture in Draw" if kept else ""
    return f"{count} pictures, drawn together ({LIMIT}){more}", [one.captions for one in axes]


def titled(info: ModelInfo) -> list[tuple[str, str]]:
    """Names of all settings for people, each with the setting's own."""
    return [(title, name) for name, title in axis_titles(info).items()]
