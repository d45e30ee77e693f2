"""Folds that the data give keep their names, split no group, and are not joined by duplicates."""

import numpy as np
import pytest
from foldline.splits.given_folds import (
    copies_across,
    copies_warning,
    keep_apart,
    number_folds,
    one_label_problems,
    split_groups,
)


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        (["2", "0", "10", "0"], {"0": 0, "2": 2, "10": 10}),
        (["b", "a", "b"], {"a": 0, "b": 1}),
        (["1", "x"], {"1": 0, "x": 1}),
        (["01", "1"], {"01": 0, "1": 1}),
        (["20260101", "7"], {"7": 0, "20260101": 1}),
        ([], {}),
    ],
)
def test_whole_numbers_are_kept_and_other_names_are_numbered(names: list[str], numbers: dict[str, int]) -> None:
    found = number_folds(names)
    assert found == numbers
    assert list(found.values()) == sorted(found.values())


def test_a_group_in_two_folds_is_named_with_an_id_of_each() -> None:
    ids, groups = ["a", "b", "c", "d", "e"], ["p", "q", "p", "q", "p"]
    assert split_groups(ids, groups, ["0", "1", "0", "1", ""]) == []
    assert split_groups(ids, groups, ["0", "1", "2", "1", "2"]) == ["group p (id a in fold 0, id c in fold 2)"]


def test_folds_without_which_one_label_is_left() -> None:
    assert one_label_problems("0101", "aabb") == []
    # A fold may have one label, as long as the others have both.
    assert one_label_problems("010100", "aabbcc") == []
    assert one_label_problems("0001", "aabb") == ["without fold b, all rows have the label 0"]
    assert one_label_problems("0011", "aabb") == [
        "without fold a, all rows have the label 1",
        "without fold b, all rows have the label 0",
    ]


def test_copies_in_different_folds() -> None:
    fold_of = {"a": "0", "b": "0", "c": "x"}
    pairs = [("a", "b"), ("a", "c"), ("c", "external"), ("b", "c")]
    copies = copies_across(pairs, fold_of)
    assert copies == ["a (fold 0) and c (fold x)", "b (fold 0) and c (fold x)"]
    assert copies_warning(copies, "the column fold").startswith("2 duplicates in another fold than the image that it")


def test_groups_are_merged_only_within_a_fold() -> None:
    own = ["p", "p", "q", "r", "s", "t", "e", "f", "p"]
    merged = ["p", "p", "p", "r", "r", "t", "p", "r", "p"]
    kept = keep_apart(own, merged, [0, 0, 1, 1, 1, 0, None, None, None])
    # p and q are copies in two folds; r and s are in one; e is a copy of p and q, f of r, the last row is of p.
    assert kept.groups == ["p", "p", "q", "r", "r", "t", "e", "r", "p"]
    assert kept.folds == [0, 0, 1, 1, 1, 0, None, 1, 0]
    assert kept.related == [[], [], [], [], [], [], [0, 1], [], [1]]


def test_no_related_row_is_trained_on_whatever_the_groups() -> None:
    """Against a slow oracle: a row without a fold is kept from all folds that its merged group has rows in."""
    for seed in range(30):
        random = np.random.default_rng(seed)
        own = [f"g{number}" for number in random.integers(0, 12, 40)]
        of_own = {group: int(random.integers(0, 4)) for group in own}
        known = random.random(40) < 0.7
        folds = [of_own[group] if is_known else None for group, is_known in zip(own, known, strict=True)]
        chain = {group: f"m{number}" for group, number in zip(sorted(of_own), random.integers(0, 8, 99), strict=False)}
        merged = [chain[group] for group in own]
        kept = keep_apart(own, merged, folds)
        for row in range(40):
            related = {fold for fold, group in zip(folds, merged, strict=True) if group == merged[row]} - {None}
            if folds[row] is not None:
                assert kept.folds[row] == folds[row]
                assert kept.related[row] == []
            else:
                assert {kept.folds[row], *kept.related[row]} - {None} == related
        for group in set(kept.groups):
            assert len({kept.folds[row] for row in range(40) if kept.groups[row] == group} - {None}) <= 1
