"""The labels that can be asked for on the page."""

from var_core.labels import Attribute, LabelSpace

ANY = ""  # the value that leaves an attribute open

SearchedChoice = tuple[str, str, str, tuple[str, ...]]  # value, symbol, name and search words


def searched_choices(labels: LabelSpace, attribute: Attribute) -> list[SearchedChoice]:
    """What a search for a label of an attribute goes through."""
    count, name = len(attribute.values), attribute.name
    symbols = labels.characters.get(name) or ("",) * count
    tags = labels.tags.get(name) or ((),) * count
    return [*zip(attribute.values, symbols, attribute.values, tags, strict=True)]
