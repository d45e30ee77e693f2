"""The labels of a sample, and how the cells of a table write them; `label_reading` finds out what cells hold.

In Foldline, the labels of a sample are a label code: a text with 0 or 1 for each class, in the order of the classes.
"1" is a positive of a binary task, "0101" a sample with the second and the fourth of four classes. Soft labels have
codes of their own, see `soft_labels`.

Standard library only, because the process that builds the DAG imports it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from foldline.dataset.cell_values import canonical, whole_number
from foldline.dataset.soft_labels import BETWEEN, soft_code
from foldline.errors import FoldlineError, did_you_mean, listing

BINARY, MULTILABEL, MULTICLASS, SOFT = "binary", "multilabel", "multiclass", "soft"
KINDS = (BINARY, MULTILABEL, MULTICLASS, SOFT)
# Activation: probabilities of each class by itself, or of classes of which a sample has exactly one.
SIGMOID, SOFTMAX = "sigmoid", "softmax"
# What the cells of several classes hold: names, numbers, a 0 or 1 for each class, or what follows from all of them.
NAMES, NUMBERS, FLAGS, AUTO = "names", "numbers", "flags", "auto"
BLANK = "blank"


@dataclass(frozen=True)
class Labels:
    """The labels of a data set, as the section `dataset.labels` of the configuration defines them.

    Attributes:
        kind: "binary" (cells of 0 and 1), "multilabel" (any number of classes), "multiclass" (exactly one class) or
            "soft" (a share of each class; without classes the probability of a positive).
        classes: names in order, (n_classes,); empty for "binary".
        separator: text between the classes of a cell.
        empty: whether a cell may be empty, for a sample without any class.
        exclusive: class that never occurs together with another one; None if there is none.
        cells: `NAMES`, `NUMBERS`, `FLAGS`, or `AUTO` before `label_reading.resolve`.
        first_number: number of the first class, 0 or 1, in cells of numbers; or `AUTO` before `label_reading.resolve`.
        values: other cells of a column for each class, or `BLANK` for empty ones, and the 0 or 1 that they mean.
    """

    kind: str = BINARY
    classes: tuple[str, ...] = ()
    separator: str = "|"
    empty: bool = False
    exclusive: str | None = None
    cells: str = AUTO
    first_number: int | str = AUTO
    values: tuple[tuple[str, str], ...] = ()

    @classmethod
    def from_config(cls, section: Mapping[str, Any]) -> "Labels":
        """Labels from a completed `dataset.labels` section."""
        settings = {field.name: section[field.name] for field in fields(cls)}
        pairs = section["values"].items() if isinstance(section["values"], Mapping) else section["values"]
        values = tuple((str(cell), str(flag)) for cell, flag in pairs)
        return cls(**{**settings, "classes": tuple(section["classes"]), "values": values})

    @property
    def activation(self) -> str:
        """Activation that turns logits into probabilities, `SIGMOID` or `SOFTMAX`."""
        return SOFTMAX if self.kind == MULTICLASS or (self.kind == SOFT and self.classes) else SIGMOID

    @property
    def is_soft(self) -> bool:
        """Whether a sample has a share of each class."""
        return self.kind == SOFT

    @property
    def lists_classes(self) -> bool:
        """Whether cells hold classes, by their names, their numbers or a 0 or 1 for each."""
        return self.kind in (MULTILABEL, MULTICLASS)

    def class_names(self, target_column: str) -> list[str]:
        """Names of the classes; the class of a binary task has the name of its column."""
        return list(self.classes) or [target_column]

    @property
    def reading(self) -> str:
        """What cells hold, in words."""
        if self.kind == SOFT:
            return "a share for each class" if self.classes else "probabilities"
        if self.cells == NUMBERS:
            return f"class numbers from {self.first_number}"
        return {NAMES: "class names", FLAGS: "one 0 or 1 for each class"}.get(self.cells, self.cells)

    def code(self, text: str) -> str:
        """Label code of a cell.

        Args:
            text: what `cells` says; only one reading may be left of it, see `label_reading.resolve`.

        Raises:
            FoldlineError: what is wrong with the cell and what is allowed; the caller adds table, line and id.
        """
        if self.kind == BINARY:
            if canonical(text) not in ("0", "1"):
                raise FoldlineError("is not 0 or 1")
            return canonical(text)
        if self.kind == SOFT:
            return self._soft_code(text)
        if not text.strip():
            if self.empty:
                return "0" * len(self.classes)
            raise FoldlineError(
                "is empty; each sample has one class"
                if self.kind == MULTICLASS
                else "is empty; set dataset.labels.empty to true to allow samples without a class"
            )
        indices = self._flagged(text) if self.cells == FLAGS else self._listed(text)
        if len(indices) > 1 and self.exclusive in [self.classes[index] for index in indices]:
            raise FoldlineError(
                f"contains {self.exclusive!r} together with another class; it is the exclusive class of dataset.labels"
            )
        return "".join("1" if index in indices else "0" for index in range(len(self.classes)))

    def text(self, code: str) -> str:
        """A cell whose code is `code`, in the reading of `cells`."""
        if self.kind == BINARY:
            return code
        if self.kind == SOFT:
            return self.separator.join(code.split(BETWEEN))
        if self.cells == FLAGS:
            return self.separator.join(code)
        if self.cells == NUMBERS:
            numbers = (index + int(self.first_number) for index, bit in enumerate(code) if bit == "1")
            return self.separator.join(map(str, numbers))
        return self.separator.join(names_of(code, self.classes))

    def cell_from_values(self, values: Sequence[int]) -> str:
        """A cell from the integers of a ready-made record: class numbers, or 0 or 1 for each class."""
        return self.separator.join(map(str, values))

    def _soft_code(self, text: str) -> str:
        """Code of a cell with a probability, or with a number for each class."""
        if not text.strip():
            raise FoldlineError("is empty; each sample needs a share of each class")
        names = self.classes or ("the class",)
        texts = text.split(self.separator) if self.classes else [text]
        if len(texts) != len(names):
            raise FoldlineError(f"is not a list of {len(names)} numbers, one for each class")
        return soft_code(texts, names)

    def _listed(self, text: str) -> list[int]:
        """Indices of the classes whose names or numbers a cell lists."""
        tokens = [text] if self.kind == MULTICLASS else text.split(self.separator)
        indices = [self._class_index(token.strip()) for token in tokens]
        repeated = sorted({self.classes[index] for index in indices if indices.count(index) > 1})
        if repeated:
            raise FoldlineError(f"contains {listing(repeated)} more than once")
        return indices

    def _flagged(self, text: str) -> list[int]:
        """Indices of the classes with a 1 in a cell that has a 0 or 1 for each class."""
        flags = [canonical(token) for token in text.split(self.separator)]
        if len(flags) != len(self.classes) or not set(flags) <= {"0", "1"}:
            raise FoldlineError(f"is not a list of {len(self.classes)} values of 0 or 1, one for each class")
        indices = [index for index, flag in enumerate(flags) if flag == "1"]
        if self.kind == MULTICLASS and len(indices) != 1:
            raise FoldlineError(f"has {len(indices)} classes; each sample has one class")
        if not indices and not self.empty:
            raise FoldlineError("has no class; set dataset.labels.empty to true to allow samples without a class")
        return indices

    def _class_index(self, token: str) -> int:
        if self.cells == NUMBERS:
            first, value = int(self.first_number), whole_number(token)
            if value is None or not first <= value < first + len(self.classes):
                last = first + len(self.classes) - 1
                raise FoldlineError(f"contains {token!r}, which is not a class number from {first} to {last}")
            return value - first
        index = self._index_by_name.get(canonical(token))
        if index is None:
            names = listing(self.classes, limit=30)
            raise FoldlineError(f"contains {token!r}, which is not a class; the classes are {names}")
        return index

    @cached_property
    def _index_by_name(self) -> dict[str, int]:
        """Index of each class by the canonical spelling of its name: 3 and 3.0 are one class."""
        return {canonical(name): index for index, name in enumerate(self.classes)}


BINARY_LABELS = Labels()


def is_code(text: str, n_classes: int) -> bool:
    """Whether a text is a label code of that many classes."""
    return len(text) == n_classes and set(text) <= {"0", "1"}


def names_of(code: str, class_names: Sequence[str]) -> list[str]:
    """Names of the classes that are set in a code, in order."""
    return [name for name, bit in zip(class_names, code, strict=True) if bit == "1"]


def check_labels(labels: Labels) -> None:
    """Refuse a section `dataset.labels` whose values contradict each other.

    Raises:
        FoldlineError: the first contradiction.
    """
    where = "config: dataset.labels"
    if labels.kind == BINARY:
        if labels.classes or labels.empty or labels.exclusive or (labels.cells, labels.first_number) != (AUTO, AUTO):
            raise FoldlineError(
                f"{where}.kind is binary, which has no classes, no empty cells, no exclusive class and only cells of 0 "
                "and 1; remove these keys, or set kind to multilabel or multiclass"
            )
        return
    if labels.kind == SOFT:
        _check_soft(labels, where)
    elif not labels.classes and (labels.exclusive is not None or labels.cells not in (AUTO, NAMES)):
        what = f"exclusive is {labels.exclusive!r}" if labels.exclusive is not None else f"cells is {labels.cells}"
        raise FoldlineError(f"{where}.{what}, but no classes are named; name them in dataset.labels.classes")
    if len(labels.classes) == 1:
        raise FoldlineError(f"{where}.kind is {labels.kind}; name at least two classes in dataset.labels.classes")
    # Cells of numbers and flags are never split within a name.
    divides_names = labels.kind == MULTILABEL and labels.cells in (AUTO, NAMES)
    for name in labels.classes:
        if name != name.strip() or not name.isprintable() or (divides_names and labels.separator in name):
            raise FoldlineError(
                f"{where}.classes has {name!r}; a class name is printable, without spaces around it and, unless "
                f"dataset.labels.cells is numbers, without the separator {labels.separator!r}"
            )
    values = [canonical(name) for name in labels.classes]
    repeated = [name for name, value in zip(labels.classes, values, strict=True) if values.count(value) > 1]
    if repeated:
        raise FoldlineError(f"{where}.classes has {listing(repeated)}, which are one value; keep one of them")
    if labels.kind == MULTICLASS and (labels.empty or labels.exclusive):
        raise FoldlineError(f"{where}.kind is multiclass: each sample has one class; remove empty and exclusive")
    if labels.exclusive is not None and labels.exclusive not in labels.classes:
        names = listing(labels.classes, limit=30)
        hint = did_you_mean(labels.exclusive, labels.classes)
        raise FoldlineError(f"{where}.exclusive is {labels.exclusive!r}, not one of the classes {names}{hint}")


def _check_soft(labels: Labels, where: str) -> None:
    """Refuse keys that mean nothing where each class has a share."""
    # `target_columns` set the cells themselves.
    if labels.empty or labels.exclusive or labels.cells not in (AUTO, FLAGS) or labels.first_number not in (AUTO, 0):
        raise FoldlineError(
            f"{where}.kind is soft, so every sample has a share of each class; remove empty, exclusive, cells and "
            "first_number"
        )
    if set(labels.separator) & set("0123456789.eE+-"):
        raise FoldlineError(
            f"{where}.separator is {labels.separator!r}, which is part of numbers; set it to the text between the "
            "shares of a cell, such as '|'"
        )
