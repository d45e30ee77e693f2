"""The rows of a check: at most 64, of every label, with both labels in the rows that are held out."""

import numpy as np
import pandas as pd
import pytest
from foldline.check.sample import MOST_ROWS, TEST_ROWS, labeled_sample, sample_of_test, trial_folds
from foldline.dataset.label_arrays import label_array
from foldline.dataset.soft_labels import class_count
from foldline.splits.fold_membership import NO_FOLD, held_out_rows, training_rows

# Sorted by their codes, the first 64 rows are of one class.
SOFT = [f"{0.001 * number} {1 - 0.001 * number}" for number in range(1, 101)] + ["0.9 0.1"] * 20


def fold_table(targets: list[str], *, external: int = 0) -> pd.DataFrame:
    names = [f"s{number:04d}" for number in range(len(targets))] + [f"e{number:03d}" for number in range(external)]
    count = len(names)
    return pd.DataFrame(
        {
            "id": names,
            "group": names,
            "target": [*targets, *[targets[0]] * external],
            "fold": [number % 3 for number in range(count)],
            "split": ["train"] * len(targets) + ["external"] * external,
            "row_weight": 1.0,
        }
    )


@pytest.mark.parametrize(("has_test", "external"), [(False, 0), (True, 0), (True, 30)])
def test_a_sample_has_every_label_and_at_most_64_rows(*, has_test: bool, external: int) -> None:
    table = fold_table(["0"] * 500 + ["1"] * 20, external=external)
    sample = labeled_sample(table, has_test=has_test)
    assert len(sample) == MOST_ROWS - (TEST_ROWS if has_test else 0)
    train = sample[sample["split"] == "train"]
    assert (train["target"] == "1").sum() == 20
    assert (sample["split"] == "external").sum() == min(external, 8)


@pytest.mark.parametrize(
    "targets",
    [["1"] * 4 + ["0"] * 60, [f"{number:06b}" for number in range(64)], ["100", "010", "001"] * 20, SOFT],
    ids=["rare", "all_combinations", "exclusive", "soft"],
)
def test_half_of_the_train_rows_are_held_out_with_both_labels(targets: list[str]) -> None:
    sample = labeled_sample(fold_table(targets, external=3), has_test=False)
    names = [f"c{number}" for number in range(class_count(targets[0]))]
    table = trial_folds(sample, fold=1, other=2, class_names=names)
    held_out = held_out_rows(table, 1)
    train = int((sample["split"] == "train").sum())
    assert len(held_out) == (train + 1) // 2
    assert len(training_rows(table, 1)) == train - len(held_out) + 3
    for rows in (held_out, training_rows(table, 1)):
        labels = label_array(list(rows["target"]), names)
        assert ((labels == 0).any(axis=0) & (labels == 1).any(axis=0)).any()
    assert set(table.loc[table["split"] == "external", "fold"]) == {NO_FOLD}
    assert table["fold"].dtype == np.int64


def test_test_rows_are_the_first_by_id() -> None:
    assert sample_of_test([f"t{number:02d}" for number in range(40, 0, -1)]) == [f"t{n:02d}" for n in range(1, 17)]
