"""Checks of classes that the data give: values that are lists of classes with another separator are no classes."""

import re
from collections import Counter
from collections.abc import Mapping

from foldline.dataset.cell_values import canonical
from foldline.dataset.labels import MULTILABEL, Labels
from foldline.dataset.list_cells import listed_words
from foldline.errors import FoldlineError, listing

# Texts between the classes of a cell that people write, in the order in which they are tried.
SEPARATORS = ("|", ",", ";", "/", "+", "&", " ")
# Punctuation around a class that is left where another separator was meant.
_STRAY = "|,;/&[]{}'\""
_BETWEEN = re.compile(r"[\s|,;&]+")


def check_lists(labels: Labels, first: Mapping[str, str], where: str, *, has_lists: bool) -> None:
    """Refuse classes that are lists of classes.

    Args:
        labels: the labels of the configuration, without classes.
        first: every class, with the place where it occurs first.
        where: what has the values, as a part of a message.
        has_lists: whether a cell has several classes.

    Raises:
        FoldlineError: two classes are the same words in another order; no cell of a multilabel task has the separator,
            and classes share words; a class is a list in brackets; or a class of a multilabel task starts or ends with
            punctuation, or is a list of others.
    """
    if labels.kind == MULTILABEL:
        if not has_lists:
            _check_shared(labels.separator, first, where)
        _check_punctuation(labels.separator, first, where)
    bracketed = next((word for word in first if len(listed_words(word) or []) > 1), None)
    if bracketed is not None:
        raise FoldlineError(
            f"{first[bracketed]}: label {bracketed!r} in {where} is a list of classes; set dataset.labels.kind to "
            "multilabel, or name the classes in dataset.labels.classes"
        )
    of_set: dict[tuple[str, ...], str] = {}
    for word, place in first.items():
        parts = sorted(_BETWEEN.split(word))
        # "3 + 4" and "4 + 3" are two grades; words have no order.
        if len(parts) > 1 and all(part.isalpha() for part in parts):
            other = of_set.setdefault(tuple(parts), word)
            if other != word:
                raise FoldlineError(
                    f"{place}: label {word!r} in {where} has the words of {other!r} ({first[other]}) in another "
                    "order; if the cells are lists of classes, set dataset.labels.kind to multilabel and "
                    "dataset.labels.separator to the text between two classes; if they are two classes, name the "
                    "classes in dataset.labels.classes"
                )


def check_one_hot(text: str, separator: str, where: str) -> None:
    """Refuse a cell of a multiclass task that is a list of 0 and 1, which does not tell the names of the classes."""
    flags = [canonical(flag) for flag in text.split(separator)]
    if len(flags) > 1 and set(flags) <= {"0", "1"}:
        names = listing([f"class_{number}" for number in range(len(flags))], limit=3)
        raise FoldlineError(
            f"{where} is a list of {len(flags)} values of 0 or 1, one for each class (one-hot); name the classes in "
            f"dataset.labels.classes in this order, such as [{names}]"
        )


def _check_shared(separator: str, first: Mapping[str, str], where: str) -> None:
    for other in SEPARATORS:
        lists = {word: [part.strip() for part in word.split(other)] for word in first if other in word}
        parts = Counter(part for word in first for part in dict.fromkeys(lists.get(word, [word])) if part)
        shared = next((word for word, found in lists.items() if any(parts[part] > 1 for part in found)), None)
        if shared is not None:
            raise FoldlineError(
                f"{first[shared]}: label {shared!r} in {where}: no cell has the separator {separator!r} of "
                f"dataset.labels.separator, and labels share words; set separator to {other!r} if the cells are lists "
                f"of classes ({listing(sorted(parts), limit=5)}); else set dataset.labels.kind to multiclass, or name "
                "the classes in dataset.labels.classes"
            )


def _check_punctuation(separator: str, first: Mapping[str, str], where: str) -> None:
    for word, place in first.items():
        stray = word.strip(_STRAY) != word
        parts = next(
            (
                parts
                for other in SEPARATORS
                if other in word
                and (parts := [part.strip() for part in word.split(other)])
                and first.keys() >= {*parts}
            ),
            None,
        )
        if stray or parts:
            what = "starts or ends with punctuation" if stray else f"is a list of the classes {listing(parts or [])}"
            raise FoldlineError(
                f"{place}: a label in {where} has the class {word!r}, which {what}, but classes are separated by "
                f"{separator!r}; write all cells in one way and set dataset.labels.separator to the text between two "
                "classes, or name the classes in dataset.labels.classes"
            )
