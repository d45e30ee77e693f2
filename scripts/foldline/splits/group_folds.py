"""Folds that keep groups together, spread rows, labels and strata evenly, and stay when few rows change."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_array

from foldline.dataset.id_hash import id_hash
from foldline.splits.fold_audit import IntArray, Samples, audit_folds, check_feasible
from foldline.splits.fold_membership import NO_FOLD
from foldline.splits.fold_repair import missing_labels, repair
from foldline.splits.group_features import Assignment, FloatArray, GroupFeatures, count_features

# How strongly folds with fewer rows are preferred. 1 is a random deal of the rows into slots; the larger, the more even
# folds are on the way, and the more groups move after a change.
EVENNESS = 2.0
# Orders of the groups that are tried while a fold lacks a label that it could have; needed by a few groups only.
MAX_ATTEMPTS = 16
# Groups whose costs are in memory at a time.
GROUPS_PER_BLOCK = 1 << 16


def assign_folds(
    samples: Samples, strata: Sequence[str], *, count: int, seed: int, columns: Sequence[Sequence[str]] = ()
) -> IntArray:
    """Assign a fold to every sample, the same one to all samples of a group.

    Groups are taken one by one, the most influential first (large ones, and those with rare labels). Each group has a
    fixed random number per fold, the hash of seed, fold and its smallest id, and takes the fold with the smallest

        EVENNESS n_folds (sum of v_f rows_f) / (sum of v_f left_f) + log(-log(hash in (0, 1)))

    where f are the features of the group (any row, labels, values, stratum), rows_f the rows of the feature that the
    fold has already, left_f the rows that have no fold yet, and v_f the rows of the group by left_f squared. This is
    weighted rendezvous hashing (Schindelhauer and Schomaker 2005, Weighted distributed hash tables; the logarithm of
    the weight is linear here). At first the hash decides. Balance takes over where few rows of a feature are left, so
    a change of one row changes few decisions, about as many as the logarithm of the number of rows. What is uneven
    then is repaired by moves of single groups.

    The order of the samples does not matter, nor do the names of the groups.

    Args:
        samples: the samples.
        strata: stratum of each sample, (n_samples,): strata are spread evenly beside rows and labels.
        count: number of folds.
        seed: seed of the assignment; every seed gives an assignment of the same quality.
        columns: metadata whose values are spread evenly too, (n_columns, n_samples).

    Returns:
        Fold of each sample in 0..count-1, (n_samples,).

    Raises:
        FoldlineError: as for `check_feasible` and `audit_folds`.
    """
    check_feasible(samples, count)
    folds = place_groups(samples, strata, np.full(len(samples.ids), NO_FOLD), count=count, seed=seed, columns=columns)
    audit_folds(samples, folds, count=count)
    return folds


def place_groups(
    samples: Samples,
    strata: Sequence[str],
    known: IntArray,
    *,
    count: int,
    seed: int,
    columns: Sequence[Sequence[str]] = (),
) -> IntArray:
    """Assign folds to the groups that have none yet, as `assign_folds` does, beside those that have one.

    Args:
        samples: the samples.
        strata: see `assign_folds`.
        known: fold of each sample in 0..count-1, or `NO_FOLD`, (n_samples,); all samples of a group have the same.
        count: number of folds.
        seed: see `assign_folds`.
        columns: see `assign_folds`.

    Returns:
        Fold of each sample in 0..count-1, (n_samples,).
    """
    order = np.argsort(np.asarray(samples.ids, dtype=object), kind="stable")
    group_numbers, names = pd.factorize(np.asarray(samples.groups, dtype=object)[order])
    first_rows = np.full(len(names), len(order))
    np.minimum.at(first_rows, group_numbers, np.arange(len(order)))
    # Names of merged groups depend on other groups; the smallest id of a group depends on its own rows only.
    hashes = np.array([id_hash(f"{seed}/{samples.ids[order[row]]}") for row in first_rows], dtype=np.uint64)
    in_order = [np.asarray(column, dtype=object)[order].tolist() for column in (strata, *columns)]
    features = count_features(group_numbers, samples.labels[order], in_order[0], in_order[1:])
    folds = np.empty(len(order), dtype=np.int64)
    of_groups = known[order][first_rows]
    folds[order] = _first_complete_assignment(features, hashes, of_groups, count=count, seed=seed).group_folds[
        group_numbers
    ]
    return folds


def external_folds(external_groups: Sequence[str], *, groups: Sequence[str], folds: IntArray) -> IntArray:
    """Look up the fold of each external row: that of the train rows of its group, or `NO_FOLD` without such rows.

    Args:
        external_groups: group of each external row, groups that share a duplicate already merged, (n_external,).
        groups: group of each train row, (n_samples,); all rows of a group have the same fold.
        folds: fold of each train row, (n_samples,).

    Returns:
        (n_external,).
    """
    fold_of = dict(zip(groups, folds.tolist(), strict=True))
    return np.array([fold_of.get(group, NO_FOLD) for group in external_groups], dtype=np.int64)


def _first_complete_assignment(
    features: GroupFeatures, hashes: npt.NDArray[np.uint64], known: IntArray, *, count: int, seed: int
) -> Assignment:
    """Try orders of the groups until no fold lacks a label that it could have, or return the most complete one.

    Args:
        features: rows of the groups.
        hashes: (n_groups,).
        known: fold of each group, or `NO_FOLD`, (n_groups,).
        count: number of folds.
        seed: seed of the orders.
    """
    influence, by_hash = features.influence, np.argsort(hashes)
    generator = np.random.default_rng(seed)
    preferences = _preferences(hashes, count)
    assignments = []
    for attempt in range(MAX_ATTEMPTS):
        # The first order is by influence; later ones deviate more and more from it, which small sets need.
        modified = influence.copy()
        modified[by_hash] *= generator.uniform(0.5, 1.5, len(modified)) ** attempt
        order = np.lexsort((hashes, -modified))
        order = order[known[order] == NO_FOLD]
        assignments.append(repair(features, _assign_in_order(features, order, known, preferences), order))
        if missing_labels(features, assignments[-1]) == 0:
            break
    return min(assignments, key=lambda assignment: missing_labels(features, assignment))


def _preferences(hashes: npt.NDArray[np.uint64], count: int) -> FloatArray:
    """Make a random number of each group and fold, (n_groups, n_folds): log(-log(u)), u uniform in (0, 1).

    The hash is SplitMix64 (Steele, Lea and Flood 2014, Fast splittable pseudorandom number generators), so the number
    of a fold does not depend on how many folds there are.
    """
    # uint64 wraps around.
    mixed = hashes[:, None] + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    uniform = ((mixed >> np.uint64(12)).astype(np.float64) + 0.5) / 2**52
    # Rounded, because the last bit of a logarithm differs between machines.
    preferences: FloatArray = np.log(-np.log(uniform)).round(9)
    return preferences


def _assign_in_order(
    features: GroupFeatures, order: npt.NDArray[np.intp], known: IntArray, preferences: FloatArray
) -> Assignment:
    """Assign the groups in the given order, each by balance and preferences (n_groups, n_folds); others are known."""
    count = preferences.shape[1]
    group_folds = known.copy()
    fold_rows = np.stack([features.counts[np.flatnonzero(known == fold)].sum(axis=0) for fold in range(count)], axis=1)
    of_fold = list(fold_rows.T)
    left = features.totals - fold_rows.sum(axis=1)
    for start in range(0, len(order), GROUPS_PER_BLOCK):
        block = order[start : start + GROUPS_PER_BLOCK]
        counts = features.counts[block]
        starts, feature, rows = counts.indptr.tolist(), counts.indices.astype(np.intp), counts.data
        weights, factors = _balance(counts, features.shares, left, count)
        left -= counts.sum(axis=0)
        for number, (group, factor, preference) in enumerate(
            zip(block.tolist(), factors, preferences[block], strict=True)
        ):
            entries = slice(starts[number], starts[number + 1])
            of_group = feature[entries]
            # Summed entry by entry, not as a matrix product, whose last bit differs between machines.
            cost = np.add.reduce(weights[entries] * fold_rows.take(of_group, axis=0), axis=0)
            cost *= factor
            cost += preference
            fold = int(cost.argmin())
            group_folds[group] = fold
            of_fold[fold][of_group] += rows[entries]
    return Assignment(group_folds, fold_rows)


def _balance(counts: csr_array, shares: FloatArray, left: FloatArray, n_folds: int) -> tuple[FloatArray, list[float]]:
    """What the rows of folds cost groups that are assigned one after the other, whatever their folds become.

    Args:
        counts: rows of each group and feature, (n_groups, n_features).
        shares: see `GroupFeatures.shares`.
        left: rows of each feature without a fold before the first group, (n_features,).
        n_folds: number of folds.

    Returns:
        v_f of each entry of the counts, (n_entries, 1), and EVENNESS n_folds / (sum of v_f left_f) of each group.
    """
    feature, rows, starts = counts.indices, counts.data, counts.indptr
    by_feature = np.argsort(feature, kind="stable")
    of_earlier_features = np.cumsum(np.bincount(feature, weights=rows)) - np.bincount(feature, weights=rows)
    before = np.empty(len(rows))
    before[by_feature] = np.cumsum(rows[by_feature]) - rows[by_feature]
    before -= of_earlier_features[feature]
    # The group counts half: the last one has 0.
    still_left = left[feature] - before - rows / 2
    urgency = shares[feature] * rows / still_left
    sums, lengths = np.empty(len(starts) - 1), np.diff(starts)
    for length in np.unique(lengths):
        groups = np.flatnonzero(lengths == length)
        sums[groups] = urgency[starts[groups, None] + np.arange(length)].sum(axis=1)
    return (urgency / still_left)[:, None], (EVENNESS * n_folds / sums).tolist()
