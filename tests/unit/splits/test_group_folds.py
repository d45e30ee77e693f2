"""Folds keep groups whole, are even, do not depend on the order of the rows, and say who is trained on and scored."""

import itertools
import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from foldline.dataset.label_arrays import label_codes
from foldline.errors import FoldlineError
from foldline.splits.fold_membership import external_rows, held_out_rows, scored_rows, training_rows
from foldline.splits.group_folds import (
    assign_folds,
    assign_folds_by_files,
    audit_folds,
    check_feasible,
    external_folds,
    groups_with,
)
from sklearn.model_selection import KFold, StratifiedGroupKFold


def split(groups: np.ndarray, labels: np.ndarray, *, count: int, seed: int = 0, strata: list[str] | None = None):
    return assign_folds(
        ids=[f"i{number:05d}" for number in range(len(labels))],
        groups=list(groups),
        labels=labels[:, None],
        strata=strata or [str(label) for label in labels],
        count=count,
        seed=seed,
    )


def random_set(seed: int, *, most_groups: int = 200):
    """Groups of very different sizes, in which labels go together; as patients have it."""
    random = np.random.default_rng(seed)
    groups = int(random.integers(8, most_groups))
    sizes = np.minimum(random.zipf(random.choice([1.6, 2.5]), groups), 40)
    share = random.choice([0.05, 0.2, 0.5])
    labels = random.random(sizes.sum()) < np.repeat(random.beta(share * 3, (1 - share) * 3, groups), sizes)
    names = np.repeat([f"g{number}" for number in range(groups)], sizes)
    return names, labels.astype(int), int(random.integers(2, 6))


def deviation(labels: np.ndarray, folds: np.ndarray, count: int) -> float:
    """Largest distance of a fold's share of the rows, the positives or the negatives from 1 / count."""
    splits = (labels >= 0, labels == 1, labels == 0)
    shares = [np.bincount(folds[split], minlength=count) / split.sum() for split in splits]
    return max(np.abs(share - 1 / count).max() for share in shares)


def feasible(seed: int):
    names, labels, count = random_set(seed)
    try:
        check_feasible(names, labels[:, None], count)
    except FoldlineError:
        return None
    return names, labels, count


@pytest.mark.parametrize("seed", range(40))
def test_never_less_even_than_scikit_learn(seed: int) -> None:
    drawn = feasible(seed)
    if drawn is None:
        return
    names, labels, count = drawn
    theirs = np.empty(len(labels), dtype=int)
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for fold, (_, held_out) in enumerate(splitter.split(labels, labels, names)):
            theirs[held_out] = fold
    ours = split(names, labels, count=count, seed=seed)
    assert deviation(labels, ours, count) <= deviation(labels, theirs, count) + 1e-12


def test_most_random_sets_are_feasible() -> None:
    assert sum(feasible(seed) is not None for seed in range(40)) > 30


def test_groups_stay_whole_and_every_row_has_a_fold() -> None:
    names, labels, count = feasible(3)
    folds = split(names, labels, count=count)
    assert folds.dtype == np.int64
    assert set(folds) == set(range(count))
    assert all(len(set(folds[names == name])) == 1 for name in set(names))


def test_order_of_rows_does_not_matter_and_the_seed_does() -> None:
    names, labels, count = feasible(5)
    ids = np.array([f"i{number}" for number in range(len(labels))])
    order = np.random.default_rng(0).permutation(len(ids))

    def folds(index: np.ndarray, seed: int) -> np.ndarray:
        return assign_folds(
            ids=list(ids[index]),
            groups=list(names[index]),
            labels=labels[index][:, None],
            strata=[str(label) for label in labels[index]],
            count=count,
            seed=seed,
        )

    plain = folds(np.arange(len(ids)), 1)
    assert (folds(order, 1) == plain[order]).all()
    assert (folds(np.arange(len(ids)), 2) != plain).any()


def test_names_of_groups_do_not_matter() -> None:
    names, labels, count = feasible(5)
    renamed = np.array([f"{sum(map(ord, name)) * 7919 % 1009}/{name}" for name in names])
    assert (split(names, labels, count=count) == split(renamed, labels, count=count)).all()


