"""Every sample has the fold of its record file, as scikit-learn's KFold assigns it."""

from collections.abc import Sequence

import numpy as np
import pytest
from foldline.errors import FoldlineError
from foldline.splits.file_folds import assign_folds_by_files
from foldline.splits.fold_audit import Samples
from sklearn.model_selection import KFold


def folds_of(files: Sequence[str], *, groups: Sequence[str] = (), count: int = 3, seed: int = 333) -> np.ndarray:
    """Assign folds to two rows per file, a negative and a positive."""
    ids = [f"i{number:02d}" for number in range(2 * len(files))]
    samples = Samples(ids, list(groups) or ids, np.array([[0], [1]] * len(files)))
    paths = [f"{file}#{offset}+10" for file in files for offset in (0, 10)]
    return assign_folds_by_files(samples, paths, count=count, seed=seed)


def test_files_get_the_folds_of_kfold_over_their_sorted_names() -> None:
    """Row 12: seed A's KFold over record files, whatever the order in which they are listed."""
    names = [f"records/train{number:02d}-2071.tfrec" for number in range(15)]
    expected = {}
    for fold, (_, held_out) in enumerate(KFold(5, shuffle=True, random_state=333).split(names)):
        expected |= {names[index]: fold for index in held_out}
    listed = list(np.random.default_rng(0).permutation(names))
    found = folds_of(listed, count=5)
    assert found.dtype == np.int64
    assert found[::2].tolist() == found[1::2].tolist() == [expected[name] for name in listed]
    assert (folds_of(listed, count=5, seed=334) != found).any()


def test_a_group_in_files_of_several_folds_is_refused() -> None:
    files = list("abc")
    assert sorted(folds_of(files)[::2]) == [0, 1, 2]
    reason = (
        r"more than one fold has rows of 1 group \(or chain of duplicates\): group p "
        r"\(id i00 of a in fold \d, id i03 of b in fold \d\); set folds.method to grouped$"
    )
    with pytest.raises(FoldlineError, match=reason):
        folds_of(files, groups=["p", "p", "q", "p", "r", "r"])


def test_fewer_files_than_folds_are_refused() -> None:
    with pytest.raises(FoldlineError, match=r"count is 3, but the data have 2 record files; lower folds.count"):
        folds_of(list("ab"))


def test_samples_outside_of_record_files_are_refused() -> None:
    samples = Samples(["x", "y"], ["g", "h"], np.array([[0], [1]]))
    with pytest.raises(FoldlineError, match=r"id y is in no record file; set dataset.train_records"):
        assign_folds_by_files(samples, ["a.tfrec#0+9", "images/y.png"], count=2, seed=0)


def test_a_file_with_one_label_is_refused() -> None:
    samples = Samples(["x", "y"], ["x", "y"], np.array([[0], [1]]))
    with pytest.raises(FoldlineError, match="fold 0 has 1 row, but no"):
        assign_folds_by_files(samples, ["a#0+1", "b#0+1"], count=2, seed=0)
