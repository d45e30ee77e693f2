"""Exact and near duplicates among images, and the groups that they merge."""

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from foldline.errors import FoldlineError
from foldline.images.perceptual_hash import hash_array
from foldline.leaks.candidates import orientations
from foldline.splits.duplicates import IntArray, Verification, find_duplicates, merged_groups, with_confirmed


def image(name: str, *, sha: str | None = None, bits: Sequence[int] = (), target: str = "0") -> dict[str, str]:
    """Make a row of an inventory.

    Args:
        name: the id; its first letter decides the perceptual hash.
        sha: digest of the pixels; None for pixels that no other image has.
        bits: bits of the hash that are flipped.
        target: the label code.
    """
    value = int.from_bytes(np.random.default_rng(ord(name[0])).bytes(32), "big") >> 1
    for bit in bits:
        value ^= 1 << int(bit)
    return {"id": name, "target": target, "pixels_sha256": sha or f"file {name}", "perceptual_hash": f"{value:064x}"}


def inventory(*rows: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["id", "target", "pixels_sha256", "perceptual_hash"])


def all_near(images: pd.DataFrame) -> Verification:
    """A verification that takes every pair of near hashes for a copy."""

    def verify(files: IntArray, own_start: int, near: IntArray) -> IntArray:
        _, bits = orientations(hash_array(list(images["perceptual_hash"])), near)
        return np.column_stack([near, bits])

    return verify


def leaks_of(
    train: pd.DataFrame, test: pd.DataFrame | None = None, *, bits: int | None = 12
) -> list[tuple[str, str, str, str, int, str]]:
    if test is None:
        table = find_duplicates(train, {}, split="train", near_bits=bits, verify=all_near)
    else:
        table = find_duplicates(test, {"train": train}, split="test", near_bits=bits, verify=all_near)
    return list(table.itertuples(index=False, name=None))


def test_exact_duplicates_are_found_with_and_without_near_ones() -> None:
    train = inventory(image("b", sha="x"), image("a", sha="x", target="1"), image("c"))
    train["perceptual_hash"] = [train["perceptual_hash"][0]] * 2 + [train["perceptual_hash"][2]]
    assert leaks_of(train) == [("a", "b", "train", "exact", 0, "no")]
    assert leaks_of(train, bits=None) == [("a", "b", "train", "exact", 0, "no")]


def test_near_duplicates_are_found_within_the_limit() -> None:
    train = inventory(image("a1"), image("a2", bits=range(12)), image("b1"), image("b2", bits=range(13)))
    assert leaks_of(train) == [("a1", "a2", "train", "near", 12, "yes")]
    assert [row[:2] for row in leaks_of(train, bits=13)] == [("a1", "a2"), ("b1", "b2")]
    assert leaks_of(train, bits=None) == []


def test_different_files_with_equal_hashes_are_near_duplicates() -> None:
    assert leaks_of(inventory(image("a2"), image("a1")), bits=0) == [("a1", "a2", "train", "near", 0, "yes")]


def test_all_duplicates_are_listed_against_the_first() -> None:
    train = inventory(
        *(image(f"a{number}", sha="x") for number in range(4)), image("a4"), image("a5"), image("a6", bits=[3])
    )
    pairs = [row[:2] for row in leaks_of(train)]
    assert pairs == [("a0", f"a{number}") for number in range(1, 7)]


def test_test_images_are_compared_with_train_and_test() -> None:
    train = inventory(image("a1"), image("a2"), image("b1", bits=[1]), image("c1", sha="x", target="1"))
    test = inventory(
        image("a3", bits=[5], target=""),
        image("c0", sha="x", target=""),
        image("d1", target=""),
        image("d0", bits=[2, 9], target=""),
        image("e1", target=""),
    )
    test.loc[1, "perceptual_hash"] = train.loc[3, "perceptual_hash"]
    assert leaks_of(train, test) == [
        ("a3", "a1", "train", "near", 1, ""),
        ("c0", "c1", "train", "exact", 0, ""),
        ("d0", "d1", "test", "near", 2, ""),
    ]


def test_pairs_name_the_split_of_the_other_image() -> None:
    """A duplicate in two splits is listed against the first; pairs of images of two other splits are not listed."""
    train, external = (
        inventory(image("a2"), image("b2", sha="x"), image("c1")),
        inventory(image("a1"), image("c0"), image("d0")),
    )
    test = inventory(image("a0"), image("b1", sha="x"), image("d1"), image("e0"))
    test["target"], test.loc[1, "perceptual_hash"] = "", train.loc[1, "perceptual_hash"]
    pairs = find_duplicates(test, {"train": train, "external": external}, split="test", near_bits=4, verify=all_near)
    assert list(pairs.itertuples(index=False, name=None)) == [
        ("a0", "a2", "train", "near", 0, ""),
        ("b1", "b2", "train", "exact", 0, ""),
        ("d1", "d0", "external", "near", 0, ""),
    ]


def test_external_images_are_compared_with_train_and_each_other() -> None:
    train = inventory(image("a1"), image("a2"), image("b1", target="1"))
    external = inventory(image("a0"), image("b0", bits=[3]), image("c1"), image("c0", bits=[1, 2]))
    pairs = find_duplicates(external, {"train": train}, split="external", near_bits=4, verify=all_near)
    assert list(pairs.itertuples(index=False, name=None)) == [
        ("a0", "a1", "train", "near", 0, "yes"),
        ("b0", "b1", "train", "near", 1, "no"),
        ("c0", "c1", "external", "near", 2, "yes"),
    ]


