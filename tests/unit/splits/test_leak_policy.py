"""What a policy makes of duplicates: links between groups, and rows that are left out."""

from collections.abc import Sequence

import pytest
from foldline.splits.leak_policy import (
    CONFIRMED,
    DROP,
    EXACT,
    EXTERNAL,
    GROUP_ALL,
    NEAR,
    REPORT,
    Pair,
    Policy,
    Treatment,
    treat,
)

TRAIN, TEST = "train", "test"
LABELS = {"a": "1", "b": "0", "c": "0", "d": "0", "e1": "0", "e2": "1"}


def policy(kind: str, split: str, action: str) -> Policy:
    return {**GROUP_ALL, kind: {**GROUP_ALL[kind], split: action}}


def treated(pairs: Sequence[tuple[str, str, str, str]], of: Policy = GROUP_ALL) -> Treatment:
    return treat([Pair(*pair) for pair in pairs], LABELS, "abcd", of)


def dropped(treatment: Treatment) -> list[tuple[str, str, str]]:
    return [(row.id, row.kept_id, row.kind) for row in treatment.dropped]


def test_by_default_all_pairs_but_those_of_test_images_are_links() -> None:
    pairs = [("a", "b", EXACT, TRAIN), ("c", "d", NEAR, TRAIN), ("e1", "a", NEAR, EXTERNAL), ("t", "a", EXACT, TEST)]
    assert treated(pairs) == Treatment([("a", "b"), ("c", "d"), ("e1", "a")], [])


@pytest.mark.parametrize("split", [TRAIN, EXTERNAL])
def test_pairs_that_are_only_reported_are_no_links(split: str) -> None:
    pairs = [("a", "b", NEAR, TRAIN), ("e1", "c", NEAR, EXTERNAL), ("a", "d", EXACT, TRAIN)]
    links = {"train": ("a", "b"), EXTERNAL: ("e1", "c")}
    expected = [link for name, link in links.items() if name != split]
    assert treated(pairs, policy(NEAR, split, REPORT)).links == [*expected, ("a", "d")]


def test_confirmed_pairs_are_links_whatever_the_policy() -> None:
    pairs = [("a", "b", CONFIRMED, TRAIN), ("e1", "c", CONFIRMED, EXTERNAL), ("t", "d", CONFIRMED, TEST)]
    of = {kind: {TRAIN: DROP, EXTERNAL: DROP, TEST: DROP} for kind in (EXACT, NEAR)}
    assert treated(pairs, of) == Treatment([("a", "b"), ("e1", "c")], [])


def test_the_copy_with_the_label_of_most_stays() -> None:
    """Then the first id; a chain counts as one set of copies."""
    pairs = [("a", "b", EXACT, TRAIN), ("b", "c", EXACT, TRAIN)]
    assert dropped(treated(pairs, policy(EXACT, TRAIN, DROP))) == [("a", "b", EXACT), ("c", "b", EXACT)]
    assert dropped(treated(pairs[:1], policy(EXACT, TRAIN, DROP))) == [("b", "a", EXACT)]
    near = [("a", "b", EXACT, TRAIN), ("b", "c", NEAR, TRAIN)]
    of = {kind: {**GROUP_ALL[kind], TRAIN: DROP} for kind in (EXACT, NEAR)}
    assert dropped(treated(near, of)) == [("a", "b", EXACT), ("c", "b", NEAR)]


def test_a_link_to_a_dropped_row_is_one_to_its_copy() -> None:
    pairs = [("a", "b", EXACT, TRAIN), ("b", "c", NEAR, TRAIN), ("e1", "b", NEAR, EXTERNAL)]
    treatment = treated(pairs, policy(EXACT, TRAIN, DROP))
    assert dropped(treatment) == [("b", "a", EXACT)]
    assert treatment.links == [("a", "c"), ("e1", "a")]


def test_external_copies_are_dropped_before_train_rows() -> None:
    pairs = [("e1", "a", NEAR, EXTERNAL), ("e1", "e2", NEAR, EXTERNAL)]
    treatment = treated(pairs, policy(NEAR, EXTERNAL, DROP))
    assert dropped(treatment) == [("e1", "a", NEAR), ("e2", "a", NEAR)]
    assert [row.reason for row in treatment.dropped] == ["dropped as near copy of a training image"] * 2
    (row,) = treated(pairs[1:], policy(NEAR, EXTERNAL, DROP)).dropped
    assert (row.id, row.kept_split, row.reason) == ("e2", EXTERNAL, "dropped as near copy of an external image")


def test_copies_of_a_test_image_are_dropped_with_all_that_equal_them() -> None:
    """Of equal images one stands for all in the pairs of other splits."""
    pairs = [("a", "b", EXACT, TRAIN), ("b", "c", NEAR, TRAIN), ("e1", "a", EXACT, EXTERNAL), ("t", "a", NEAR, TEST)]
    treatment = treated(pairs, policy(NEAR, TEST, DROP))
    assert dropped(treatment) == [("a", "t", NEAR), ("b", "t", NEAR), ("e1", "t", NEAR)]
    assert treatment.dropped[0].reason == "dropped as near copy of a test image"
    assert treatment.links == []
    # A test image may have the id of a train image, with another picture.
    assert treated([("c", "a", NEAR, TEST), ("d", "a", NEAR, TRAIN)], policy(NEAR, TEST, DROP)).links == []
