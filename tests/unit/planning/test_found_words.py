"""Classes and vocabularies that the configuration does not name are those of the labeled rows, or are refused."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from fixtures.pictures import photograph, saved
from fixtures.settings import dataset_settings
from foldline.dataset.sample_table import Row
from foldline.errors import FoldlineError
from foldline.planning.data_index import DataIndexer
from foldline.planning.found_words import (
    found_classes,
    found_vocabularies,
    needs_classes,
    sorted_words,
    with_found_words,
    words_of,
)
from foldline.planning.raw_data import read_raw_data
from foldline.planning.samples import Sample, Samples

FOLDS = {"method": "grouped", "count": 2, "stratify_by": [], "holdout": {"share": 0.0, "column": None, "values": [1]}}


def settings(kind: str = "multiclass", **changes: Any) -> dict[str, Any]:
    return dataset_settings(labels={"kind": kind}, **changes)


def classes_of(kind: str, texts: Sequence[str], rows: Sequence[int]) -> list[str]:
    counts = dict(zip(texts, rows, strict=True))
    return found_classes(settings(kind), cells(*texts), rows=counts, n_rows=sum(rows))


def test_rows_that_count_as_missing_are_told() -> None:
    with pytest.raises(
        FoldlineError, match=r"it has 1 \(cat\), and 8 of 12 rows count as missing \(dataset.missing\);"
    ):
        found_classes(settings("multiclass"), cells("cat"), rows={"cat": 4}, n_rows=12)


def cells(*texts: str) -> dict[str, str]:
    """Label cells with the lines where they occur first."""
    return {text: f"train.csv, line {number}" for number, text in enumerate(texts, start=2)}


@pytest.mark.parametrize(
    ("kind", "texts", "classes"),
    [
        ("multiclass", ("dog", "cat", " emu "), ["cat", "dog", "emu"]),
        ("multiclass", ("10", "9", "2.0", "2"), ["2", "9", "10"]),
        ("multiclass", ("00010", "00002", "00001"), ["00001", "00002", "00010"]),
        ("multiclass", ("b", "7", "a"), ["7", "a", "b"]),
        ("multiclass", ("True", "false"), ["0", "1"]),
        ("multilabel", ("b|a", "c", "a"), ["a", "b", "c"]),
        ("multilabel", ("0 | 12", "3"), ["0", "3", "12"]),
        ("multilabel", ("leaf spot|rust", "bacterial spot"), ["bacterial spot", "leaf spot", "rust"]),
        ("multilabel", ("and/or|b", "c, d"), ["and/or", "b", "c, d"]),
        ("multilabel", ("leaf rust", "scab"), ["leaf rust", "scab"]),
        ("multiclass", ("scab rust", "scab", "rust"), ["rust", "scab", "scab rust"]),
        ("multiclass", ("3 + 4", "4 + 3", "3 4", "4 3"), ["3 + 4", "3 4", "4 + 3", "4 3"]),
    ],
)
def test_classes_are_the_values_of_the_cells(kind: str, texts: tuple[str, ...], classes: list[str]) -> None:
    assert classes_of(kind, texts, [5] * len(texts)) == classes


@pytest.mark.parametrize(
    ("kind", "texts", "words"),
    [
        (
            "multiclass",
            ("0", "0.37"),
            "train.csv, line 3: label '0.37' in column target (dataset.target_column) is a me",
        ),
        (
            "multiclass",
            ("Cat", "dog", "cat"),
            "line 4: class 'cat' in column target (dataset.target_column) differs fro",
        ),
        ("multiclass", ("cat",), "but it has 1 (cat); there may be 2 to 1000: correct dataset.target_column, or name"),
        ("multiclass", (), "but it has 0 (none)"),
        ("multiclass", tuple(f"x{number}" for number in range(1001)), "but it has 1001 (x0, x1, "),
        (
            "multilabel",
            ("0|1|1",),
            "line 2: label '0|1|1' in column target (dataset.target_column) repeats a class, or",
        ),
        (
            "multilabel",
            ("healthy", "scab", "scab rust", "rust scab"),
            "line 4: label 'scab rust' in column target (dataset.target_column): no cell has the separator '|' of "
            "dataset.labels.separator, and labels share words; set separator to ' ' if the cells are lists of classes "
            "(healthy, rust, scab); else",
        ),
        (
            "multiclass",
            ("1.0|0.0|0.0|0.0", "0.0|1.0|0.0|0.0"),
            "line 2: label '1.0|0.0|0.0|0.0' in column target (dataset.target_column) is a list of 4 values of 0 or 1, "
            "one for each class (one-hot); name the classes in dataset.labels.classes in this order, such as [class_0",
        ),
        ("multilabel", ("a", "b, a"), "line 3: label 'b, a' in column target (dataset.target_column): no cell has"),
        ("multilabel", ("a|b", "c", "a, c"), "line 4: a label in column target (dataset.target_column) has the class"),
        ("multilabel", ("a|b", ",c"), "has the class ',c', which starts or ends with punctuation, but classes are"),
        (
            "multiclass",
            ("scab rust", "rust, scab"),
            "line 3: label 'rust, scab' in column target (dataset.target_column) has the words of 'scab rust' (trai",
        ),
    ],
)
def test_cells_that_are_no_classes_are_refused(kind: str, texts: tuple[str, ...], words: str) -> None:
    with pytest.raises(FoldlineError, match=re.escape(words)):
        classes_of(kind, texts, [5] * len(texts))


@pytest.mark.parametrize(
    ("kind", "texts", "words"),
    [
        (
            "multiclass",
            ("31", "45", "52", "60"),
            "4 different values in 7 training rows (31, 45, 52, 60), the rarest in 1 row, so they look ",
        ),
        ("multilabel", ("a1", "a2", "a3", "a4"), "look like ids, not classes, and regression is not supported; set"),
    ],
)
def test_a_value_for_each_row_is_no_class(kind: str, texts: tuple[str, ...], words: str) -> None:
    with pytest.raises(FoldlineError, match=re.escape(words)):
        classes_of(kind, texts, [2, 2, 2, 1])
    assert len(classes_of(kind, texts, [2, 2, 2, 2])) == 4


AGES = range(20, 81)


@pytest.mark.parametrize(
    ("words", "rows", "are_classes"),
    [
        (AGES, [4] + [30] * 60, False),
        (AGES, [5] + [30] * 60, True),
        (range(21), [1] + [30] * 20, True),
        ([1, *range(3, 102)], [1] + [30] * 99, True),
        ([*range(1, 21), 29], [30] * 20 + [1], False),
        (range(1, 61), [3] * 60, True),
        (range(1, 61), [2] * 60, False),
        (range(1, 11), [2] * 10, True),
        ([f"p{number}" for number in range(60)], [2] * 60, False),
        ([7, 100, 2_000_000], [1, 3, 3], True),
    ],
    ids=["ages", "frequent", "codes", "absent code", "counts", "few", "pairs", "small set", "patients", "sparse codes"],
)
def test_rare_numbers_with_gaps_are_no_classes(words: Iterable[Any], rows: list[int], are_classes: bool) -> None:
    texts = list(map(str, words))
    if are_classes:
        assert len(classes_of("multiclass", texts, rows)) == len(texts)
        return
    with pytest.raises(FoldlineError, match=r"not classes, .*, if these are classes, name the classes in dataset"):
        classes_of("multiclass", texts, rows)


def test_tags_of_few_rows_are_classes() -> None:
    assert classes_of("multilabel", ("a|b|c", "d"), (2, 2)) == ["a", "b", "c", "d"]


def test_only_tasks_of_several_classes_without_names_need_them() -> None:
    named = settings()
    named["labels"]["classes"] = ["a", "b"]
    of_columns = settings(target_column=None, target_columns=["a", "b"])
    assert [needs_classes(each) for each in (settings(), named, of_columns, settings("binary"))] == [
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("pattern", "folders", "words"),
    [
        (
            "{class}/**/*",
            ("train",),
            "has 1 (train); there may be 2 to 1000: correct dataset.class_folders '{class}/**/*' so that {class} is "
            "the folder of a class, such as '*/{class}/**/*', or name the classes in dataset.labels.classes",
        ),
        (
            "data",
            ("train",),
            "dataset.class_folders 'data' so that {class} is the folder of a class, such as 'data/*",
        ),
        ("data", ("cat", "0.5"), "in dataset.class_folders is a measurement, not a class, and regression is not su"),
    ],
)
def test_folders_that_are_no_classes_name_their_key(pattern: str, folders: tuple[str, ...], words: str) -> None:
    dataset = {**settings("multiclass"), "class_folders": pattern}
    with pytest.raises(FoldlineError, match=re.escape(words)) as error:
        found_classes(dataset, cells(*folders), rows=dict.fromkeys(folders, 9), n_rows=9 * len(folders))
    assert "target_column" not in str(error.value)


def test_folders_that_are_one_number_are_refused() -> None:
    dataset = {**settings("multiclass"), "class_folders": "{class}"}
    with pytest.raises(FoldlineError, match=r"the folders '1' and '1\.0' are one number"):
        found_classes(dataset, cells("1", "2", "1.0"), rows={"1": 9, "2": 9, "1.0": 9}, n_rows=27)


def samples(*sites: str) -> Samples:
    return Samples.of(Sample(Row(2, f"{n}", "1", f"{n}", (site, "x")), "", 1) for n, site in enumerate(sites))


def test_a_vocabulary_has_the_values_of_labeled_rows() -> None:
    site: dict[str, Any] = {"kind": "categorical", "missing": ["unknown"]}
    metadata = {"site": site, "more": {"kind": "categorical", "vocabulary": ["x"]}}
    dataset = settings(metadata_columns=["site", "more"], metadata=metadata)
    found = found_vocabularies(dataset, [samples("leg", "", "arm"), samples("unknown", "leg", "ear")])
    assert found == {"site": ["arm", "ear", "leg"]}
    completed = with_found_words(dataset, {"classes": ["é", "b"], "vocabularies": found})
    assert completed["metadata"]["site"] == {**dataset["metadata"]["site"], "vocabulary": ["arm", "ear", "leg"]}
    assert words_of(completed) == {
        "classes": ["é", "b"],
        "vocabularies": {"site": ["arm", "ear", "leg"], "more": ["x"]},
    }
    with pytest.raises(FoldlineError, match=r"dataset\.metadata\.site\.vocabulary is empty, .* they have 0 different"):
        found_vocabularies(dataset, [samples("", "unknown")])
    with pytest.raises(FoldlineError, match="labeled rows, but 'Leg', 'leg' differ only in case; correct the table"):
        found_vocabularies(dataset, [samples("leg", "arm", "Leg")])
    assert sorted_words(["b", "10", "a", "9.5"]) == ["9.5", "10", "a", "b"]


def test_the_data_are_read_with_the_classes_that_were_found(tmp_path: Path) -> None:
    """Checks that need the classes run as soon as they are known."""
    for name in "abc":
        (tmp_path / f"{name}.jpg").write_bytes(saved(photograph(8, 8), "JPEG"))
    (tmp_path / "train.csv").write_text("id,target\na,dog\nb,cat\n")
    (tmp_path / "test.csv").write_text("id\nc\n")
    dataset = settings(
        root=str(tmp_path), train_images="{id}.jpg", test_images="{id}.jpg", sample_submission=None, metadata_columns=[]
    )
    data = read_raw_data(dataset, record_tables=str(tmp_path))
    assert (data.found, data.labels.classes) == ({"classes": ["cat", "dog"]}, ("cat", "dog"))
    assert [sample.row.target for sample in data.splits["train"]] == ["01", "10"]
    assert data.submission == ["id", "cat", "dog", "c"]
    dataset["submission"]["class"] = "fox"
    with pytest.raises(
        FoldlineError, match=r"dataset\.submission\.class is 'fox', but 'fox' is not a class; set it to"
    ):
        read_raw_data(dataset, record_tables=str(tmp_path))


def test_the_index_holds_what_was_found(tmp_path: Path) -> None:
    """The checks of the rows know the words, and a plan from the stored index has them too."""
    for number in range(6):
        (tmp_path / f"{number}.jpg").write_bytes(saved(photograph(8 + number, 8), "JPEG"))
    (tmp_path / "train.csv").write_text("id,target,site\n0,dog,leg\n1,cat,arm\n2,cat,leg\n3,dog,arm\n")
    (tmp_path / "test.csv").write_text("id,site\n4,arm\n5,leg\n")
    (tmp_path / "sample_submission.csv").write_text("id,cat,dog\n4,0,0\n5,0,0\n")
    site = {"metadata_columns": ["site"], "metadata": {"site": {"kind": "categorical"}}}
    dataset = settings(root=str(tmp_path), train_images="{id}.jpg", test_images="{id}.jpg", **site)
    config = {"dataset": dataset, "folds": FOLDS, "leaks": {"confirmed": None, "contradictory_labels": "report"}}
    words = {"classes": ["cat", "dog"], "vocabularies": {"site": ["arm", "leg"]}}
    for _ in range(2):
        indexer = DataIndexer(config, folder=tmp_path / "index", pinned=None, record_tables=str(tmp_path / "raw"))
        index = indexer.read()
        assert index.found == words
        indexer.store(index)
    (tmp_path / "test.csv").write_text("id,site\n4,arm\n5,ear\n")
    indexer = DataIndexer(config, folder=tmp_path / "index", pinned=None, record_tables=str(tmp_path / "raw"))
    with pytest.raises(
        FoldlineError, match=r"test\.csv, line 3: site of id '5' is 'ear', not in the vocabulary arm, leg"
    ):
        indexer.read()
