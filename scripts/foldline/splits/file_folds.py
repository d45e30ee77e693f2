"""Folds by record file: every sample gets the fold of the TFRecord file that it is stored in."""

from collections.abc import Mapping, Sequence

import numpy as np

from foldline.errors import FoldlineError, counted, listing
from foldline.splits.fold_audit import IntArray, Samples, audit_folds


def assign_folds_by_files(samples: Samples, paths: Sequence[str], *, count: int, seed: int) -> IntArray:
    """Assign folds to record files with scikit-learn's `KFold`, shuffled, over their sorted names.

    The order in which the files are listed does not matter. Nothing is stratified.

    Args:
        samples: the samples.
        paths: where each sample is stored, FILE#OFFSET+LENGTH, (n_samples,).
        count: number of folds.
        seed: `random_state` of the `KFold`, in 0..2**32-1.

    Returns:
        Fold of each sample in 0..count-1, (n_samples,).

    Raises:
        FoldlineError: a sample is in no record file, there are fewer files than folds, the files of a group are in
            different folds, or as for `audit_folds`.
    """
    # scikit-learn takes a second to import, and only this function uses it.
    from sklearn.model_selection import KFold

    outside = sorted(name for name, path in zip(samples.ids, paths, strict=True) if "#" not in path)
    if outside:
        raise FoldlineError(
            f"folds.method is files, but id {listing(outside)} is in no record file; set dataset.train_records, or set "
            "folds.method to grouped for images and tables"
        )
    file_of = {name: path.rpartition("#")[0] for name, path in zip(samples.ids, paths, strict=True)}
    files = sorted(set(file_of.values()))
    if len(files) < count:
        raise FoldlineError(
            f"folds.method is files and folds.count is {count}, but the data have {counted(len(files), 'record file')}"
            "; lower folds.count, or set folds.method to grouped"
        )
    fold_of: dict[str, int] = {}
    for fold, (_, held_out) in enumerate(KFold(count, shuffle=True, random_state=seed).split(files)):
        fold_of |= {files[index]: fold for index in held_out}
    folds = np.array([fold_of[file_of[name]] for name in samples.ids], dtype=np.int64)
    _check_groups(samples, folds, file_of)
    audit_folds(samples, folds, count=count)
    return folds


def _check_groups(samples: Samples, folds: IntArray, file_of: Mapping[str, str]) -> None:
    """Refuse groups whose files are in different folds; the message names one sample per group and fold."""
    first_ids: dict[str, dict[int, str]] = {}
    for name, group, fold in sorted(zip(samples.ids, samples.groups, folds.tolist(), strict=True)):
        first_ids.setdefault(group, {}).setdefault(fold, name)
    split_groups = [
        f"group {group} ({', '.join(f'id {name} of {file_of[name]} in fold {fold}' for fold, name in ids.items())})"
        for group, ids in sorted(first_ids.items())
        if len(ids) > 1
    ]
    if split_groups:
        raise FoldlineError(
            f"folds.method is files, but more than one fold has rows of {counted(len(split_groups), 'group')} (or "
            f"chain of duplicates): {listing(split_groups, limit=5)}; set folds.method to grouped"
        )
