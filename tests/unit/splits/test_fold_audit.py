"""Folds that cannot be filled, or that break a rule, are refused with the reason."""

from typing import Any

import numpy as np
import pytest
from foldline.errors import FoldlineError
from foldline.splits.fold_audit import Samples, audit_folds, check_feasible, groups_per_label, oversized_groups


def samples_of(groups: str, labels: list[int]) -> Samples:
    return Samples([f"i{number}" for number in range(len(groups))], list(groups), np.array(labels)[:, None])


def test_samples_that_fill_the_folds_are_accepted() -> None:
    samples = samples_of("abcdef", [1, 0, 1, 0, 1, 0])
    assert check_feasible(samples, 3) is None
    with pytest.raises(FoldlineError, match="3 positive rows in 3 groups"):
        check_feasible(samples, 4)


@pytest.mark.parametrize(
    ("groups", "labels", "words"),
    [
        (
            "aabb",
            [1, 0, 1, 0],
            "count is 3, but the rows are of 2 groups; lower folds.count to at most 2, or look at results/leaks/",
        ),
        (
            "aabcd",
            [1, 1, 0, 1, 0],
            "but the data have 3 positive rows in 2 groups; lower folds.count to at most 2, or look at results/leaks/",
        ),
        (
            "abcd",
            [1, 1, 1, 0],
            "but the data have 1 negative row in 1 group; add such rows, or look at results/leaks/pairs.html",
        ),
        (
            "abcd",
            [0, 0, 0, 0],
            "but the data have 0 positive rows in 0 groups; add such rows, or look at results/leaks/pairs.html",
        ),
    ],
)
def test_samples_that_cannot_fill_the_folds_are_refused(groups: str, labels: list[int], words: str) -> None:
    with pytest.raises(FoldlineError, match=words):
        check_feasible(samples_of(groups, labels), 3)


def test_rare_classes_among_others_are_accepted() -> None:
    samples = Samples(list("abcd"), list("abcd"), np.array([[1, 0], [0, 0], [1, 0], [0, 1]]))
    assert check_feasible(samples, 4) is None


def test_groups_are_counted_per_class_and_label() -> None:
    labels = np.array([[1, 0], [1, 0], [0, 0], [0, 0], [1, 0]])
    assert groups_per_label(list("aabbb"), labels).tolist() == [[1, 2], [2, 0]]


GOOD = {
    "ids": list("abcdef"),
    "groups": list("ppqqrr"),
    "labels": np.array([[1], [0], [1], [0], [0], [1]]),
    "folds": np.array([0, 0, 1, 1, 2, 2]),
}


def audit(*, folds: np.ndarray, **samples: Any) -> None:
    audit_folds(Samples(**samples), folds, count=3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ids": list("aacdef")}, "id a more than once"),
        ({"groups": list("ppqrqs")}, "group q is in more than one fold"),
        ({"folds": np.array([0, 0, 1, 1, 3, 2])}, "fold 3 is not in 0 to 2"),
        ({"folds": np.array([0, 0, 1, 1, -1, 2])}, "fold -1 is not in 0 to 2"),
        ({"folds": np.array([0, 0, 1, 1, 1, 1])}, "fold 2 is empty"),
        ({"labels": np.array([[1], [0], [1], [0], [0], [0]])}, "fold 2 has 2 rows, but no positive row"),
        ({"labels": np.array([[1], [1], [1], [0], [0], [1]])}, "fold 0 has 2 rows, but no negative row"),
    ],
)
def test_the_audit_refuses_bad_folds(change: dict[str, Any], words: str) -> None:
    audit(**GOOD)
    with pytest.raises(FoldlineError, match=words):
        audit(**{**GOOD, **change})


def test_a_fold_in_which_no_class_has_both_labels_is_refused() -> None:
    folds = np.array([0, 0, 1, 1, 2, 2])
    labels = np.array([[1, 0], [1, 0], [0, 1], [1, 0], [0, 0], [1, 0]])
    with pytest.raises(FoldlineError, match="fold 0 has 2 rows, but no class with both labels"):
        audit(**{**GOOD, "labels": labels, "folds": folds})
    labels[0, 1] = 1
    audit(**{**GOOD, "labels": labels, "folds": folds})


def test_groups_with_more_rows_than_a_fold_are_found() -> None:
    assert oversized_groups("aaabbcdef", 3) == []
    assert oversized_groups("aaaabbcde", 3) == [("a", 4)]
    assert oversized_groups("abbbccccc", 4) == [("c", 5), ("b", 3)]
