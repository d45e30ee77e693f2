"""Images that stand in the data twice: exact copies, near copies, and the groups that copies tie together."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from foldline.errors import FoldlineError
from foldline.images.perceptual_hash import hash_array
from foldline.io.tables import LEAKS
from foldline.splits.hamming_search import close_pairs

EXACT, NEAR = "exact", "near"


def find_leaks(
    inventory: pd.DataFrame, others: Mapping[str, pd.DataFrame], *, split: str, near_bits: int | None
) -> pd.DataFrame:
    """List the pairs of images of which at least one is of this split and which show the same.

    Copies of one file are listed against the first of them, not each against each, and so are images of one hash: n
    equal images give n - 1 pairs, which tie all of them together. First is the smallest id, `others` before this split
    and in their order.

    Args:
        inventory: rows of this split, with the columns id, target, sha256, perceptual_hash.
        others: split -> its rows, columns as `inventory`: what this split is compared with beside itself.
        split: name of this split.
        near_bits: images are near copies when their perceptual hashes differ in at most so many bits, mirrored and
            turned images included; None: exact copies only.

    Returns:
        Table of `tables.LEAKS`, sorted by id, other_split, other_id. Of two images of this split, `id` is the smaller
        id; of an image of this split and one of another, `id` is that of this split.
    """
    splits = {**others, split: inventory}
    images = pd.concat([rows.sort_values("id").assign(split=name) for name, rows in splits.items()], ignore_index=True)
    begin = len(images) - len(inventory)
    first = _first_equal(images["sha256"])
    copies = np.flatnonzero(first != np.arange(len(images)))
    pairs = [_pairs(first[copies], copies, EXACT, 0)]
    if near_bits is not None:
        distinct = np.flatnonzero(first == np.arange(len(images)))
        first = distinct[_first_equal(images.loc[distinct, "perceptual_hash"])]
        pairs.append(_pairs(first[first != distinct], distinct[first != distinct], NEAR, 0))
        pairs.append(_near_pairs(images["perceptual_hash"], distinct[first == distinct], begin, near_bits))
    return _table(images, pd.concat(pairs, ignore_index=True), begin)


def merged_groups(groups: Sequence[str], ids: Sequence[str], pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Group of every id after groups that share a duplicate have become one.

    Args:
        groups: group of each id, (n_samples,).
        ids: the ids, unique, (n_samples,).
        pairs: duplicates as (id, other id).

    Returns:
        Group per id, (n_samples,): the smallest name among the groups that are tied together, directly or by way of
        others.

    Raises:
        FoldlineError: a pair names an id that is not in `ids`.
    """
    group_of = dict(zip(ids, groups, strict=True))
    parent = {group: group for group in group_of.values()}

    def root(group: str) -> str:
        while parent[group] != group:
            parent[group] = parent[parent[group]]
            group = parent[group]
        return group

    for pair in pairs:
        for name in pair:
            if name not in group_of:
                raise FoldlineError(
                    f"the duplicate pair {pair[0]}, {pair[1]} names the id {name!r}, which is not in the table; "
                    "build the leak audit again"
                )
        first, second = (root(group_of[name]) for name in pair)
        parent[max(first, second)] = min(first, second)
    return [root(group) for group in groups]


def _first_equal(values: pd.Series) -> np.ndarray:
    """Position of the first value that equals each value; int64, (n_values,)."""
    codes, _ = pd.factorize(values)
    _, first = np.unique(codes, return_index=True)
    return first[codes]


def _pairs(first: np.ndarray, second: np.ndarray, kind: str, distance: np.ndarray | int) -> pd.DataFrame:
    return pd.DataFrame({"first": first, "second": second, "kind": kind, "distance": distance})


def _near_pairs(hashes: pd.Series, distinct: np.ndarray, begin: int, limit: int) -> pd.DataFrame:
    """Pairs of the images at the positions `distinct`, at least one of them at or behind `begin`."""
    own, others = distinct[distinct >= begin], distinct[distinct < begin]
    places = np.concatenate([own, others])
    arrays = hash_array(list(hashes[places]))
    found = close_pairs(arrays[: len(own)], arrays, limit=limit, same=True)
    both = np.sort(places[found[:, :2]], axis=1)
    return _pairs(both[:, 0], both[:, 1], NEAR, found[:, 2])


def _table(images: pd.DataFrame, pairs: pd.DataFrame, begin: int) -> pd.DataFrame:
    """Name the images of the pairs of positions (first before second) and drop pairs of two images of `others`."""
    pairs = pairs[pairs["second"] >= begin]
    across = pairs["first"] < begin
    one = images.loc[pairs["second"].where(across, pairs["first"])].reset_index(drop=True)
    other = images.loc[pairs["first"].where(across, pairs["second"])].reset_index(drop=True)
    same_label = np.where(one["target"] == other["target"], "yes", "no")
    table = pd.DataFrame(
        {
            "id": one["id"],
            "other_id": other["id"],
            "other_split": other["split"],
            "kind": pairs["kind"].to_numpy(),
            "distance": pairs["distance"].to_numpy(np.int64),
            "same_label": np.where(one["target"] == "", "", same_label),
        },
        columns=list(LEAKS),
    )
    return table.sort_values(["id", "other_split", "other_id"], ignore_index=True)
