"""Features of groups are counts of rows, of labels and of strata."""

import numpy as np
from foldline.splits.group_features import count_features


def test_rows_labels_and_strata_are_counted() -> None:
    labels = np.array([[1, 0], [0, 0], [1, 0]])
    features = count_features(np.array([1, 0, 1]), labels, ["a", "b", "b"])
    # Rows; negatives and positives of both classes; strata.
    assert features.counts.toarray().tolist() == [[1, 1, 0, 1, 0, 0, 1], [2, 0, 2, 2, 0, 1, 1]]
    assert features.totals.tolist() == [3, 1, 2, 3, 0, 1, 2]
    assert features.n_label_features == 5
    assert features.groups_per_label.tolist() == [2, 1, 1, 2, 0]
    assert features.has_label(1).tolist() == [True, False]
    assert features.has_label(2).tolist() == [False, True]


def test_large_groups_and_rare_labels_have_influence() -> None:
    labels = np.array([[0]] * 10 + [[1]])
    groups = np.array([0, 1, 1, 2, 2, 2, 3, 4, 5, 6, 7])
    influence = count_features(groups, labels, ["a"] * 11).influence
    assert influence.argmax() == 7
    assert influence[2] > influence[1] > influence[0] == influence[3]
