"""Data that cannot be used as the configuration says are refused before the DAG is built."""

from collections.abc import Sequence
from typing import Any

import pytest
from fixtures.settings import dataset_settings
from foldline.dataset.labels import Labels
from foldline.dataset.sample_table import Row
from foldline.errors import FoldlineError
from foldline.planning.data_checks import check_data
from foldline.planning.raw_data import RawData
from foldline.planning.samples import Sample, Samples

ATLAS = {"kind": "multilabel", "classes": ["a", "b", "c", "d"], "absent": ["c", "d"]}


def samples(
    labels: Sequence[str], groups: Sequence[str] | None = None, metadata: Sequence[str] | None = None
) -> Samples:
    """Rows with these labels, groups and values of a metadata column."""
    names = groups or [f"s{number}" for number in range(len(labels))]
    values = [(value,) for value in metadata] if metadata else [()] * len(labels)
    rows = zip(labels, names, values, strict=True)
    return Samples.of(
        Sample(Row(number, f"s{number}", label, group, value), "", 0)
        for number, (label, group, value) in enumerate(rows, start=2)
    )


def check(
    dataset: dict[str, Any], labels: Sequence[str], groups: Sequence[str] | None = None, metadata: Sequence[str] = ()
) -> None:
    """Check training rows with these labels and groups, and test rows with these metadata values."""
    train = samples(labels, groups, ["1"] * len(labels) if dataset["metadata_columns"] else None)
    test = samples([""] * max(1, len(metadata)), metadata=metadata or None)
    tables = {"train": "train.csv", "test": "test.csv"}
    check_data(dataset, RawData({"train": train, "test": test}, [], True, tables), fold_count=5)


@pytest.mark.parametrize(
    ("groups", "labels", "message"),
    [
        ("abcdd", "01010", r"only 4 groups \(column patient\): a, b, c, d; set folds\.count to 4 or less$"),
        ("abcde", "00111", r"only 2 groups \(column patient\) with label 0: a, b; set folds\.count to 2 or less$"),
        ("abcde", "01111", r"only 1 group \(column patient\) with label 0: a; add training data$"),
        (
            "abcde",
            "00000",
            r"only 0 groups \(column patient\) with label 1; correct the key of dataset",
        ),
    ],
)
def test_every_fold_needs_a_group_of_each_label(groups: str, labels: str, message: str) -> None:
    with pytest.raises(FoldlineError, match=f"^config: folds.count is 5, but the training data have {message}"):
        check(dataset_settings(group_column="patient"), labels, groups)


def test_groups_of_class_folders_are_shown_with_the_path_that_gave_them() -> None:
    """A word that ends too early gives one group for all images."""
    dataset = dataset_settings(group_column="lesion", class_folders="{class}/{lesion}_*", target_column=None)
    message = r"only 1 group \(column lesion\): HAM; add training data, or correct dataset\.class_folders '\{class\}/"
    with pytest.raises(FoldlineError, match=message):
        check(dataset, "0101", ["HAM"] * 4)


def test_rare_classes_among_several_are_allowed() -> None:
    labels = ["0100", *(["1000"] * 5)]
    check(dataset_settings(labels=ATLAS), labels)
    with pytest.raises(FoldlineError, match="only 1 row with label 1 of b; add training data"):
        check(dataset_settings(labels=ATLAS, submission={"class": "b"}), labels)
    two_classes = {"kind": "multiclass", "classes": ["a", "b"]}
    with pytest.raises(FoldlineError, match=r"only 2 rows with label 1 of b; set folds\.count to 2 or less"):
        check(dataset_settings(labels=two_classes, submission={"class": "b"}), ["01", "01", *(["10"] * 5)])


MOLES = {"kind": "multiclass", "classes": ["a", "b", "c"]}
READ_AS_NUMBERS = Labels("multiclass", ("a", "b", "c"), cells="numbers", first_number=0)


def check_classes(labels: dict[str, Any], codes: Sequence[str], external: Sequence[str] = ()) -> None:
    splits = {"train": samples(codes), "test": samples([""])}
    if external:
        splits["external"] = samples(external)
    tables = {split: f"{split}.csv" for split in splits}
    data = RawData(splits, [], True, tables, labels=READ_AS_NUMBERS)
    check_data(dataset_settings(labels=labels), data, fold_count=2)