def test_single_rows_are_spread_to_within_one_row() -> None:
    random = np.random.default_rng(2)
    labels = (random.random(1003) < 0.03).astype(int)
    folds = split(np.array([f"g{number}" for number in range(1003)]), labels, count=5)
    for chosen in (labels >= 0, labels == 1, labels == 0):
        assert np.ptp(np.bincount(folds[chosen], minlength=5)) <= 1


def test_strata_are_spread_beside_the_labels() -> None:
    random = np.random.default_rng(4)
    labels = (random.random(600) < 0.2).astype(int)
    site = random.choice(["arm", "leg", "back"], 600, p=[0.7, 0.25, 0.05])
    strata = [f"{label}/{place}" for label, place in zip(labels, site, strict=True)]
    groups = np.array([f"g{number}" for number in range(600)])
    folds = split(groups, labels, count=5, strata=strata)
    plain = split(groups, labels, count=5)
    spread = {name: np.ptp(np.bincount(folds[np.array(strata) == name], minlength=5)) for name in set(strata)}
    assert max(spread.values()) <= 2
    assert max(np.ptp(np.bincount(plain[np.array(strata) == name], minlength=5)) for name in spread) > 2


def test_few_positives_are_spread_although_a_group_overfills_a_fold() -> None:
    sizes = [400] + [1] * 605
    groups = np.repeat([f"g{number}" for number in range(606)], sizes)
    labels = np.zeros(1005, dtype=int)
    labels[-5:] = 1
    folds = split(groups, labels, count=5)
    assert sorted(folds[-5:]) == [0, 1, 2, 3, 4]
    assert sorted(np.bincount(folds)) == [151, 151, 151, 151, 401]


def test_a_split_is_found_wherever_there_is_one() -> None:
    """Small sets of mixed groups, against all ways to split them."""
    random = np.random.default_rng(5)
    tried = 0
    for seed in range(150):
        count, groups = int(random.integers(2, 4)), int(random.integers(3, 7))
        sizes = random.integers(1, 6, groups)
        names = np.repeat([f"g{number}" for number in range(groups)], sizes)
        labels = (random.random(len(names)) < random.choice([0.2, 0.5])).astype(int)
        positive = [labels[names == f"g{number}"].sum() for number in range(groups)]
        possible = False
        for ways in itertools.product(range(count), repeat=groups):
            ones = np.bincount(ways, weights=positive, minlength=count)
            zeros = np.bincount(ways, weights=sizes - positive, minlength=count)
            possible = possible or bool((ones > 0).all() and (zeros > 0).all())
        try:
            split(names, labels, count=count, seed=seed)
        except FoldlineError:
            assert not possible
        else:
            assert possible
            tried += 1
    assert tried > 30


@pytest.mark.parametrize(
    ("groups", "labels", "words"),
    [
        ("aabb", [1, 0, 1, 0], "2 groups cannot fill 3 folds; lower folds.count to at most 2"),
        ("aabcd", [1, 1, 0, 1, 0], "3 positive rows in 2 groups, but each of 3 folds needs one; lower folds.count"),
        ("abcd", [1, 1, 1, 0], "1 negative rows in 1 groups, .* no cross-validation is possible"),
        ("abcd", [0, 0, 0, 0], "0 positive rows in 0 groups"),
    ],
)
def test_what_cannot_fill_the_folds_is_refused(groups: str, labels: list[int], words: str) -> None:
    with pytest.raises(FoldlineError, match=words):
        split(np.array(list(groups)), np.array(labels), count=3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ids": list("aacdef")}, "id a more than once"),
        ({"groups": list("ppqrqs")}, "group q lies in more than one fold"),
        ({"folds": np.array([0, 0, 1, 1, 3, 2])}, "fold 3 is not in 0 to 2"),
        ({"folds": np.array([0, 0, 1, 1, 1, 1])}, "fold 2 is empty"),
        ({"labels": np.array([[1], [0], [1], [0], [0], [0]])}, "fold 2 has 2 rows and no positive one"),
        ({"labels": np.array([[1], [1], [1], [0], [0], [1]])}, "fold 0 has 2 rows and no negative one"),
    ],
)
def test_the_audit_sees(change: dict, words: str) -> None:
    good = {
        "ids": list("abcdef"),
        "groups": list("ppqqrr"),
        "labels": np.array([[1], [0], [1], [0], [0], [1]]),
        "folds": np.array([0, 0, 1, 1, 2, 2]),
        "count": 3,
    }
    audit_folds(**good)
    with pytest.raises(FoldlineError, match=words):
        audit_folds(**{**good, **change})


