"""Sheets that compare two settings: a row for each value of the one, a column for the other."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from torch import Tensor

from var_core.jobs.png_recipe import Recipe, make_recipe
from var_core.labels import LabelSpace
from var_core.model_info import ModelInfo
from var_core.option_fields import OptionField
from var_core.ranges import check_choice, check_int
from var_core.sampling import MAX_SEED, SamplingOptions
from var_core.wishes import Wish

MAX_SIDE = 8  # values of one setting
MAX_TYPED = 20_000  # characters of all values of one setting, as they are typed
MAX_CELLS = 16  # pictures of a sheet
PROMPT, SEED, SCALES = "prompt", "seed", "scales"
NO_PICTURE = "no scales can be kept without a picture: draw one first"

AxisValue = str | int | float


@dataclass(frozen=True)
class Cell:
    """What decides one picture of a sheet.

    Attributes:
        wish: what it is to show.
        seed: seed of its generator.
        options: how its tokens are drawn.
        num_kept: number of scales that it keeps of an earlier picture.
    """

    wish: Wish
    seed: int
    options: SamplingOptions
    num_kept: int = 0


@dataclass(frozen=True)
class Axis:
    """One side of a sheet.

    Attributes:
        name: name of the setting.
        title: its name for people.
        values: its values, all different.
    """

    name: str
    title: str
    values: tuple[AxisValue, ...]

    @property
    def captions(self) -> list[str]:
        """What stands at each row or column."""
        return [self._caption(value) for value in self.values]

    @property
    def text(self) -> str:
        """The values as they are typed; `parse_axis` reads them."""
        return typed_values(self.values, is_prompt=self.name == PROMPT)

    def _caption(self, value: AxisValue) -> str:
        if isinstance(value, str):
            return value
        if self.name == SCALES:
            return f"{value or 'no'} scale{'' if value == 1 else 's'} kept"
        return f"{self.title.lower()} {value if isinstance(value, int) else format(value, 'g')}"


@dataclass(frozen=True)
class Comparison:
    """What a sheet compares.

    Attributes:
        rows: setting that changes from row to row.
        columns: setting that changes from column to column.
        base: everything else.
        kept: token maps (1, h, w) of the first scales of an earlier picture.
    """

    rows: Axis
    columns: Axis
    base: Cell
    kept: tuple[Tensor, ...] = field(default=(), repr=False)

    @property
    def captions(self) -> list[str]:
        """Words for each picture, row by row."""
        return [f"{row}, {one}" for row in self.rows.captions for one in self.columns.captions]

    def recipe(self, info: ModelInfo, dtype: str) -> Recipe:
        """What draws the whole sheet again."""
        base, kept = self.base, [tokens[0] for tokens in self.kept]
        recipe = make_recipe(info, base.wish, base.seed, base.options, dtype, kept)
        sides = {"rows": self.rows, "columns": self.columns}
        values = {side: {axis.name: list(axis.values)} for side, axis in sides.items()}
        return {**recipe, "compare": values}


def axis_titles(info: ModelInfo) -> dict[str, str]:
    """Names of all settings that can be compared, and their names for people."""
    space = info.labels
    names = [one.name for one in (*space.menus, *space.attributes)]
    return {
        **{name: name.capitalize() for name in names},
        **({PROMPT: "Prompt"} if info.max_phrases else {}),
        SEED: "Seed",
        **{one.name: one.label for one in _numbers(info).values()},
        SCALES: "Scales kept",
    }


def read_axis(info: ModelInfo, name: object, values: object) -> Axis:
    """Check one side of a sheet.

    Args:
        info: model whose labels and limits hold.
        name: name of a setting, as `axis_titles` has it.
        values: list of its values.

    Raises:
        ValueError: if there is no such setting, or a value is out of range or comes twice.
    """
    name, title = _named(info, name)
    if not isinstance(values, list | tuple) or not 1 <= len(values) <= MAX_SIDE:
        raise ValueError(f"{title} takes a list of 1 to {MAX_SIDE} values")
    check = _checker(info, name)
    checked = tuple(check(value) for value in values)
    if len(set(checked)) != len(checked):
        raise ValueError(f"{title} has the same value twice")
    return Axis(name, title, checked)


def parse_axis(info: ModelInfo, name: str, text: str) -> Axis:
    """One side of a sheet as people type it: values on lines or between commas; prompts on lines.

    Raises:
        ValueError: as `read_axis`, or if the text is too long, or a part is no number where one is
            needed.
    """
    name, title = _named(info, name)
    if len(text) > MAX_TYPED:
        raise ValueError(f"{title} takes at most {MAX_TYPED} characters")
    lines = (line.strip() for line in text.splitlines() if line.strip())
    known = frozenset(axis_choices(info.labels, name))
    parts = lines if name == PROMPT else _typed_parts(lines, known)
    values = list(islice(parts, MAX_SIDE + 1))  # one too many is refused
    if known or name == PROMPT or len(values) > MAX_SIDE:
        return read_axis(info, name, values)
    return read_axis(info, name, [_number(part) for part in values])


def _typed_parts(lines: Iterable[str], known: Collection[str]) -> Iterator[str]:
    for line in lines:
        parts = [line] if line in known else line.split(",")
        yield from (part.strip() for part in parts if part.strip())


def typed_values(values: Sequence[AxisValue], *, is_prompt: bool = False) -> str:
    """Values as people type them: between commas; prompts, and names with commas, on lines."""
    texts = [str(value) for value in values]
    on_lines = is_prompt or any("," in text for text in texts)
    return ("\n" if on_lines else ", ").join(texts)


def axis_choices(space: LabelSpace, name: str) -> Sequence[str]:
    """Names to choose from; none for a setting that is no name."""
    for one in space.attributes:
        if one.name == name:
            return one.values
    return next((menu.names for menu in space.menus if menu.name == name), ())


def cells(info: ModelInfo, base: Cell, rows: Axis, columns: Axis) -> list[Cell]:
    """What decides each picture of a sheet, row by row.

    Raises:
        ValueError: if both sides are one setting, contradict each other, or there are too many
            pictures.
    """
    if rows.name == columns.name:
        raise ValueError(f"rows and columns must differ in what they compare, not {rows.title}")
    count = len(rows.values) * len(columns.values)
    if count > MAX_CELLS:
        raise ValueError(f"a sheet has at most {MAX_CELLS} pictures, not {count}")
    found = []
    for row in rows.values:
        for column in columns.values:
            pairs = {rows.name: row, columns.name: column}
            cell = base
            for name in sorted(pairs, key=lambda name: name != PROMPT):  # which replaces all words
                cell = _changed(info, cell, name, pairs[name])
            names = info.labels.names(cell.wish.label)
            if any(names.get(name, value) != value for name, value in pairs.items()):
                raise ValueError(f"{rows.title} and {columns.title} decide each other")
            found.append(cell)
    return found


def _named(info: ModelInfo, name: object) -> tuple[str, str]:
    """The name and the title of a setting."""
    titles = axis_titles(info)
    name = check_choice("a compared setting", name, list(titles))
    return name, titles[name]


def _numbers(info: ModelInfo) -> dict[str, OptionField]:
    return {one.name: one for one in info.option_fields if one.step}


def _checker(info: ModelInfo, name: str) -> Callable[[object], Any]:
    """What checks a value of a setting."""
    if name == SEED:
        return lambda value: check_int("seed", value, 0, MAX_SEED)
    if name == SCALES:
        return lambda value: check_int("scales", value, 0, info.schedule.num_scales - 1)
    if name == PROMPT:
        return lambda value: ", ".join(info.reader.read(None, str(value)).phrases)
    if name in _numbers(info):
        return _numbers(info)[name].check
    for menu in info.labels.menus:
        if menu.name == name:
            return lambda value: menu.find(value).name
    known = next(one for one in info.labels.attributes if one.name == name)
    return lambda value: known.values[known.index(_text(name, value))]


def _text(name: str, value: object) -> str:
    """Return `value` if it is a text.

    Raises:
        ValueError: otherwise.
    """
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a name, got {value!r:.40}")
    return value


def _changed(info: ModelInfo, cell: Cell, name: str, value: Any) -> Cell:
    """The cell with another value of a setting."""
    if name == SEED:
        return replace(cell, seed=value)
    if name == SCALES:
        return replace(cell, num_kept=value)
    if name in _numbers(info):
        return replace(cell, options=replace(cell.options, **{name: value}))
    wish, space = cell.wish, info.labels
    if name == PROMPT:
        return replace(cell, wish=replace(wish, phrases=info.reader.read(None, value).phrases))
    for menu in space.menus:
        if menu.name == name:  # in the place of what was chosen from the same menu
            others = {choice.phrase for choice in menu.choices}
            kept = [phrase for phrase in wish.phrases if phrase not in others]
            phrases = (*kept, menu.find(value).phrase)
            return replace(cell, wish=info.reader.read(replace(wish, phrases=phrases)))
    column = [one.name for one in space.attributes].index(name)
    return replace(cell, wish=replace(wish, label=_relabelled(space, wish.label, column, value)))


def _relabelled(
    space: LabelSpace, label: tuple[int, ...], column: int, value: str
) -> tuple[int, ...]:
    """A label with another value; what contradicts it is opened."""
    changed, index = [*label], space.attributes[column].index(value)
    changed[column] = index
    for (finer, coarser), table in space.implies.items():
        if finer == column:
            changed[coarser] = table[index]
        elif coarser == column and label[finer] < len(table) and table[label[finer]] != index:
            changed[finer] = space.null[finer]
    return tuple(changed)


def _number(text: str) -> int | float:
    try:
        return int(text) if text.isascii() and text.lstrip("-").isdigit() else float(text)
    except ValueError as error:
        shown = text if len(text) <= 40 else text[:40] + "..."
        raise ValueError(f"write numbers with commas between them, not {shown!r}") from error