def test_an_id_may_be_in_two_splits() -> None:
    assert leaks_of(inventory(image("a")), inventory(image("a", target=""))) == [("a", "a", "train", "exact", 0, "")]


def test_without_images_there_are_no_pairs() -> None:
    assert leaks_of(inventory()) == []
    assert leaks_of(inventory(image("a")), inventory()) == []


def test_labels_are_compared() -> None:
    train = inventory(image("a1", target="1"), image("a2", bits=[7], target="0"), image("a3", bits=[8], target="1"))
    assert [(row[0], row[1], row[5]) for row in leaks_of(train)] == [
        ("a1", "a2", "no"),
        ("a1", "a3", "yes"),
        ("a2", "a3", "no"),
    ]


def test_pairs_merge_the_same_groups_as_comparing_all_images() -> None:
    random = np.random.default_rng(5)
    rows = []
    for number in range(120):
        bits = random.choice(255, random.integers(0, 9), replace=False)
        rows.append(image(f"{'abcdefghij'[number % 10]}{number:03d}", bits=bits, sha=f"file {random.integers(90)}"))
    train = inventory(*rows)
    by_sha = train.groupby("pixels_sha256")["perceptual_hash"].first()
    train["perceptual_hash"] = train["pixels_sha256"].map(by_sha)
    values = [int(text, 16) for text in train["perceptual_hash"]]
    names = list(train["id"])
    every = [
        (names[i], names[j])
        for i, j in itertools.combinations(range(len(names)), 2)
        if (values[i] ^ values[j]).bit_count() <= 8
    ]
    listed = [row[:2] for row in leaks_of(train, bits=8)]
    assert merged_groups(names, names, listed) == merged_groups(names, names, every)
    assert 1 < len(set(merged_groups(names, names, listed))) < 100


def merged_by_propagation(groups: Sequence[str], ids: Sequence[str], pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Propagate the smallest name along pairs and groups until nothing changes: slow and obvious."""
    label = dict(zip(ids, groups, strict=True))
    changed = True
    while changed:
        before = dict(label)
        for one, other in pairs:
            label[one] = label[other] = min(label[one], label[other])
        for group in set(groups):
            members = [name for name, own in zip(ids, groups, strict=True) if own == group]
            smallest = min(label[name] for name in members)
            label |= dict.fromkeys(members, smallest)
        changed = label != before
    return [label[name] for name in ids]


def test_groups_that_share_a_duplicate_have_the_smallest_name() -> None:
    assert merged_groups(["c", "b", "a", "d", "a"], list("12345"), [("1", "2"), ("3", "2")]) == [
        "a",
        "a",
        "a",
        "d",
        "a",
    ]
    assert merged_groups(["x", "y"], ["1", "2"], []) == ["x", "y"]
    assert merged_groups([], [], []) == []


@pytest.mark.parametrize("seed", range(5))
def test_groups_are_merged_as_by_slow_propagation(seed: int) -> None:
    random = np.random.default_rng(seed)
    ids = [f"i{number}" for number in range(80)]
    groups = [f"g{random.integers(50)}" for _ in ids]
    pairs = [tuple(random.choice(ids, 2, replace=False)) for _ in range(25)]
    found = merged_groups(groups, ids, pairs)
    assert found == merged_by_propagation(groups, ids, pairs)
    assert found == merged_groups(groups, ids, [pair[::-1] for pair in reversed(pairs)])


def test_a_pair_with_an_unknown_id_is_refused() -> None:
    with pytest.raises(FoldlineError, match="id 'z' of the pair 1, z is not in the inventory"):
        merged_groups(["a"], ["1"], [("1", "z")])


def test_soft_labels_contradict_each_other_if_their_largest_shares_differ() -> None:
    train = inventory(
        image("a", sha="x", target="0.6 0.4"),
        image("b", sha="x", target="0.7 0.3"),
        image("c", sha="x", target="0.4 0.6"),
        image("d", sha="x", target="0.5 0.5"),
    )
    assert [(pair[1], pair[5]) for pair in leaks_of(train)] == [("b", "yes"), ("c", "no"), ("d", "yes")]


def test_confirmed_pairs_are_added() -> None:
    """A near pair becomes confirmed, and an exact one stays exact; bits are counted in the best orientation."""
    near, far = image("a2", bits=range(12)), image("b1")
    train = inventory(image("a1"), near, far, image("b2", sha="file b1"), image("c", target="1"))
    pairs = find_duplicates(train, {}, split="train", near_bits=12, verify=all_near)
    splits = {"train": train}
    confirmed = [("train", name, "train", other) for name, other in (("a1", "a2"), ("b1", "b2"), ("a1", "c"))]
    table = with_confirmed(pairs, splits, confirmed)
    assert [tuple(row) for row in table[["id", "other_id", "kind", "same_label"]].to_numpy()] == [
        ("a1", "a2", "confirmed", "yes"),
        ("a1", "c", "confirmed", "no"),
        ("b1", "b2", "exact", "yes"),
    ]
    assert table["distance"][0] == 12
    assert 60 < table["distance"][1] < 128
    pd.testing.assert_frame_equal(with_confirmed(pairs, splits, []), pairs)


def test_confirmed_pairs_of_two_splits_have_the_id_of_the_later_one_first() -> None:
    train, test = inventory(image("a"), image("b")), inventory(image("a", sha="x", target=""))
    pairs = find_duplicates(test, {"train": train}, split="test", near_bits=None, verify=all_near)
    table = with_confirmed(pairs, {"train": train, "test": test}, [("train", "b", "test", "a")])
    assert [tuple(row)[:4] for row in table.to_numpy()] == [("a", "b", "train", "confirmed")]
