"""Rows of equal image files with different labels are named before any job."""

from typing import Any

import pytest
from fixtures.settings import dataset_settings
from foldline.dataset.sample_table import Row
from foldline.errors import FoldlineError
from foldline.planning.equal_files import CONTRADICTIONS, find_contradictions
from foldline.planning.raw_data import RawData
from foldline.planning.samples import Sample, Samples

REPORT, REFUSE = {"contradictory_labels": "report"}, {"contradictory_labels": "error"}
CLASSES = {"kind": "multiclass", "classes": ["a", "b", "c"]}


def samples(*rows: tuple[str, str, str], first: int = 2, files: tuple[str, ...] = ()) -> Samples:
    """Rows of content, label code, and path; a file of records has no path."""
    listed = [
        Sample(Row(first + number, f"id{first + number}", code, f"g{number}", ()), content, 9)
        for number, (content, code, _) in enumerate(rows)
    ]
    made = Samples.of(listed)
    ids = [sample.row.id for sample in listed]
    images = {"id": ids, "path": [path for *_, path in rows]} if not files else {"id": ids, "path": []}
    return Samples(made.rows, made.contents, made.sizes, files, images=images)


def found(leaks: dict[str, Any] = REPORT, *, labels: Any = None, keys: Any = None, **splits: Samples) -> list[str]:
    dataset = dataset_settings(labels=labels or CLASSES, **(keys or {}))
    tables = {split: f"{split}.csv" for split in splits}
    texts: list[str] = find_contradictions(leaks, RawData(splits, [], True, tables), dataset).get(CONTRADICTIONS, [])
    return texts


def test_one_file_of_two_labels_is_named_with_its_rows() -> None:
    train = samples(("x", "100", "im/1.png"), ("y", "010", "im/2.png"), ("x", "010", "im/1.png"))
    (text,) = found(train=train)
    assert text == (
        "1 image with different labels in several rows: im/1.png, train.csv: line 2, id 'id2' (a), line 4, id 'id4' (b)"
        "; correct the labels or remove the rows; to refuse such rows, set leaks.contradictory_labels to error"
    )
    with pytest.raises(FoldlineError, match=r"id 'id4' \(b\); correct the labels or remove the rows, or set leaks.con"):
        found(REFUSE, train=train)


def test_equal_labels_other_files_and_test_rows_are_no_contradiction() -> None:
    train = samples(("x", "100", "1"), ("x", "100", "1"), ("", "100", "2"), ("", "010", "3"), ("y", "010", "4"))
    assert found(REFUSE, train=train, test=samples(("x", "", "1"), ("y", "", "4"))) == []


def test_equal_files_of_several_tables() -> None:
    train, more = samples(("x", "100", "1.png")), samples(("x", "001", "more/1.png"), first=7)
    (text,) = found(train=train, more=more, keys={"external": {"more": {}}})
    assert "1.png, more/1.png (equal files), train.csv: line 2, id 'id2' (a); more.csv: line 7, id 'id7' (c); " in text


def test_soft_labels_differ_by_the_largest_share_and_binary_ones_are_numbers() -> None:
    soft = {"kind": "soft", "classes": ["a", "b"]}
    same = samples(("x", "0.6 0.4", "1"), ("x", "0.9 0.1", "1"))
    other = samples(("x", "0.6 0.4", "1"), ("x", "0.4 0.6", "1"))
    assert found(labels=soft, train=same) == []
    assert "id 'id2' (a), line 3, id 'id3' (b); " in found(labels=soft, train=other)[0]
    (text,) = found(labels={"kind": "binary"}, train=samples(("x", "0", "1"), ("x", "1", "1")))
    assert "id 'id2' (0), line 3, id 'id3' (1); " in text


def test_many_of_them_are_counted_and_every_label_is_shown() -> None:
    rows = [(str(n % 5), "010" if n == 49 else "100", f"{n % 5}.png") for n in range(50)]
    rows += [(str(n), "001", f"{n}.png") for n in range(5)]
    (text,) = found(train=samples(*rows))
    assert "4.png" not in text
    assert "; and 2 more; correct" in text
    assert "0.png, train.csv: line 2, id 'id2' (a), line 52, id 'id52' (c), line 7, id 'id7' (a)" in text
    assert " and 7 more rows; " in text
