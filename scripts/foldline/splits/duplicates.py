"""Duplicate images, exact and near, and the groups that duplicates merge."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt
import pandas as pd

from foldline.dataset.soft_labels import hard_code
from foldline.errors import FoldlineError
from foldline.images.perceptual_hash import hash_array, symmetric_hashes
from foldline.io.tables import LEAKS
from foldline.splits.connected_groups import join_groups
from foldline.splits.hamming_search import near_pairs
from foldline.splits.leak_policy import CONFIRMED, EXACT, NEAR

IntArray = npt.NDArray[np.int64]
# Verifies near duplicates. Arguments: numbers of the images to compare, ascending; number of the first image of the own
# split; pairs of numbers with near hashes, (n, 2). Returns (n_pairs, 3): the pairs that are copies, and their distance
# in bits.
Verification = Callable[[IntArray, int, IntArray], IntArray]

REFUSE = "error"


@dataclass(frozen=True)
class LeakConfig:
    """How duplicates are found; see `leaks` in `config/config.schema.yaml`.

    Attributes:
        near_duplicate_bits: images whose perceptual hashes differ in at most this many of 256 bits are compared,
            besides the nearest ones, in 0..64; None for exact duplicates only.
        full_search_up_to: up to this many images, each one is compared with those that are nearest to it, too.
        contradictory_labels: what happens to duplicates with different labels: `REFUSE`, or they are reported.
        refused: kinds of duplicates of which any is an error.
        confirmed: pairs that the user confirmed, of which the later split is the own one: split, id, other split, other
            id, the later one last.
    """

    near_duplicate_bits: int | None
    full_search_up_to: int
    contradictory_labels: str
    refused: tuple[str, ...] = ()
    confirmed: tuple[tuple[str, str, str, str], ...] = ()


def find_duplicates(
    inventory: pd.DataFrame,
    others: Mapping[str, pd.DataFrame],
    *,
    split: str,
    near_bits: int | None,
    verify: Callable[[pd.DataFrame], Verification],
) -> pd.DataFrame:
    """List the pairs of images that show the same and of which at least one is in this split.

    Images with equal pixels are listed against the first of them instead of each against each: n of them give n - 1
    pairs, which connect all of them. The images are ordered by split, `others` first and in their order, then by id.

    Args:
        inventory: rows of this split, with the columns id, target, pixels_sha256, perceptual_hash.
        others: split -> its rows, with the same columns: what this split is compared with, besides itself.
        split: name of this split.
        near_bits: see `LeakConfig.near_duplicate_bits`; rotated and mirrored images count as near duplicates too.
        verify: makes the verification of near duplicates from the rows of all images, with their split.

    Returns:
        Table of `tables.LEAKS`, sorted by id, other_split, other_id. `id` is in this split; if both images are, it is
        the smaller id.
    """
    images, own_start = _ordered({**others, split: inventory})
    first = _first_equal(images["pixels_sha256"])
    copies = np.flatnonzero(first != np.arange(len(images)))
    pairs = [_pair_table(first[copies], copies, EXACT, 0)]
    if near_bits is not None:
        # Of equal images, the first one stands for all.
        files = np.flatnonzero(first == np.arange(len(images)))
        near = _near_hashes(images["perceptual_hash"], files, own_start, near_bits)
        verified = verify(images)(files, own_start, near)
        pairs.append(_pair_table(verified[:, 0], verified[:, 1], NEAR, verified[:, 2]))
    return _leak_table(images, pd.concat(pairs, ignore_index=True), own_start)


def with_confirmed(
    pairs: pd.DataFrame, splits: Mapping[str, pd.DataFrame], confirmed: Iterable[tuple[str, str, str, str]]
) -> pd.DataFrame:
    """Add the pairs that the user confirmed: a near one becomes confirmed, and an exact one stays exact.

    Args:
        pairs: table of `tables.LEAKS`, as `find_duplicates` returns it.
        splits: split -> all of its rows; the last one is that of the pairs.
        confirmed: see `LeakConfig.confirmed`.
    """
    images, own_start = _ordered(splits)
    number_of = {image: number for number, image in enumerate(zip(images["split"], images["id"], strict=True))}
    links = [(number_of[split, name], number_of[other_split, other]) for split, name, other_split, other in confirmed]
    if not links:
        return pairs
    numbers = np.array(links, dtype=np.int64)
    first, second = (hash_array(list(images["perceptual_hash"].iloc[column])) for column in numbers.T)
    bits = [np.bitwise_count(oriented ^ second).sum(axis=1, dtype=np.int64) for oriented in symmetric_hashes(first)]
    added = _leak_table(images, _pair_table(numbers[:, 0], numbers[:, 1], CONFIRMED, np.min(bits, axis=0)), own_start)
    # Confirmed ones before near ones, and exact ones before both.
    order = {EXACT: 0, CONFIRMED: 1, NEAR: 2}
    table = pd.concat([pairs, added]).sort_values("kind", key=lambda kinds: kinds.map(order), kind="stable")
    table = table.drop_duplicates(["id", "other_split", "other_id"])
    return table.sort_values(["id", "other_split", "other_id"], ignore_index=True)


def merged_groups(groups: Sequence[str], ids: Sequence[str], pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Merge the groups that share a duplicate.

    Args:
        groups: group of each id, (n_samples,).
        ids: unique ids, (n_samples,).
        pairs: duplicates as (id, other id).

    Returns:
        Group of each id, (n_samples,): the smallest name among the groups that are connected, directly or by way of
        others.

    Raises:
        FoldlineError: a pair has an id that is not in `ids`.
    """
    pairs = list(pairs)
    in_pairs = set(chain.from_iterable(pairs))
    group_of = {name: group for name, group in zip(ids, groups, strict=True) if name in in_pairs}
    links = []
    for pair in pairs:
        for name in pair:
            if name not in group_of:
                raise FoldlineError(
                    f"leaks table: id {name!r} of the pair {pair[0]}, {pair[1]} is not in the inventory; run the "
                    "workflow again"
                )
        links.append((group_of[pair[0]], group_of[pair[1]]))
    joined = join_groups(chain.from_iterable(links), links)
    return [joined.get(group, group) for group in groups]


