"""The labels of a sample, and how the cells of a table write them.

In Foldline, the labels of a sample are a label code: a text with 0 or 1 for each class, in the order of the classes.
"1" is a positive of a binary task, "0101" a sample with the second and the fourth of four classes.

Standard library only, because the process that builds the DAG imports it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from foldline.errors import FoldlineError, listing

BINARY, MULTILABEL, MULTICLASS = "binary", "multilabel", "multiclass"
KINDS = (BINARY, MULTILABEL, MULTICLASS)
# Activation: probabilities of each class by itself, or of classes of which a sample has exactly one.
SIGMOID, SOFTMAX = "sigmoid", "softmax"
BINARY_CODES = {"0": "0", "1": "1", "0.0": "0", "1.0": "1"}


@dataclass(frozen=True)
class Labels:
    """The labels of a data set, as the section `dataset.labels` of the configuration defines them.

    Attributes:
        kind: "binary" (cells of 0 and 1), "multilabel" (any number of classes) or "multiclass" (exactly one class).
        classes: names in order, (n_classes,); empty for "binary".
        separator: text between the classes of a cell.
        empty: whether a cell may be empty, for a sample without any class.
        exclusive: class that never occurs together with another one; None if there is none.
    """

    kind: str = BINARY
    classes: tuple[str, ...] = ()
    separator: str = "|"
    empty: bool = False
    exclusive: str | None = None

    @classmethod
    def from_config(cls, section: Mapping[str, Any]) -> "Labels":
        """Labels from a completed `dataset.labels` section."""
        return cls(**{**section, "classes": tuple(section["classes"])})

    @property
    def activation(self) -> str:
        """Activation that turns logits into probabilities, `SIGMOID` or `SOFTMAX`."""
        return SOFTMAX if self.kind == MULTICLASS else SIGMOID

    def class_names(self, target_column: str) -> list[str]:
        """Names of the classes; the class of a binary task has the name of its column."""
        return list(self.classes) or [target_column]

    def code(self, text: str) -> str:
        """Label code of a cell.

        Args:
            text: class names, or their numbers from 0. Numbers are not allowed if a class name is itself a number.

        Raises:
            FoldlineError: what is wrong with the cell and what is allowed; the caller adds table, line and id.
        """
        if self.kind == BINARY:
            if text.strip() not in BINARY_CODES:
                raise FoldlineError("is not 0 or 1")
            return BINARY_CODES[text.strip()]
        if not text.strip():
            if self.empty:
                return "0" * len(self.classes)
            raise FoldlineError(
                "is empty; each sample has one class"
                if self.kind == MULTICLASS
                else "is empty; set dataset.labels.empty to true to allow samples without a class"
            )
        names = [text] if self.kind == MULTICLASS else text.split(self.separator)
        indices = [self._class_index(name.strip()) for name in names]
        repeated = sorted({self.classes[index] for index in indices if indices.count(index) > 1})
        if repeated:
            raise FoldlineError(f"contains {listing(repeated)} more than once")
        if len(indices) > 1 and self.exclusive in [self.classes[index] for index in indices]:
            raise FoldlineError(
                f"contains {self.exclusive!r} together with another class; it is the exclusive class of dataset.labels"
            )
        return "".join("1" if index in indices else "0" for index in range(len(self.classes)))

    def text(self, code: str) -> str:
        """A cell whose code is `code`: 0 or 1, or class names."""
        return code if self.kind == BINARY else self.separator.join(names_of(code, self.classes))

    def cell_from_values(self, values: Sequence[int]) -> str:
        """A cell from the integers of a ready-made record.

        Args:
            values: class numbers; or 0 or 1 for each class, if there are as many values as classes and all are 0 or 1.
        """
        if len(values) == len(self.classes) > 1 and set(values) <= {0, 1}:
            return self.text("".join(map(str, values)))
        return self.separator.join(map(str, values))

    def _class_index(self, name: str) -> int:
        if name not in self._index_by_name:
            allowed = f"the classes are {listing(self.classes, limit=30)}"
            if self._numbers_allowed:
                allowed += f", or 0 to {len(self.classes) - 1}"
            raise FoldlineError(f"contains {name!r}, which is not a class; {allowed}")
        return self._index_by_name[name]

    @property
    def _numbers_allowed(self) -> bool:
        return not any(name.isdecimal() for name in self.classes)

    @cached_property
    def _index_by_name(self) -> dict[str, int]:
        """Index of each class by its name and by its number; tables written by pandas may hold 3.0 for 3."""
        names = {name: index for index, name in enumerate(self.classes)}
        if not self._numbers_allowed:
            return names
        numbers = {text: index for index in names.values() for text in (str(index), f"{index}.0")}
        return numbers | names


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
        if labels.classes or labels.empty or labels.exclusive:
            raise FoldlineError(
                f"{where}.kind is binary, which has no classes, no empty cells and no exclusive class; remove these "
                "keys, or set kind to multilabel or multiclass"
            )
        return
    if len(labels.classes) < 2:
        raise FoldlineError(f"{where}.kind is {labels.kind}; name at least two classes in dataset.labels.classes")
    for name in labels.classes:
        if name != name.strip() or not name.isprintable() or (labels.kind == MULTILABEL and labels.separator in name):
            raise FoldlineError(
                f"{where}.classes has {name!r}; a class name is printable, without spaces around it and without the "
                f"separator {labels.separator!r}"
            )
    if labels.kind == MULTICLASS and (labels.empty or labels.exclusive):
        raise FoldlineError(f"{where}.kind is multiclass: each sample has one class; remove empty and exclusive")
    if labels.exclusive is not None and labels.exclusive not in labels.classes:
        names = listing(labels.classes, limit=30)
        raise FoldlineError(f"{where}.exclusive is {labels.exclusive!r}, not one of the classes {names}")
