"""Repairs make an assignment even with few moves, and leave an even one alone."""

import numpy as np
from foldline.splits.fold_repair import missing_labels, repair
from foldline.splits.group_features import Assignment, GroupFeatures, count_features


def assignment_of(
    sizes: list[int], positives: list[int], folds: list[int], count: int
) -> tuple[GroupFeatures, Assignment]:
    """Make groups with these numbers of rows and positives, and put them into these folds."""
    groups = np.repeat(np.arange(len(sizes)), sizes)
    labels = np.concatenate([np.arange(size) < number for size, number in zip(sizes, positives, strict=True)])
    features = count_features(groups, labels.astype(np.int64)[:, None], [str(label) for label in labels])
    group_folds = np.array(folds)
    fold_rows = np.stack([features.counts[group_folds == fold].sum(axis=0) for fold in range(count)], axis=1)
    return features, Assignment(group_folds, np.asarray(fold_rows, dtype=np.float64))


def repaired(features: GroupFeatures, assignment: Assignment) -> Assignment:
    return repair(features, assignment, np.arange(len(assignment.group_folds)))


def test_one_exchange_makes_folds_even() -> None:
    features, assignment = assignment_of([5, 3, 3, 5, 2, 2], [1, 1, 1, 1, 1, 1], [0, 1, 1, 0, 0, 1], 2)
    found = repaired(features, assignment)
    assert found.fold_rows[0].tolist() == [10, 10]
    assert found.fold_rows[2].tolist() == [3, 3]
    assert (found.group_folds != assignment.group_folds).sum() == 2
    assert assignment.group_folds.tolist() == [0, 1, 1, 0, 0, 1]
    assert assignment.fold_rows[0].tolist() == [12, 8]
    _, made = assignment_of([5, 3, 3, 5, 2, 2], [1, 1, 1, 1, 1, 1], found.group_folds.tolist(), 2)
    assert (found.fold_rows == made.fold_rows).all()


def test_the_group_that_was_assigned_last_moves() -> None:
    features, assignment = assignment_of([2, 2, 2, 2], [1, 1, 1, 1], [0, 0, 0, 1], 2)
    assert repaired(features, assignment).group_folds.tolist() == [0, 0, 1, 1]


def test_even_folds_stay() -> None:
    features, assignment = assignment_of([3, 2, 3, 2, 1], [1, 1, 1, 1, 0], [0, 1, 1, 0, 1], 2)
    assert (repaired(features, assignment).group_folds == assignment.group_folds).all()


def test_folds_that_a_large_group_makes_uneven_stay() -> None:
    sizes, folds = [5000, *[1] * 5000], [0, *[1 + number % 4 for number in range(5000)]]
    features, assignment = assignment_of(sizes, [2500, *[number // 4 % 2 for number in range(5000)]], folds, 5)
    assert (repaired(features, assignment).group_folds == assignment.group_folds).all()


def test_a_missing_label_and_an_empty_fold_are_filled() -> None:
    features, assignment = assignment_of([4, 4, 4, 4], [4, 4, 2, 2], [0, 0, 1, 1], 2)
    assert missing_labels(features, assignment) == 1
    assert missing_labels(features, repaired(features, assignment)) == 0
    features, assignment = assignment_of([50, 9, 2], [5, 5, 1], [0, 0, 1], 3)
    assert missing_labels(features, assignment) == 3
    assert sorted(repaired(features, assignment).group_folds) == [0, 1, 2]


def test_a_label_in_fewer_groups_than_folds_is_not_missing() -> None:
    features, assignment = assignment_of([4, 4, 4], [1, 1, 0], [0, 1, 2], 3)
    assert missing_labels(features, assignment) == 0
