"""Data that cannot be used as the configuration says are refused before the DAG is built."""

from collections.abc import Sequence
from typing import Any

import pytest
from fixtures.settings import dataset_settings
from foldline.dataset.sample_table import Row
from foldline.errors import FoldlineError
from foldline.planning.data_checks import check_data
from foldline.planning.raw_data import RawData, Sample

ATLAS = {"kind": "multilabel", "classes": ["a", "b", "c", "d"]}


def check(
    dataset: dict[str, Any], labels: Sequence[str], groups: Sequence[str] | None = None, metadata: str = ""
) -> None:
    """Check training rows with these labels and groups, and a test row with this metadata value."""
    names = groups or [f"s{number}" for number in range(len(labels))]
    values = ("1",) if dataset["metadata_columns"] else ()
    train = [
        Sample(Row(number + 2, f"s{number}", label, group, values), "", 0)
        for number, (label, group) in enumerate(zip(labels, names, strict=True))
    ]
    test = [Sample(Row(2, "t0", "", "t0", (metadata,) if values else ()), "", 0)]
    tables = {"train": "train.csv", "test": "test.csv"}
    check_data(dataset, RawData({"train": train, "test": test}, [], True, tables), fold_count=5)


@pytest.mark.parametrize(
    ("groups", "labels", "message"),
    [
        ("abcdd", "01010", r"only 4 groups \(column patient\); set folds\.count to 4 or less$"),
        ("abcde", "00111", r"only 2 groups \(column patient\) with label 0; set folds\.count to 2 or less$"),
        ("abcde", "01111", r"only 1 group \(column patient\) with label 0; add training data$"),
        ("abcde", "00000", r"only 0 groups \(column patient\) with label 1; add training data$"),
    ],
)
def test_every_fold_needs_a_group_of_each_label(groups: str, labels: str, message: str) -> None:
    with pytest.raises(FoldlineError, match=f"^config: folds.count is 5, but the training data have {message}"):
        check(dataset_settings(group_column="patient"), labels, groups)


def test_rare_classes_among_several_are_allowed() -> None:
    labels = ["0100", *(["1000"] * 5)]
    check(dataset_settings(labels=ATLAS), labels)
    with pytest.raises(FoldlineError, match="only 1 row with label 1 of b; add training data"):
        check(dataset_settings(labels=ATLAS, submission={"class": "b"}), labels)
    two_classes = {"kind": "multiclass", "classes": ["a", "b"]}
    with pytest.raises(FoldlineError, match=r"only 2 rows with label 1 of b; set folds\.count to 2 or less"):
        check(dataset_settings(labels=two_classes, submission={"class": "b"}), ["01", "01", *(["10"] * 5)])


def test_a_metadata_value_that_models_cannot_read_is_named() -> None:
    dataset = dataset_settings(metadata_columns=["age"], metadata={"age": {"kind": "numeric", "missing": ["?"]}})
    for readable in ("2.5", "", "?"):
        check(dataset, "0101010101", metadata=readable)
    message = r"^test\.csv, line 2: age of id 't0' .*'old'.*; correct the row, or change dataset\.metadata\.age in the"
    with pytest.raises(FoldlineError, match=message):
        check(dataset, "0101010101", metadata="old")
