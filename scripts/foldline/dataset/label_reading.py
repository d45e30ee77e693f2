"""What the label cells of a data set hold: class names, class numbers from 0 or 1, or a 0 or 1 for each class.

One reading must fit all cells of the training and external rows. If several do and differ, the user decides.

Standard library only, because the process that builds the DAG imports it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from foldline.dataset import cell_values
from foldline.dataset.labels import AUTO, BINARY, FLAGS, NAMES, NUMBERS, SOFT, Labels, names_of
from foldline.errors import FoldlineError, did_you_mean, listing

FIRST_NUMBERS = (0, 1)
# Wrong labels for which a message names the class that they resemble.
MOST_HINTS = 3


def readings(labels: Labels) -> list[Labels]:
    """The labels with each reading that the configuration leaves open, in the order in which they are tried."""
    if not labels.lists_classes:
        return [labels]
    firsts = FIRST_NUMBERS if labels.first_number == AUTO else (labels.first_number,)
    # The number of the first class has no meaning in the other two readings.
    ways = [(NAMES, 0), *((NUMBERS, first) for first in firsts), (FLAGS, 0)]
    return [replace(labels, cells=cells, first_number=first) for cells, first in ways if labels.cells in (AUTO, cells)]


def resolve(labels: Labels, cells: Mapping[str, str]) -> Labels:
    """The labels with the one reading that fits all cells.

    Args:
        labels: labels of the configuration.
        cells: every label cell that occurs, with the place where it occurs first: "train.csv, line 2". Missing labels
            are left out.

    Returns:
        Labels with neither `cells` nor `first_number` `AUTO`. If no reading fits all cells, the one that fits most of
        them; `Labels.code` raises an error for the others.

    Raises:
        FoldlineError: several readings fit all cells, and some cell would have another class in each.
    """
    candidates = readings(labels)
    if len(candidates) == 1:
        return candidates[0]
    codes = [_codes(candidate, cells) for candidate in candidates]
    fitting = [number for number, found in enumerate(codes) if len(found) == len(cells)]
    if not fitting:
        return candidates[max(range(len(codes)), key=lambda number: len(codes[number]))]
    first = fitting[0]
    for text, where in cells.items():
        if any(codes[number][text] != codes[first][text] for number in fitting):
            meanings = [(candidates[number], codes[number][text]) for number in fitting]
            raise _ambiguous(text, where, meanings)
    return candidates[first]


def resolve_together(labels: Labels, tables: Sequence[Mapping[str, str]], sets: Sequence[str] = ()) -> Labels:
    """The labels with the one reading that fits the cells of several tables; one alone may leave it open.

    Args:
        labels: labels of the configuration.
        tables: the cells of each table, see `resolve`.
        sets: of each table, name of its external set; "" for the training table.

    Returns:
        See `resolve`.

    Raises:
        FoldlineError: each table by itself fits a reading, but no reading fits all; or as `resolve`.
    """
    candidates = readings(labels)
    fitting = [[one for one in candidates if len(_codes(one, cells)) == len(cells)] for cells in tables]
    if all(fitting) and not any(all(one in found for found in fitting) for one in candidates):
        raise _contradictory(tables, fitting, sets or [""] * len(tables))
    cells: dict[str, str] = {}
    for found in tables:
        for text, where in found.items():
            cells.setdefault(text, where)
    return resolve(labels, cells)


def remedy(labels: Labels, wrong: Sequence[str], *, source: str = "the table") -> str:
    """What to do about label cells that are not allowed, as the end of an error message.

    Args:
        labels: the labels with their reading.
        wrong: the cells.
        source: what holds them.
    """
    values = [cell_values.number(text) for text in wrong]
    measured = [value for value in values if value is not None and not value.is_integer()]
    if labels.kind != SOFT and len(measured) == len(wrong):
        if all(0 < value < 1 for value in measured):
            return (
                "regression is not supported; if these are probabilities, set dataset.labels.kind to soft, else set "
                "dataset.target_column to a column of classes"
            )
        return (
            "these are measurements, and regression is not supported; set dataset.target_column to a column of "
            "classes, such as ranges of the values"
        )
    if labels.kind == BINARY and None not in values:
        return (
            "if the numbers stand for classes, set dataset.labels.kind to multiclass; regression is not supported; "
            f"else correct {source}"
        )
    if labels.kind == BINARY:
        return f"set dataset.labels.kind to multiclass if the words are classes, else correct {source}"
    hints = [f"{text!r}{hint}" for text in wrong[:MOST_HINTS] if (hint := did_you_mean(text.strip(), labels.classes))]
    hint = f"{listing(hints)}; " if hints else ""
    return f"{hint}the cells are read as {labels.reading}; correct {source}, or dataset.labels in the config"


def _contradictory(
    tables: Sequence[Mapping[str, str]], fitting: Sequence[Sequence[Labels]], sets: Sequence[str]
) -> FoldlineError:
    """Of each table, a cell that does not fit how another table is read."""
    told = []
    for number, cells in enumerate(tables):
        others = [found[0] for other, found in enumerate(fitting) if other != number]
        text = next((text for text in cells if any(not _codes(other, {text: ""}) for other in others)), None)
        if text is not None:
            told.append(f"{cells[text]}: label {text!r}, where the cells are {_in_words(fitting[number])}")
    own = [
        f"or set dataset.external.{name}.labels to the class of each of its words{_own_words(found[0], cells)}"
        for name, found, cells in zip(sets, fitting, tables, strict=True)
        if name
    ]
    remedies = [
        "write the labels of all tables in one way, as class names or as numbers from the same first number",
        *own,
    ]
    return FoldlineError(f"{'; '.join(told)}: no reading of dataset.labels fits all tables; {', '.join(remedies)}")


def _own_words(labels: Labels, cells: Mapping[str, str]) -> str:
    """The class of each word of a table as its reading has it, as an example in YAML; "" if cells have several."""
    names = {text: names_of(code, labels.classes) for text, code in sorted(_codes(labels, cells).items())}
    pairs = [f"{text}: {found[0]}" for text, found in names.items() if len(found) == 1]
    return f", such as {{{listing(pairs, limit=5)}}}" if len(pairs) == len(names) <= 5 else ""


def _in_words(found: Sequence[Labels]) -> str:
    return " or ".join(labels.reading for labels in found)


def _codes(labels: Labels, cells: Mapping[str, str]) -> dict[str, str]:
    """Label code of each cell that fits."""
    codes = {}
    for text in cells:
        try:
            codes[text] = labels.code(text)
        except FoldlineError:
            continue
    return codes


def _ambiguous(text: str, where: str, meanings: Sequence[tuple[Labels, str]]) -> FoldlineError:
    told = [
        f"{listing(names_of(code, labels.classes)) or 'no class'} if the cells are {labels.reading}"
        for labels, code in meanings
    ]
    kinds = list(dict.fromkeys(labels.cells for labels, _ in meanings))
    remedies = [f"dataset.labels.cells to {' or '.join(kinds)}"] if len(kinds) > 1 else []
    if [labels.cells for labels, _ in meanings].count(NUMBERS) > 1:
        remedies.append("dataset.labels.first_number to 0 or 1")
    return FoldlineError(f"{where}: label {text!r} is {', but '.join(told)}; set {' and '.join(remedies)}")
