"""What the labels of a sample are, and how a table writes them.

Inside of Foldline a sample's labels are a code: a text with a 0 or a 1 for each class, in the order of the classes. "1"
is a positive of a binary task, "0101" a sample of the second and the fourth of four classes.

Standard library only: the process that builds the DAG reads labels here too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from foldline.errors import FoldlineError, listing

BINARY, MULTILABEL, MULTICLASS = "binary", "multilabel", "multiclass"
KINDS = (BINARY, MULTILABEL, MULTICLASS)
# How logits become probabilities: each class by itself, or over classes of which a sample has one.
SIGMOID, SOFTMAX = "sigmoid", "softmax"
CODES = {"0": "0", "1": "1", "0.0": "0", "1.0": "1"}


@dataclass(frozen=True)
class Labels:
    """The labels of a data set, by the section `dataset.labels` of the configuration.

    Attributes:
        kind: "binary", cells of 0 and 1; "multilabel", any number of classes; "multiclass", one class.
        classes: names in order, (n_classes,); none for "binary".
        separator: what stands between the classes of a cell.
        empty: whether a cell may be empty, which is a sample without any class.
        exclusive: class that a sample has alone or not at all; None where there is none.
    """

    kind: str = BINARY
    classes: tuple[str, ...] = ()
    separator: str = "|"
    empty: bool = False
    exclusive: str | None = None

    @classmethod
    def from_config(cls, section: Mapping[str, Any]) -> "Labels":
        """Labels of a completed `dataset.labels` section."""
        return cls(**{**section, "classes": tuple(section["classes"])})

    @property
    def activation(self) -> str:
        """How logits become probabilities, `SIGMOID` or `SOFTMAX`."""
        return SOFTMAX if self.kind == MULTICLASS else SIGMOID

    def class_names(self, target_column: str) -> list[str]:
        """Names of the classes; the one class of a binary task has the name of its column."""
        return list(self.classes) or [target_column]

    def code(self, text: str) -> str:
        """Code of a cell.

        Args:
            text: names of classes, or their numbers, counted from 0. Numbers are not read where a name is a number.

        Raises:
            FoldlineError: what is wrong with the cell and what is allowed, without saying where it stands.
        """
        if self.kind == BINARY:
            if text.strip() not in CODES:
                raise FoldlineError("is not 0 or 1")
            return CODES[text.strip()]
        if not text.strip():
            if self.empty:
                return "0" * len(self.classes)
            raise FoldlineError(
                "is empty; " + ("each sample has one class" if self.kind == MULTICLASS else "see dataset.labels.empty")
            )
        parts = [text] if self.kind == MULTICLASS else text.split(self.separator)
        places = [self._place(part.strip()) for part in parts]
        repeated = sorted({self.classes[place] for place in places if places.count(place) > 1})
        if repeated:
            raise FoldlineError(f"names {listing(repeated)} more than once")
        if len(places) > 1 and self.exclusive in [self.classes[place] for place in places]:
            raise FoldlineError(f"has {self.exclusive!r} beside another class; dataset.labels.exclusive stands alone")
        return "".join("1" if place in places else "0" for place in range(len(self.classes)))

    def text(self, code: str) -> str:
        """A cell that `code` reads back: 0 or 1, or names of classes."""
        return code if self.kind == BINARY else self.separator.join(names_of(code, self.classes))

    def cell_from_values(self, values: Sequence[int]) -> str:
        """A cell that `code` reads, of the integers of a ready-made record.

        Args:
            values: class numbers, or, where there are as many as classes and all are 0 or 1, one for each class.
        """
        if len(values) == len(self.classes) > 1 and set(values) <= {0, 1}:
            return self.text("".join(map(str, values)))
        return self.separator.join(map(str, values))

    def _place(self, part: str) -> int:
        if part not in self._places:
            allowed = f"the classes are {listing(list(self.classes), limit=30)}"
            if self._numbered:
                allowed += f", or 0 to {len(self.classes) - 1}"
            raise FoldlineError(f"names no class in {part!r}; {allowed}")
        return self._places[part]

    @property
    def _numbered(self) -> bool:
        return not any(name.isdecimal() for name in self.classes)

    @cached_property
    def _places(self) -> dict[str, int]:
        """Place of each class by its name, and by its number; tables that went through pandas may write 3.0."""
        names = {name: place for place, name in enumerate(self.classes)}
        if not self._numbered:
            return names
        numbers = {form: place for place in names.values() for form in (str(place), f"{place}.0")}
        return numbers | names


BINARY_LABELS = Labels()


def is_code(text: str, n_classes: int) -> bool:
    """Whether a text is a code of so many classes."""
    return len(text) == n_classes and set(text) <= {"0", "1"}


def names_of(code: str, class_names: Sequence[str]) -> list[str]:
    """Names of the classes that a code has, in order."""
    return [name for name, bit in zip(class_names, code, strict=True) if bit == "1"]


def check_labels(labels: Labels) -> None:
    """Refuse a section `dataset.labels` whose values do not go together.

    Raises:
        FoldlineError: as in the one line per check below.
    """
    where = "config: dataset.labels"
    if labels.kind == BINARY:
        if labels.classes or labels.empty or labels.exclusive:
            raise FoldlineError(
                f"{where}.kind is binary, which has no classes, no empty cells and no exclusive class; the target "
                "column holds 0 or 1"
            )
        return
    if len(labels.classes) < 2:
        raise FoldlineError(f"{where}.kind is {labels.kind}; name at least two classes in dataset.labels.classes")
    for name in labels.classes:
        if name != name.strip() or not name.isprintable() or (labels.kind == MULTILABEL and labels.separator in name):
            raise FoldlineError(
                f"{where}.classes has {name!r}; a name is printable, without {labels.separator!r} (the separator) in "
                "it and without spaces around it"
            )
    if labels.kind == MULTICLASS and (labels.empty or labels.exclusive):
        raise FoldlineError(
            f"{where}.kind is multiclass: each sample has one class, so empty and exclusive say nothing"
        )
    if labels.exclusive is not None and labels.exclusive not in labels.classes:
        names = listing(list(labels.classes), limit=30)
        raise FoldlineError(f"{where}.exclusive is {labels.exclusive!r}, not one of the classes {names}")
