"""Folds that the data give, such as those in a column of the user: their numbers, and an audit of what they split.

Standard library only, because the process that builds the DAG imports it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from foldline.dataset.cell_values import sorted_words, whole_number
from foldline.errors import counted, listing

# Problems of one kind that a message spells out.
MOST_TOLD = 5
# Larger numbers, such as ids, are names.
MOST_NUMBER = 1_000_000


def number_folds(names: Iterable[str]) -> dict[str, int]:
    """Number folds by their names: whole numbers are kept, other names are numbered from 0 in their order.

    Args:
        names: names of the folds, each once or more often.

    Returns:
        Number of each name, ascending.
    """
    words = sorted_words(set(names))
    numbers = [number for word in words if (number := whole_number(word)) is not None]
    kept = len(numbers) == len(words) and max(numbers, default=0) < MOST_NUMBER
    return dict(zip(words, numbers if kept else range(len(words)), strict=True))


def split_groups(ids: Sequence[str], groups: Sequence[str], names: Sequence[str], *, word: str = "fold ") -> list[str]:
    """Describe the groups whose rows are in different folds, with one id of each fold.

    Args:
        ids: (n_samples,).
        groups: group of each sample, (n_samples,).
        names: name of the fold of each sample, (n_samples,); "" for none.
        word: what comes before the name.
    """
    first_ids: dict[str, dict[str, str]] = {}
    for name, group, fold in sorted(zip(ids, groups, names, strict=True)):
        if fold:
            first_ids.setdefault(group, {}).setdefault(fold, name)
    return [
        f"group {group} ({', '.join(f'id {name} in {word}{fold}' for fold, name in of_group.items())})"
        for group, of_group in sorted(first_ids.items())
        if len(of_group) > 1
    ]


def one_label_problems(labels: Sequence[str], names: Sequence[str]) -> list[str]:
    """Describe the folds without which all rows have the same label, so that their models learn nothing.

    Args:
        labels: "0" or "1", (n_samples,).
        names: name of the fold of each sample, (n_samples,).
    """
    labels_of: dict[str, set[str]] = {}
    for label, name in zip(labels, names, strict=True):
        labels_of.setdefault(name, set()).add(label)
    left = {name: set().union(*(labels for other, labels in labels_of.items() if other != name)) for name in labels_of}
    return [
        f"without fold {name}, all rows have the label {next(iter(left[name]))}"
        for name in sorted_words(left)
        if len(left[name]) == 1
    ]


def copies_across(pairs: Iterable[tuple[str, str]], fold_of: Mapping[str, str]) -> list[str]:
    """Describe the duplicates that are in different folds.

    Args:
        pairs: duplicates as (id, other id).
        fold_of: name of the fold of each sample that has one, by its id.
    """
    return [
        f"{first} (fold {fold_of[first]}) and {second} (fold {fold_of[second]})"
        for first, second in pairs
        if first in fold_of and second in fold_of and fold_of[first] != fold_of[second]
    ]


def copies_warning(copies: Sequence[str], source: str) -> str:
    """What a log says of duplicates in different folds."""
    return (
        f"{counted(len(copies), 'duplicate')} in another fold than the image that it shows, so scores may be better "
        f"than on new images: {listing(copies, limit=MOST_TOLD)}; results/leaks/train.csv lists all; correct {source}, "
        "or set folds.method to grouped, which keeps duplicates together"
    )


@dataclass(frozen=True)
class KeptApart:
    """Rows whose groups are not merged where that would join folds.

    Attributes:
        groups: the merged group of each row, or its own if the merged one is in several folds, (n_rows,).
        folds: fold of each row: that of its group; None without one, (n_rows,).
        related: the other folds in which its merged group has rows, for rows that had no fold, (n_rows,).
    """

    groups: list[str]
    folds: list[int | None]
    related: list[list[int]]


def keep_apart(own_groups: Sequence[str], merged: Sequence[str], folds: Sequence[int | None]) -> KeptApart:
    """Give the rows without a fold that of their group, and take merged groups apart that are in several folds.

    Args:
        own_groups: group of each row as the tables have it, (n_rows,); its rows have one fold, or none.
        merged: group of each row after groups with duplicates are merged, (n_rows,).
        folds: fold of each row; None for rows without one, such as external ones, (n_rows,).
    """
    of_own = {group: fold for group, fold in zip(own_groups, folds, strict=True) if fold is not None}
    of_merged: dict[str, set[int]] = {group: set() for group in merged}
    for group, own in zip(merged, own_groups, strict=True):
        of_merged[group] |= {of_own[own]} if own in of_own else set()
    groups, given, related = list(merged), list(folds), [list[int]() for _ in merged]
    for row, (group, own) in enumerate(zip(merged, own_groups, strict=True)):
        found = of_merged[group]
        given[row] = next(iter(found)) if len(found) == 1 else of_own.get(own)
        if len(found) > 1:
            groups[row] = own
        if folds[row] is None:
            related[row] = sorted(fold for fold in found if fold != given[row])
    return KeptApart(groups, given, related)