def test_a_class_without_a_training_row_is_refused() -> None:
    """A wrong list of classes, or cells of 0 and 1 that were read as the numbers of two classes."""
    message = (
        r"^train\.csv: no training row has the class c of dataset\.labels\.classes \(the cells of column target are "
        r"read as class numbers from 0\); correct .*, or list classes without rows in dataset\.labels\.absent$"
    )
    with pytest.raises(FoldlineError, match=message):
        check_classes(MOLES, ["100", "010"])
    check_classes({**MOLES, "absent": ["c"]}, ["100", "010"])
    check_classes(MOLES, ["100", "010"], external=["001"])
    with pytest.raises(FoldlineError, match=r"dataset\.labels\.absent has c, but training rows have this class"):
        check_classes({**MOLES, "absent": ["c"]}, ["100", "001", "010"])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            [f"{number % 108}" for number in range(216)],
            "108 of 108 values, with 216 of 216 training rows, are in fewer",
        ),
        (["x"] * 40 + [f"{number}" for number in range(60)], "60 of 61 values, with 60 of 100 training rows"),
        (["x"] * 60 + [f"{number}" for number in range(40)], ""),
        ([f"{number % 20}" for number in range(200)], ""),
    ],
)
def test_a_column_of_rare_values_cannot_be_stratified_by(values: list[str], words: str) -> None:
    dataset = dataset_settings(metadata_columns=["age"])
    splits = {"train": samples(["0", "1"] * (len(values) // 2), metadata=values), "test": samples([""], metadata=[""])}
    data = RawData(splits, [], True, {"train": "train.csv", "test": "test.csv"})
    if words:
        with pytest.raises(FoldlineError, match=rf"^config: folds\.stratify_by is \[age\], but {words}"):
            check_data(dataset, data, fold_count=5, stratify_by=["age"])
        check_data(dataset, data, fold_count=5)
    else:
        check_data(dataset, data, fold_count=5, stratify_by=["age"])


def test_a_metadata_value_that_models_cannot_read_is_named() -> None:
    dataset = dataset_settings(metadata_columns=["age"], metadata={"age": {"kind": "numeric", "missing": ["?"]}})
    for readable in ("2.5", "", "?"):
        check(dataset, "0101010101", metadata=[readable])
    message = (
        r"^test\.csv, line 2: age of id 's2' is 'old', not a finite number; line 4: age of id 's4' is '1_0', not a "
        r"finite number; correct the rows, or change dataset\.metadata\.age in the config$"
    )
    with pytest.raises(FoldlineError, match=message):
        check(dataset, "0101010101", metadata=["old", "3", "1_0"])
    with pytest.raises(FoldlineError, match="; and 3 more; correct"):
        check(dataset, "0101010101", metadata=["old"] * 8)


def test_a_wrong_value_hides_none_of_another_column() -> None:
    numeric = {"kind": "numeric"}
    dataset = dataset_settings(metadata_columns=["age", "size"], metadata={"age": numeric, "size": numeric})
    test = Samples.of([Sample(Row(2, "s2", "", "s2", ("old", "big")), "", 0)])
    with pytest.raises(FoldlineError, match=r"^2 problems\n.*age of id 's2' is 'old'.*\n.*size of id 's2' is 'big'"):
        check_data(dataset, RawData({"test": test}, [], True, {"test": "test.csv"}), fold_count=5)


def test_a_class_needs_a_share_of_some_soft_label_and_folds_need_its_rows() -> None:
    soft = {"kind": "soft", "classes": ["a", "b", "c"]}
    check_classes(soft, ["0.5 0.4 0.1", "0.05 0.9 0.05"])
    with pytest.raises(FoldlineError, match=r"^train\.csv: a has the largest share in every training row, but folds"):
        check_classes(soft, ["0.5 0.4 0.1", "0.9 0.05 0.05"])
    with pytest.raises(FoldlineError, match=r"^train\.csv: no training row has the class c of dataset\.labels"):
        check_classes(soft, ["0.5 0.5 0.0", "0.2 0.8 0.0"])
    with pytest.raises(FoldlineError, match=r"only 1 row with label 1; .*: shares above 0\.5"):
        check(dataset_settings(labels={"kind": "soft"}), ["0.4", "0.1", "0.9", "0.5", "0.2", "0.0"])


def test_one_group_is_no_sign_of_too_few_rows() -> None:
    message = r"only 1 group \(column patient\): a; name another column in dataset\.group_column, or set it to null"
    with pytest.raises(FoldlineError, match=message):
        check(dataset_settings(group_column="patient"), "0101", "aaaa")


@pytest.mark.parametrize(
    ("ages", "where"),
    [
        (["", "NA", "", "", "", ""], ""),
        (["30", "31", "", "", "", ""], " but those of 'p0'"),
        (["30", "", "40"] * 2, None),
    ],
)
def test_a_numeric_column_needs_numbers_to_learn_from(ages: list[str], where: str | None) -> None:
    """Else its scale is unknown while the only group with numbers is held out."""
    metadata = {"age": {"kind": "numeric", "missing": ["NA"]}}
    dataset = dataset_settings(metadata_columns=["age"], metadata=metadata)
    train = samples("010101", [f"p{number // 2}" for number in range(6)], ages)
    data = RawData(
        {"train": train, "test": samples([""], metadata=["30"])}, [], True, {"train": "t.csv", "test": "s.csv"}
    )
    if where is None:
        check_data(dataset, data, fold_count=2)
        return
    with pytest.raises(
        FoldlineError, match=rf"^t\.csv: age .* is missing in all training rows{where}, so models cannot"
    ):
        check_data(dataset, data, fold_count=2)