def _ordered(splits: Mapping[str, pd.DataFrame]) -> tuple[pd.DataFrame, int]:
    """The images of all splits, one split after the other and by id, and the number of the first of the last split."""
    images = pd.concat(
        [rows.sort_values("id", kind="stable").assign(split=name) for name, rows in splits.items()], ignore_index=True
    )
    return images, len(images) - len(list(splits.values())[-1])


def _first_equal(values: pd.Series) -> IntArray:
    """Find the index of the first value that equals each value, (n_values,)."""
    codes, _ = pd.factorize(values)
    _, first = np.unique(codes, return_index=True)
    return np.asarray(first[codes])


def _pair_table(first: IntArray, second: IntArray, kind: str, distance: IntArray | int) -> pd.DataFrame:
    """Make a table of pairs of image numbers, the smaller number first."""
    return pd.DataFrame({"first": first, "second": second, "kind": kind, "distance": distance})


def _near_hashes(hashes: pd.Series, files: IntArray, own_start: int, limit: int) -> IntArray:
    """Find the pairs of images with near hashes, those with equal ones as pairs with the first of them.

    Args:
        hashes: hash of every image, (n_images,).
        files: numbers of the images to compare, (n_files,).
        own_start: number of the first image of the own split; pairs of two images before it are not searched.
        limit: most bits in which the hashes of a pair differ.

    Returns:
        (n_pairs, 2), the smaller number first.
    """
    first = files[_first_equal(hashes[files])]
    same = first != files
    distinct = files[~same]
    own, others = distinct[distinct >= own_start], distinct[distinct < own_start]
    numbers = np.concatenate([own, others])
    arrays = hash_array(list(hashes[numbers]))
    near = near_pairs(arrays[: len(own)], arrays, limit=limit, left_is_start_of_right=True)
    equal = np.stack([first[same], files[same]], axis=1)
    pairs = np.concatenate([np.sort(numbers[near[:, :2]], axis=1), equal])
    return pairs[pairs[:, 1] >= own_start]


def _leak_table(images: pd.DataFrame, pairs: pd.DataFrame, own_start: int) -> pd.DataFrame:
    """Convert pairs of image numbers to `tables.LEAKS`, without the pairs of two images of other splits."""
    pairs = pairs[pairs["second"] >= own_start]
    across_splits = pairs["first"] < own_start
    image = images.loc[pairs["second"].where(across_splits, pairs["first"])].reset_index(drop=True)
    other = images.loc[pairs["first"].where(across_splits, pairs["second"])].reset_index(drop=True)
    # Soft labels contradict each other if the largest share is of another class.
    same_label = np.where(image["target"].map(hard_code) == other["target"].map(hard_code), "yes", "no")
    table = pd.DataFrame(
        {
            "id": image["id"],
            "other_id": other["id"],
            "other_split": other["split"],
            "kind": pairs["kind"].to_numpy(),
            "distance": pairs["distance"].to_numpy(np.int64),
            "same_label": np.where(image["target"] == "", "", same_label),
        },
        columns=list(LEAKS),
    )
    return table.sort_values(["id", "other_split", "other_id"], ignore_index=True)
