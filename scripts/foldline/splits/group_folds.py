"""Folds that keep groups whole, audited after the split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from foldline.dataset.id_hash import id_hash
from foldline.errors import FoldlineError, listing
from foldline.splits.fold_membership import NO_FOLD

# Orders in which the groups are tried when the first is not even to a row. 16 were enough to be at least as even as
# scikit-learn's StratifiedGroupKFold on each of 561 random sets; the first alone was less even on 4 of them.
ATTEMPTS = 16


@dataclass(frozen=True)
class _Counts:
    """How many rows of each feature a group has; a feature is "any row", a label of a class, or a stratum.

    Attributes:
        start: (n_groups + 1,), where the entries of a group begin.
        feature: feature of each entry.
        rows: rows of each entry.
        total: (n_features,), rows over all groups.
        weight: (n_features,), weight of the squared count of a fold.
        labels: how many features come before the strata.
    """

    start: np.ndarray
    feature: np.ndarray
    rows: np.ndarray
    total: np.ndarray
    weight: np.ndarray
    labels: int


def external_folds(external_groups: Sequence[str], *, groups: Sequence[str], folds: np.ndarray) -> np.ndarray:
    """Fold of each external row: that of the train rows of its group, -1 where the group has none.

    Args:
        external_groups: group of each external row after duplicates were tied together, (n_external,).
        groups: group of each train row, likewise, (n_samples,); no group lies in two folds.
        folds: fold of each train row, (n_samples,).

    Returns:
        int64, (n_external,).
    """
    fold_of = dict(zip(groups, folds, strict=True))
    return np.array([fold_of.get(group, NO_FOLD) for group in external_groups], dtype=np.int64)


def assign_folds(
    *, ids: Sequence[str], groups: Sequence[str], labels: np.ndarray, strata: Sequence[str], count: int, seed: int
) -> np.ndarray:
    """Give every sample a fold, all samples of a group the same one.

    Groups are placed one by one, those that weigh most first, each where it adds least to the sum over folds of
    squared shares of rows, labels and strata. The order of the samples does not matter: they are sorted by id, and
    ties are broken by a hash of seed and id.

    Args:
        ids: unique names, (n_samples,).
        groups: group of each sample, (n_samples,).
        labels: 0 or 1, (n_samples, n_classes).
        strata: stratum of each sample, (n_samples,): what is spread evenly beside rows and labels.
        count: number of folds.
        seed: another seed gives another split of the same quality.

    Returns:
        Fold of each sample in 0..count-1, int64, (n_samples,).

    Raises:
        FoldlineError: as for `check_feasible` and `audit_folds`.
    """
    check_feasible(groups, labels, count)
    order = np.argsort(np.asarray(ids, dtype=object), kind="stable")
    names = np.asarray(groups, dtype=object)[order]
    _, first, group = np.unique(names, return_index=True, return_inverse=True)
    # Group names may come from a merge; the smallest id of a group is the name that the samples alone decide.
    tie = np.array([id_hash(f"{seed}/{ids[order[index]]}") for index in first], dtype=np.uint64)
    counts = _count(group, labels[order], np.asarray(strata, dtype=object)[order])
    influence = np.bincount(
        np.repeat(np.arange(len(first)), np.diff(counts.start)), weights=counts.weight[counts.feature] * counts.rows**2
    )
    random = np.random.default_rng(seed)
    by_tie = np.argsort(tie)
    best: tuple[tuple[float, ...], np.ndarray] | None = None
    for attempt in range(ATTEMPTS):
        # The power lets later attempts stray further from the first order (0 leaves it alone), which small sets need.
        tried = influence.copy()
        tried[by_tie] *= random.uniform(0.5, 1.5, len(tried)) ** attempt
        placed, table = _place(counts, np.lexsort((tie, -tried)), count)
        quality = _quality(counts, table)
        if best is None or quality < best[0]:
            best = (quality, placed)
        rest = table[: counts.labels] - counts.total[: counts.labels, None] / count
        if np.abs(rest).max() < 1:
            break
    folds = np.empty(len(order), dtype=np.int64)
    folds[order] = best[1][group]
    audit_folds(ids=ids, groups=groups, labels=labels, folds=folds, count=count)
    return folds


def assign_folds_by_files(
    *, ids: Sequence[str], groups: Sequence[str], labels: np.ndarray, paths: Sequence[str], count: int, seed: int
) -> np.ndarray:
    """Give every sample the fold of the record file that it came from.

    Files get their folds from scikit-learn's KFold, shuffled, over their sorted names; how they were listed does not
    matter. Nothing is stratified.

    Args:
        ids: unique names, (n_samples,).
        groups: group of each sample after duplicates were tied together, (n_samples,).
        labels: 0 or 1, (n_samples, n_classes).
        paths: place of each sample, FILE#OFFSET+LENGTH, (n_samples,).
        count: number of folds.
        seed: `random_state` of the KFold, in 0..2**32-1.

    Returns:
        Fold of each sample in 0..count-1, int64, (n_samples,).

    Raises:
        FoldlineError: a sample came from no record file, there are fewer files than folds, a group lies in files of
            several folds, or as for `audit_folds`.
    """
    # Here, because all other steps that import this module do without scikit-learn.
    from sklearn.model_selection import KFold

    loose = sorted(name for name, path in zip(ids, paths, strict=True) if "#" not in path)
    if loose:
        raise FoldlineError(
            f"folds.method is files, but id {listing(loose)} came from no record file; the method needs "
            "dataset.train_records, for images and tables take grouped"
        )
    file_of = {name: path.rpartition("#")[0] for name, path in zip(ids, paths, strict=True)}
    files = sorted(set(file_of.values()))
    if len(files) < count:
        raise FoldlineError(
            f"folds.method is files, but {len(files)} record files cannot fill {count} folds; lower folds.count, or "
            "set folds.method to grouped"
        )
    fold_of: dict[str, int] = {}
    for fold, (_, held_out) in enumerate(KFold(count, shuffle=True, random_state=seed).split(files)):
        fold_of |= {files[index]: fold for index in held_out}
    folds = np.array([fold_of[file_of[name]] for name in ids], dtype=np.int64)
    _check_whole(ids, groups, folds, file_of)
    audit_folds(ids=ids, groups=groups, labels=labels, folds=folds, count=count)
    return folds


def _check_whole(ids: Sequence[str], groups: Sequence[str], folds: np.ndarray, file_of: Mapping[str, str]) -> None:
    """Refuse groups that lie in files of several folds, with one sample of each group and fold."""
    first: dict[str, dict[int, str]] = {}
    for name, group, fold in sorted(zip(ids, groups, folds.tolist(), strict=True)):
        first.setdefault(group, {}).setdefault(fold, name)
    torn = [
        f"group {group} ({', '.join(f'id {name} of {file_of[name]} in fold {fold}' for fold, name in places.items())})"
        for group, places in sorted(first.items())
        if len(places) > 1
    ]
    if torn:
        raise FoldlineError(
            f"folds.method is files, but {len(torn)} groups, or chains of duplicates, lie in more than one fold: "
            f"{listing(torn, limit=5)}; set folds.method to grouped"
        )


def groups_with(groups: Sequence[str], labels: np.ndarray) -> np.ndarray:
    """How many groups have a negative, and how many a positive, of each class; int64, (n_classes, 2).

    A class that has one of them in fewer groups than there are folds is a rare one: some fold has no AUC of it.

    Args:
        groups: (n_samples,).
        labels: 0 or 1, (n_samples, n_classes).
    """
    names = np.asarray(groups, dtype=object)
    return np.array([[len(set(names[column == label])) for label in (0, 1)] for column in labels.T])


def check_feasible(groups: Sequence[str], labels: np.ndarray, count: int) -> None:
    """Refuse data that cannot fill `count` folds.

    Of several classes some may be rare; where there is one class only, every fold needs both labels.

    Raises:
        FoldlineError: fewer groups, or fewer groups with a positive or a negative of the one class, than folds.
    """
    held = len(set(groups))
    if held < count:
        raise FoldlineError(f"{held} groups cannot fill {count} folds; lower folds.count to at most {held}")
    if labels.shape[1] > 1:
        return
    for label, word in ((1, "positive"), (0, "negative")):
        held = int(groups_with(groups, labels)[0, label])
        if held < count:
            way = f"lower folds.count to at most {held}" if held > 1 else "no cross-validation is possible"
            raise FoldlineError(
                f"{(labels == label).sum()} {word} rows in {held} groups, but each of {count} folds needs one; {way}"
            )


def audit_folds(
    *, ids: Sequence[str], groups: Sequence[str], labels: np.ndarray, folds: np.ndarray, count: int
) -> None:
    """Check a finished split, whoever made it.

    Args:
        ids: (n_samples,).
        groups: (n_samples,).
        labels: 0 or 1, (n_samples, n_classes).
        folds: (n_samples,).
        count: number of folds.

    Raises:
        FoldlineError: an id occurs twice, a fold is out of range or empty, a group lies in two folds, or no class has
            both labels in a fold.
    """
    seen: set[str] = set()
    repeated = sorted({name for name in ids if name in seen or seen.add(name)})
    if repeated:
        raise FoldlineError(f"folds: id {listing(repeated)} more than once")
    outside = sorted({str(fold) for fold in folds if not 0 <= fold < count})
    if outside:
        raise FoldlineError(f"folds: fold {listing(outside)} is not in 0 to {count - 1}")
    fold_of: dict[str, int] = {}
    torn = sorted({group for group, fold in zip(groups, folds, strict=True) if fold_of.setdefault(group, fold) != fold})
    if torn:
        raise FoldlineError(f"folds: group {listing(torn)} lies in more than one fold")
    empty = [str(fold) for fold in range(count) if not (folds == fold).any()]
    if empty:
        raise FoldlineError(f"folds: fold {listing(empty)} is empty; lower folds.count")
    for fold in range(count):
        positives = labels[folds == fold].sum(axis=0)
        rows = int((folds == fold).sum())
        if ((positives == 0) | (positives == rows)).all():
            word = "positive" if (positives == 0).all() else "negative"
            what = f"and no {word} one" if labels.shape[1] == 1 else "in which no class has both labels"
            raise FoldlineError(
                f"folds: fold {fold} has {rows} rows {what}; lower folds.count or try another folds.seed"
            )


def _count(group: np.ndarray, labels: np.ndarray, strata: np.ndarray) -> _Counts:
    """Counts of all groups; the features are: all rows, negatives and positives of each class, strata."""
    n_samples, n_classes = labels.shape
    _, stratum = np.unique(strata, return_inverse=True)
    before = 1 + 2 * n_classes
    columns = [np.zeros(n_samples, dtype=np.int64)]
    columns += [1 + 2 * index + labels[:, index].astype(np.int64) for index in range(n_classes)]
    columns.append(before + stratum)
    n_features = before + int(stratum.max()) + 1
    code, rows = np.unique(np.concatenate([group * n_features + column for column in columns]), return_counts=True)
    feature = code % n_features
    total = np.bincount(feature, weights=rows, minlength=n_features)
    # Rows, labels and strata count alike as wholes; within each, a deviation counts relative to the feature's total.
    share = np.repeat([1.0, 1 / (before - 1), 1 / (n_features - before)], [1, before - 1, n_features - before])
    start = np.searchsorted(code, np.arange(int(group.max()) + 2) * n_features)
    # No row may have a label; it weighs nothing then.
    return _Counts(start, feature, rows.astype(np.float64), total, share / np.maximum(total, 1) ** 2, before)


def _place(counts: _Counts, order: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Place groups in the given order; returns fold per group and rows per feature and fold."""
    table = np.zeros((len(counts.total), count))
    placed = np.empty(len(order), dtype=np.int64)
    for group in order:
        span = slice(counts.start[group], counts.start[group + 1])
        feature, rows = counts.feature[span], counts.rows[span]
        # Adding c rows to the n of a fold raises w n^2 by w (2 c n + c^2), and c^2 is the same in every fold. Summed
        # row after row, not as a matrix product, whose last bit differs between machines. An empty fold costs 0, a
        # filled one more, so that the first groups fill every fold.
        cost = (table[feature] * (counts.weight[feature] * rows)[:, None]).sum(axis=0)
        fold = int(cost.argmin())
        placed[group] = fold
        table[feature, fold] += rows
    return placed, table


def _quality(counts: _Counts, table: np.ndarray) -> tuple[float, ...]:
    """How uneven a split is, most important first: absent labels, largest deviation, weighted sum of squares."""
    expected = np.where(counts.total > 0, 1 / table.shape[1], 0)
    share = table / np.maximum(counts.total, 1)[:, None] - expected[:, None]
    absent = float((table[: counts.labels] == 0).sum())
    weight = counts.weight * counts.total**2
    return absent, float(np.abs(share[: counts.labels]).max()), float((weight[:, None] * share**2).sum())
