"""Tables with one row per sample and class, whose ids hold both: `ID_12649067b_epidural`.

Standard library only, because the process that builds the DAG imports it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from foldline.dataset.cell_values import canonical
from foldline.dataset.class_columns import flags_cell
from foldline.dataset.raw_table import RawTable
from foldline.errors import FoldlineError, Problems, listing

ID, CLASS = "{id}", "{class}"
# Most classes of a form that is guessed.
MOST_GUESSED = 100


@dataclass(frozen=True)
class RowPerClass:
    """How the ids of such a table are made.

    Attributes:
        pattern: an id, with `{id}` for the sample and `{class}` for the class.
        classes: names of the classes, (n_classes,).
    """

    pattern: str
    classes: tuple[str, ...]

    def name(self, sample: str, class_name: str) -> str:
        """The id of a row."""
        return "".join({ID: sample, CLASS: class_name}.get(part, part) for part in self._parts)

    def split(self, name: str) -> tuple[str, str] | None:
        """Sample and class of an id; None if it has another form. A class that ends in another one's name wins."""
        found = self._form.fullmatch(name)
        return (found["id"], found["class"]) if found else None

    @property
    def words(self) -> str:
        """What an id should be, for a message."""
        return f"{self.pattern!r} with one of the classes {listing(self.classes, limit=30)}"

    @cached_property
    def _parts(self) -> list[str]:
        return re.split(r"(\{id\}|\{class\})", self.pattern)

    @cached_property
    def _form(self) -> re.Pattern[str]:
        classes = "|".join(re.escape(name) for name in sorted(self.classes, key=len, reverse=True))
        # As short as possible, so that the longest class that fits is found.
        groups = {ID: "(?P<id>.+?)", CLASS: f"(?P<class>{classes})"}
        return re.compile("".join(groups.get(part) or re.escape(part) for part in self._parts), re.DOTALL)


def guessed_form(ids: Sequence[str]) -> RowPerClass | None:
    """The form of ids that look like those of a table with one row per sample and class; None if they do not.

    Every sample then has the same 2 to `MOST_GUESSED` words after the last `_` or `-`, and there are several samples.
    """
    for separator in "_-":
        parts = [name.rpartition(separator) for name in ids]
        words: dict[str, set[str]] = {}
        for sample, _, word in parts:
            words.setdefault(sample, set()).add(word)
        first = next(iter(words.values()), set())
        is_likely = "" not in words and len(words) > 1 and 2 <= len(first) <= MOST_GUESSED
        if is_likely and all(found == first for found in words.values()):
            return RowPerClass(f"{ID}{separator}{CLASS}", tuple(dict.fromkeys(word for _, _, word in parts)))
    return None


@dataclass(frozen=True)
class JoinedColumns:
    """The columns of such a table.

    Attributes:
        id: column of the ids.
        target: column of the labels; None if there are none.
        separator: see `labels.Labels`.
        same: columns that are equal in all rows of a sample.
    """

    id: str
    target: str | None
    separator: str
    same: Sequence[str]


def join_rows(raw: RawTable, form: RowPerClass, columns: JoinedColumns, problems: Problems) -> RawTable:
    """A table with one row per sample, and label cells of a 0 or 1 for each class.

    A row that is there twice with the same label counts once. A table without labels may also have one row per sample:
    if no id has the form, it is returned as it is. It may lack all rows of a class too, as those of a competition that
    scores only some classes do.

    Args:
        raw: the table.
        form: how ids are made.
        columns: its columns.
        problems: gets what is wrong: an id has another form, a row of a class is missing, rows of a sample contradict
            each other, or a label is not 0 or 1. The table then has no labels.

    Raises:
        FoldlineError: no id has the form.
    """
    names = [form.split(name) for name in raw.columns[columns.id]]
    if columns.target is None and not any(names):
        return raw
    wrong = [
        (line, f"id {name!r} (column {columns.id})")
        for line, name, found in zip(raw.lines, raw.columns[columns.id], names, strict=True)
        if found is None
    ]
    with problems.collected():
        if wrong:
            raise raw.error(wrong, f"an id is {form.words}; correct dataset.row_per_class or dataset.labels.classes")
    if not any(names):
        problems.check()
    rows, before = _rows_of_samples(names), bool(problems)
    for check in (_check_repeated, _check_complete, _check_same):
        with problems.collected():
            check(raw, rows, form, columns)
    joined = {name: _first_cells(raw, rows, name) for name in columns.same}
    if columns.target:
        complete = {sample: found for sample, found in rows.items() if len(found) == len(form.classes)}
        with problems.collected():
            cells = _cells(raw, complete, form, columns.target, columns.separator)
            if len(complete) == len(rows) and not before:
                joined[columns.target] = cells
    lines = [raw.lines[_first(of_class)] for of_class in rows.values()]
    return replace(raw, lines=lines, columns={**joined, columns.id: list(rows)})