@pytest.fixture
def table() -> pd.DataFrame:
    """Two folds of train rows, an external row tied to each of them, and a free one; in no order."""
    rows = [
        ("d", 0, "train"),
        ("a", 1, "train"),
        ("z", 0, "external"),
        ("c", 0, "train"),
        ("b", 1, "train"),
        ("x", -1, "external"),
        ("y", 1, "external"),
    ]
    return pd.DataFrame(rows, columns=["id", "fold", "split"])


def test_rows_are_trained_on_held_out_or_withheld(table: pd.DataFrame) -> None:
    assert [list(training_rows(table, fold)["id"]) for fold in (0, 1)] == [["a", "b", "x", "y"], ["c", "d", "x", "z"]]
    assert [list(held_out_rows(table, fold)["id"]) for fold in (0, 1)] == [["c", "d"], ["a", "b"]]
    assert list(scored_rows(table)["id"]) == ["a", "b", "c", "d"]
    assert list(external_rows(table)["id"]) == ["x", "y", "z"]
    assert list(scored_rows(table).index) == [0, 1, 2, 3]


def test_external_rows_take_the_fold_of_their_group() -> None:
    found = external_folds(["q", "new", "p"], groups=["p", "q", "q"], folds=np.array([1, 0, 0]))
    assert found.tolist() == [0, -1, 1]
    assert external_folds([], groups=["p"], folds=np.array([0])).dtype == np.int64


def by_files(files: Sequence[str], *, groups: Sequence[str] = (), count: int = 3, seed: int = 333) -> np.ndarray:
    """Folds of two rows of each file, a negative and a positive."""
    ids = [f"i{number:02d}" for number in range(2 * len(files))]
    return assign_folds_by_files(
        ids=ids,
        groups=list(groups) or ids,
        labels=np.array([[0], [1]] * len(files)),
        paths=[f"{file}#{place}+10" for file in files for place in (0, 10)],
        count=count,
        seed=seed,
    )


def test_files_get_the_folds_of_kfold_over_their_sorted_names() -> None:
    """Row 12: seed A's KFold over record files, whatever the order in which they are listed."""
    names = [f"records/train{number:02d}-2071.tfrec" for number in range(15)]
    expected = {}
    for fold, (_, held_out) in enumerate(KFold(5, shuffle=True, random_state=333).split(names)):
        expected |= {names[index]: fold for index in held_out}
    listed = list(np.random.default_rng(0).permutation(names))
    found = by_files(listed, count=5)
    assert found.dtype == np.int64
    assert found[::2].tolist() == found[1::2].tolist() == [expected[name] for name in listed]
    assert (by_files(listed, count=5, seed=334) != found).any()


def test_a_group_in_files_of_several_folds_is_refused() -> None:
    files = list("abc")
    assert sorted(by_files(files)[::2]) == [0, 1, 2]
    reason = (
        r"1 groups, or chains of duplicates, lie in more than one fold: group p "
        r"\(id i00 of a in fold \d, id i03 of b in fold \d\); set folds.method to grouped$"
    )
    with pytest.raises(FoldlineError, match=reason):
        by_files(files, groups=["p", "p", "q", "p", "r", "r"])


def test_folds_of_files_need_files() -> None:
    with pytest.raises(FoldlineError, match=r"2 record files cannot fill 3 folds; lower folds.count"):
        by_files(list("ab"))
    arguments = {"groups": ["g", "h"], "labels": np.array([[0], [1]]), "count": 2, "seed": 0}
    with pytest.raises(FoldlineError, match=r"id y came from no record file; .* needs dataset.train_records"):
        assign_folds_by_files(ids=["x", "y"], paths=["a.tfrec#0+9", "images/y.png"], **arguments)


def test_a_file_of_one_label_is_refused_by_the_audit() -> None:
    with pytest.raises(FoldlineError, match="fold 0 has 1 rows and no"):
        assign_folds_by_files(
            ids=["x", "y"],
            groups=["x", "y"],
            labels=np.array([[0], [1]]),
            paths=["a#0+1", "b#0+1"],
            count=2,
            seed=0,
        )


