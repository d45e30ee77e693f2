"""Tables with one row per sample and class become one row per sample."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from foldline.dataset.columns import Columns
from foldline.dataset.labels import Labels
from foldline.dataset.row_per_class import RowPerClass
from foldline.dataset.sample_table import read_rows
from foldline.dataset.submission import check_sample_ids, read_sample, write_submission
from foldline.errors import FoldlineError, SeveralProblemsError

CLASSES = ("epidural", "any")
FORM = RowPerClass("{id}_{class}", CLASSES)
COLUMNS = Columns(
    id="ID",
    target="Label",
    group="patient",
    labels=Labels("multilabel", CLASSES, empty=True, cells="flags"),
    row_per_class=FORM,
)
TABLE = """ID,Label,patient
a_any,1,p
ID_b_epidural,0,q
a_epidural,0,p
ID_b_any,0.0,q
ID_b_any,0,q
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text)
    return path


def test_rows_of_a_sample_are_joined_in_the_order_of_the_classes(tmp_path: Path) -> None:
    """A row that is there twice with one label, as in the competition's own table, counts once."""
    rows = read_rows(written(tmp_path, TABLE), COLUMNS)
    assert [(row.line, row.id, row.target, row.group) for row in rows] == [(2, "a", "01", "p"), (3, "ID_b", "00", "q")]


def test_a_test_table_may_have_one_row_per_class_or_per_sample(tmp_path: Path) -> None:
    test = replace(COLUMNS, target=None, group=None)
    assert [row.id for row in read_rows(written(tmp_path, TABLE), test)] == ["a", "ID_b"]
    assert [row.id for row in read_rows(written(tmp_path, "ID\na\nID_b\n"), test)] == ["a", "ID_b"]
    with pytest.raises(
        FoldlineError, match=r"line 3: id 'b' \(column ID\); an id is '{id}_{class}' with one of the cl"
    ):
        read_rows(written(tmp_path, "ID\na_any\nb\n"), test)


def test_a_test_table_may_lack_all_rows_of_a_class(tmp_path: Path) -> None:
    test = replace(COLUMNS, target=None, group=None)
    assert [row.id for row in read_rows(written(tmp_path, "ID\na_any\nID_b_any\n"), test)] == ["a", "ID_b"]
    table = written(tmp_path, "ID\na_any\nID_b_any\nID_b_epidural\n")
    with pytest.raises(FoldlineError, match="line 2: id 'a' has no row of the class epidural; every sample needs"):
        read_rows(table, test)
    labeled = written(tmp_path, "ID,Label,patient\na_any,1,p\nID_b_any,0,q\n")
    with pytest.raises(FoldlineError, match="line 2: id 'a' has no row of the class epidural; line 3"):
        read_rows(labeled, COLUMNS)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            ("a_any", "a_all"),
            "line 2: id 'a_all' (column ID); an id is '{id}_{class}' with one of the classes epidural",
        ),
        (("a_any,1", "c_any,1"), "line 2: id 'c' has no row of the class epidural; line 4: id 'a' has no row of the"),
        (("a_any,1,p", "a_any,1,q"), "line 2: id 'a' has several values in column patient; all rows of a sample need"),
        (("ID_b_any,0,q", "ID_b_any,1,q"), "line 6: another label than in line 5, for one id; keep one of the rows"),
        (("a_any,1", "a_any,0.5"), "line 2: the label of id 'a' has '0.5' in column Label of any, not 0 or 1 (for"),
        (("a_any,1", "a_any,"), "line 2: the label of id 'a' has '' in column Label of any, not 0 or 1; correct the"),
    ],
)
def test_rows_that_do_not_fit_are_refused(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    with pytest.raises(FoldlineError, match=re.escape(words)):
        read_rows(written(tmp_path, TABLE.replace(*change)), COLUMNS)


def test_all_problems_of_the_rows_are_reported(tmp_path: Path) -> None:
    text = TABLE.replace("ID_b_any,0,q", "ID_b_any,1,q").replace("a_epidural,0,p", "a_epidural,0,r")
    with pytest.raises(SeveralProblemsError) as caught:
        read_rows(written(tmp_path, f"{text}x,0,p\nc_any,0,p\nd_any,7,p\nd_epidural,0,p\n"), COLUMNS)
    starts = (
        "line 7: id 'x' ",
        "line 6: another label",
        "line 8: id 'c' has no row",
        "line 2: id 'a' has several values",
    )
    expected = [*starts, "line 9: the label of id 'd' has '7'"]
    assert len(caught.value.problems) == len(expected)
    for line, start in zip(caught.value.problems, expected, strict=True):
        assert start in line


def test_the_longest_class_that_fits_is_meant() -> None:
    form = RowPerClass("{id}-{class}", ("any", "any-left"))
    assert [form.split(name) for name in ("x-any", "x-any-left", "x-y-any", "any", "-any")] == [
        ("x", "any"),
        ("x", "any-left"),
        ("x-y", "any"),
        None,
        None,
    ]
    assert RowPerClass("{class}/{id}.", ("a",)).split("a/b.") == ("b", "a")
    assert form.name("x", "any-left") == "x-any-left"


def test_the_submission_has_the_rows_of_the_sample(tmp_path: Path) -> None:
    path = written(tmp_path, "ID,Label\nb_any,0.5\na_epidural,0.5\na_any,0.5\nb_epidural,0.5\n")
    sample = read_sample(path, id_column="ID", columns=["Label"], row_per_class=FORM)
    assert sample.ids == ["b", "a"]
    # A row of another class or another order is another submission.
    assert sample.facts() == ["ID", "Label", "b_any", "a_epidural", "a_any", "b_epidural"]
    write_submission(tmp_path / "out.csv", sample=sample, columns=["Label"], cells=[[0.1, 0.2], [0.3, 0.4]])
    assert (tmp_path / "out.csv").read_text() == "ID,Label\nb_any,0.2\na_epidural,0.3\na_any,0.4\nb_epidural,0.1\n"
    with pytest.raises(FoldlineError, match=r"line 2: id 'b'; an id is '{id}_{class}' with one of the classes"):
        path = written(tmp_path, "ID,Label\nb,0.5\n")
        check_sample_ids(read_sample(path, id_column="ID", columns=["Label"], row_per_class=FORM))
