"""What any assignment of folds must satisfy, checked before and after it is made."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from foldline.errors import FoldlineError, counted, listing

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Samples:
    """The train rows, which get folds.

    Attributes:
        ids: unique ids, (n_samples,).
        groups: group of each sample, groups that share a duplicate already merged, (n_samples,).
        labels: 0 or 1, (n_samples, n_classes).
    """

    ids: Sequence[str]
    groups: Sequence[str]
    labels: IntArray


def groups_per_label(groups: Sequence[str], labels: IntArray) -> IntArray:
    """Count the groups that have a negative, and those that have a positive, of each class.

    A class is rare if one of its labels is in fewer groups than there are folds: some fold has no AUC of it.

    Args:
        groups: group of each sample, (n_samples,).
        labels: 0 or 1, (n_samples, n_classes).

    Returns:
        (n_classes, 2): negatives, positives.
    """
    numbers, names = pd.factorize(np.asarray(groups, dtype=object))
    rows = np.bincount(numbers, minlength=len(names))
    positives = [np.bincount(numbers, weights=column, minlength=len(names)) for column in labels.T]
    return np.array([[(rows > of_class).sum(), (of_class > 0).sum()] for of_class in positives], dtype=np.int64)


def oversized_groups(groups: Sequence[str], count: int) -> list[tuple[str, int]]:
    """Groups with more rows than a fold of equal size, and their numbers of rows, the largest first.

    Folds cannot be of equal size then: groups are never split.

    Args:
        groups: group of each sample, (n_samples,).
        count: number of folds.
    """
    return [(group, rows) for group, rows in Counter(groups).most_common() if rows * count > len(groups)]


def check_feasible(samples: Samples, count: int) -> None:
    """Refuse samples that cannot fill the folds.

    If there is only one class, every fold needs both of its labels; of several classes some may be rare.

    Args:
        samples: the samples.
        count: number of folds.

    Raises:
        FoldlineError: there are fewer groups, or fewer groups with a positive or a negative of the only class, than
            folds.
    """
    n_groups = len(set(samples.groups))
    if n_groups < count:
        raise FoldlineError(
            f"folds.count is {count}, but the rows are of {counted(n_groups, 'group')}; {_remedy(n_groups)}"
        )
    if samples.labels.shape[1] > 1:
        return
    for label, word in ((1, "positive"), (0, "negative")):
        n_groups = int(groups_per_label(samples.groups, samples.labels)[0, label])
        if n_groups < count:
            found = f"{counted((samples.labels == label).sum(), f'{word} row')} in {counted(n_groups, 'group')}"
            raise FoldlineError(
                f"folds.count is {count}, and each fold needs a {word} row, but the data have {found}; "
                f"{_remedy(n_groups)}"
            )


def _remedy(n_groups: int) -> str:
    """What to do about too few groups: the tables have enough, so duplicates, drops or the holdout took the others."""
    first = f"lower folds.count to at most {n_groups}" if n_groups > 1 else "add such rows"
    return (
        f"{first}, or look at results/leaks/pairs.html: duplicates and confirmed pairs merge groups, unless "
        "leaks.policy is report for their kind; folds.holdout and policies with drop leave rows out"
    )


def audit_folds(samples: Samples, folds: IntArray, *, count: int) -> None:
    """Check a finished assignment, whatever its source.

    Args:
        samples: the samples.
        folds: fold of each sample, (n_samples,).
        count: number of folds.

    Raises:
        FoldlineError: an id occurs twice, a fold is out of range or empty, a group is in two folds, or a fold has both
            labels of no class.
    """
    if len(set(samples.ids)) < len(samples.ids):
        repeated = sorted(name for name, number in Counter(samples.ids).items() if number > 1)
        raise FoldlineError(f"folds: id {listing(repeated)} more than once; give every row its own id")
    outside = sorted(map(str, set(folds[(folds < 0) | (folds >= count)].tolist())))
    if outside:
        raise FoldlineError(f"folds: fold {listing(outside)} is not in 0 to {count - 1}; set folds.count to match")
    groups, names = pd.factorize(np.asarray(samples.groups, dtype=object))
    # A group has the fold of its last row.
    of_group = np.zeros(len(names), dtype=np.int64)
    of_group[groups] = folds
    split_groups = sorted(set(names[groups[of_group[groups] != folds]]))
    if split_groups:
        raise FoldlineError(f"folds: group {listing(split_groups)} is in more than one fold; give each group one fold")
    empty = [str(fold) for fold in range(count) if not (folds == fold).any()]
    if empty:
        raise FoldlineError(f"folds: fold {listing(empty)} is empty; lower folds.count")
    for fold in range(count):
        _check_labels(samples.labels[folds == fold], fold)


def _check_labels(labels: IntArray, fold: int) -> None:
    """Refuse a fold in which no class has both labels, (n_fold_samples, n_classes)."""
    rows, positives = len(labels), labels.sum(axis=0)
    if not ((positives == 0) | (positives == rows)).all():
        return
    if labels.shape[1] == 1:
        problem = f"no {'positive' if positives[0] == 0 else 'negative'} row"
    else:
        problem = "no class with both labels"
    size = counted(rows, "row")
    raise FoldlineError(f"folds: fold {fold} has {size}, but {problem}; lower folds.count or change folds.seed")