def multilabel_set(seed: int) -> tuple[np.ndarray, int]:
    """Labels of classes that are common, rare and very rare and go together, and a number of folds."""
    random = np.random.default_rng(seed)
    n_classes, rows = int(random.integers(3, 20)), int(random.integers(80, 400))
    shares = np.exp(random.uniform(np.log(0.01), np.log(0.5), n_classes))
    common = random.random((rows, 1)) < 0.3
    return (
        (random.random((rows, n_classes)) < shares) | (common & (random.random((rows, n_classes)) < shares))
    ).astype(int), int(random.integers(2, 6))


def iterative_stratification(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Sechidis, Tsoumakas and Vlahavas 2011, On the stratification of multi-label data, algorithm 1."""
    random = np.random.default_rng(seed)
    folds = np.full(len(labels), -1)
    wanted_rows = np.full(count, len(labels) / count)
    wanted = np.outer(np.full(count, 1 / count), labels.sum(axis=0))
    while (folds < 0).any():
        left = labels[folds < 0].sum(axis=0)
        if not left.any():
            for row in np.flatnonzero(folds < 0):
                folds[row] = _most_wanted(wanted_rows, np.arange(count), random)
                wanted_rows[folds[row]] -= 1
            break
        rarest = int(np.argmin(np.where(left > 0, left, left.max() + 1)))
        for row in np.flatnonzero((folds < 0) & (labels[:, rarest] == 1)):
            best = np.flatnonzero(wanted[:, rarest] == wanted[:, rarest].max())
            fold = _most_wanted(wanted_rows, best, random)
            folds[row] = fold
            wanted[fold] -= labels[row]
            wanted_rows[fold] -= 1
    return folds


def _most_wanted(wanted: np.ndarray, among: np.ndarray, random: np.random.Generator) -> int:
    return int(random.choice(among[wanted[among] == wanted[among].max()]))


def label_deviation(labels: np.ndarray, folds: np.ndarray, count: int) -> float:
    """Mean over classes and folds of |share of positives in the fold - share over all|, relative to the latter."""
    shares = np.array([labels[folds == fold].mean(axis=0) for fold in range(count)])
    present = labels.any(axis=0)
    return float(np.abs(shares / np.maximum(labels.mean(axis=0), 1e-9) - 1)[:, present].mean())


def test_at_least_as_even_as_iterative_stratification() -> None:
    """Over random sets, by the mean deviation of the shares of labels; the folds have nearly equal sizes too."""
    ours, theirs, sizes = [], [], []
    for seed in range(30):
        labels, count = multilabel_set(seed)
        ids = [f"i{number:05d}" for number in range(len(labels))]
        codes = label_codes(labels)
        folds = assign_folds(ids=ids, groups=ids, labels=labels, strata=codes, count=count, seed=seed)
        ours.append(label_deviation(labels, folds, count))
        theirs.append(label_deviation(labels, iterative_stratification(labels, count, seed), count))
        sizes.append(np.ptp(np.bincount(folds, minlength=count)) / len(labels))
    assert np.mean(ours) <= np.mean(theirs)
    assert np.mean(np.array(ours) <= np.array(theirs) + 1e-12) >= 0.5
    assert max(sizes) < 0.05


def test_rare_classes_are_spread_and_groups_stay_whole() -> None:
    labels, _ = multilabel_set(7)
    labels[:, 0] = 0
    labels[[3, 40, 70], 0] = 1
    labels[:, 1] = 0
    groups = np.array([f"g{number // 3:04d}" for number in range(len(labels))])
    ids = [f"i{number:05d}" for number in range(len(labels))]
    folds = assign_folds(ids=ids, groups=list(groups), labels=labels, strata=label_codes(labels), count=5, seed=1)
    assert len(set(folds[[3, 40, 70]])) == 3
    assert all(len(set(folds[groups == name])) == 1 for name in set(groups))
    held = groups_with(list(groups), labels)
    assert held[0].tolist()[1] == 3
    assert held[1].tolist() == [len(set(groups)), 0]


def test_a_fold_in_which_no_class_has_both_labels_is_refused() -> None:
    labels = np.array([[1, 0], [1, 0], [0, 1], [1, 0]])
    with pytest.raises(FoldlineError, match="fold 0 has 2 rows in which no class has both labels"):
        audit_folds(ids=list("abcd"), groups=list("abcd"), labels=labels, folds=np.array([0, 0, 1, 1]), count=2)