# Sample -> class -> numbers of its rows, in order.
_Rows = Mapping[str, Mapping[str, Sequence[int]]]


def _rows_of_samples(names: Sequence[tuple[str, str] | None]) -> _Rows:
    rows: dict[str, dict[str, list[int]]] = {}
    for number, found in enumerate(names):
        if found is not None:
            rows.setdefault(found[0], {}).setdefault(found[1], []).append(number)
    return rows


def _first(of_class: Mapping[str, Sequence[int]]) -> int:
    return min(numbers[0] for numbers in of_class.values())


def _first_cells(raw: RawTable, rows: _Rows, column: str) -> list[str]:
    return [raw.columns[column][_first(of_class)] for of_class in rows.values()]


def _check_repeated(raw: RawTable, rows: _Rows, form: RowPerClass, columns: JoinedColumns) -> None:
    """Refuse rows of one id with different labels."""
    if columns.target is None:
        return
    cells = raw.columns[columns.target]
    wrong = [
        (raw.lines[number], f"another label than in {raw.unit} {raw.lines[numbers[0]]}, for one id")
        for of_class in rows.values()
        for numbers in of_class.values()
        for number in numbers[1:]
        if canonical(cells[numbers[0]]) != canonical(cells[number])
    ]
    if wrong:
        raise raw.error(sorted(wrong), "keep one of the rows")


def _check_complete(raw: RawTable, rows: _Rows, form: RowPerClass, columns: JoinedColumns) -> None:
    """Refuse samples without a row of some class; without labels, of one that another sample has."""
    classes = form.classes
    if columns.target is None:
        present = {name for of_class in rows.values() for name in of_class}
        classes = tuple(name for name in classes if name in present)
    wrong = [
        (raw.lines[_first(of_class)], f"id {sample!r} has no row of the class {listing(absent)}")
        for sample, of_class in rows.items()
        if (absent := [name for name in classes if name not in of_class])
    ]
    if wrong:
        raise raw.error(
            wrong, "every sample needs a row of each class; add the rows, or correct dataset.labels.classes"
        )


def _check_same(raw: RawTable, rows: _Rows, form: RowPerClass, columns: JoinedColumns) -> None:
    """Refuse samples with different values of a column."""
    wrong = [
        (raw.lines[_first(of_class)], f"id {sample!r} has several values in column {column}")
        for column in columns.same
        for sample, of_class in rows.items()
        if len({canonical(raw.columns[column][number]) for numbers in of_class.values() for number in numbers}) > 1
    ]
    if wrong:
        raise raw.error(wrong, "all rows of a sample need the same value; correct the table")


def _cells(raw: RawTable, rows: _Rows, form: RowPerClass, target: str, separator: str) -> list[str]:
    """Label cell of each sample, (n_samples,)."""
    labels, cells, wrong = raw.columns[target], [], []
    for sample, of_class in rows.items():
        try:
            texts = [labels[of_class[name][0]] for name in form.classes]
            cells.append(flags_cell([f"{target} of {name}" for name in form.classes], texts, separator))
        except FoldlineError as error:
            wrong.append((raw.lines[_first(of_class)], f"the label of id {sample!r} {error}"))
    if wrong:
        raise raw.error(wrong, "correct the table")
    return cells
