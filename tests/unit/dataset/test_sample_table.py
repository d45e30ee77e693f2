"""The user's table is read, or an error names the line that is wrong."""

from pathlib import Path

import pytest
from foldline.dataset.sample_table import Columns, Row, parse_row, read_rows
from foldline.errors import FoldlineError

COLUMNS = Columns(id="name", target="mark", group="patient", metadata=("sex", "age"))


HEADER = "mark,name,age,patient,sex,more\n"


def rows_of(folder: Path, text: str | bytes, columns: Columns = COLUMNS) -> list[Row]:
    path = folder / "table.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_rows(path, columns)


def test_rows_are_read_by_column_name(tmp_path: Path) -> None:
    found = rows_of(tmp_path, HEADER + "1,a, 50 ,p1,f,x\n0.0,b,NA,p1,None,\n1.0, c ,60,p2,,\n")
    assert found == [
        Row(2, "a", "1", "p1", ("f", "50")),
        Row(3, "b", "0", "p1", ("", "")),
        Row(4, "c", "1", "p2", ("", "60")),
    ]


def test_tables_saved_by_spreadsheets_are_read(tmp_path: Path) -> None:
    """A byte-order mark, carriage returns, quotes with a comma or a line break, an empty line at the end."""
    text = b'\xef\xbb\xbfname,mark,note\r\n"a,b",1,"two\nlines"\r\n\xc3\xa4,0,\r\n\r\n'
    found = rows_of(tmp_path, text, Columns(id="name", target="mark", group=None))
    assert [(row.id, row.target, row.group, row.line) for row in found] == [("a,b", "1", "a,b", 3), ("ä", "0", "ä", 4)]


def test_a_test_table_has_no_target_and_no_group(tmp_path: Path) -> None:
    assert rows_of(tmp_path, "name\na\n", Columns(id="name", target=None, group=None)) == [Row(2, "a", "", "a", ())]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no column name, mark, patient, sex, age; the table has"),
        ("mark,name,age,sex\n1,a,5,f\n", "no column patient; the table has mark, name, age, sex"),
        ("mark,name,age,patient,sex,age\n", "a column name occurs twice in mark, name, age, patient, sex, age"),
        (HEADER, "the table has a header and no rows"),
        (HEADER + "1,a,5,p,f,\n1,b,5,p,f\n", "line 3: 5 cells, but the header has 6"),
        (HEADER + "1,,5,p,f,\n", r"line 2: the id \(column name\) is empty"),
        (HEADER + "1, ,5,p,f,\n", "is empty"),
        (HEADER + "1,a/b,5,p,f,\n", "line 2: id 'a/b' cannot be part of a file name; rename the sample"),
        (HEADER + "1,a\\b,5,p,f,\n", "cannot be part of a file name"),
        (HEADER + '1,"a\nb",5,p,f,\n', "line 3: id 'a.nb' cannot be part of a file name"),
        (HEADER + "1,..,5,p,f,\n", "cannot be part of a file name"),
        (HEADER + "1,.,5,p,f,\n", "cannot be part of a file name"),
        (HEADER + "2,a,5,p,f,\n", r"line 2: label '2' \(column mark\) of id 'a' is not 0 or 1"),
        (HEADER + "0.5,a,5,p,f,\n", "label '0.5'"),
        (HEADER + ",a,5,p,f,\n", "label ''"),
        (HEADER + "yes,a,5,p,f,\n", "label 'yes'"),
        (HEADER + "1,a,5,,f,\n", r"line 2: the group \(column patient\) of id 'a' is ''; give every sample a group"),
        (HEADER + "1,a,5,NaN,f,\n", "of id 'a' is 'NaN'"),
        (HEADER + "1,a,5,p,f,\n1,b,5,p,f,\n0,a,5,p,f,\n", "id 'a' occurs in line 2 and in line 4"),
    ],
)
def test_invalid_tables_are_refused(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match=words):
        rows_of(tmp_path, text)


def test_a_missing_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match=r"train\.csv: no such table; give its path relative to dataset\.root"):
        read_rows(tmp_path / "train.csv", COLUMNS)


def test_a_table_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_bytes("id,target\nä,1\n".encode("latin-1"))
    with pytest.raises(FoldlineError, match=r"train\.csv: not a CSV table in UTF-8"):
        read_rows(path, Columns(id="id", target="target", group=None))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": " "}, r"f\.tfrec, record 3: the id \(feature name\) is empty"),
        ({"mark": "2"}, r"record 3: label '2' \(feature mark\) of id 'a' is not 0 or 1"),
        ({"patient": ""}, r"record 3: the group \(feature patient\) of id 'a' is ''"),
    ],
)
def test_features_of_a_record_are_checked_like_cells(change: dict[str, str], words: str) -> None:
    cells = {"name": " a ", "mark": "1.0", "patient": "p", "sex": "NA", "age": " 50"}
    assert parse_row("f.tfrec, record 3", 3, cells, COLUMNS, kind="feature") == Row(3, "a", "1", "p", ("", "50"))
    with pytest.raises(FoldlineError, match=words):
        parse_row("f.tfrec, record 3", 3, {**cells, **change}, COLUMNS, kind="feature")
