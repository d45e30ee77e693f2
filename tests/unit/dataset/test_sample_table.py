"""The user's table is read, or an error names the line that is wrong."""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from foldline.dataset.columns import Columns
from foldline.dataset.labels import Labels
from foldline.dataset.record_cells import RecordCells, parse_record
from foldline.dataset.sample_table import Row, read_rows, read_sample_table
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
    assert [(row.id, row.target, row.group, row.line) for row in found] == [("a,b", "1", "a,b", 2), ("ä", "0", "ä", 4)]


def test_a_test_table_has_no_target_and_no_group(tmp_path: Path) -> None:
    assert rows_of(tmp_path, "name\na\n", Columns(id="name", target=None, group=None)) == [Row(2, "a", "", "a", ())]


ONE_HOT = Columns(
    id="name",
    target="MEL, NV",
    group=None,
    labels=Labels("multiclass", ("MEL", "NV"), cells="flags"),
    target_columns=("MEL", "NV"),
)


def test_other_cells_of_class_columns_mean_what_the_configuration_says(tmp_path: Path) -> None:
    """Empty cells, NaN and -1, as a table of findings in reports has them."""
    text = "name,MEL,NV\na,,1.0\nb,-1.0,NaN\nc,-1,0\n"
    for values, codes in ({"blank": 0, -1: 1}, ["01", "10", "10"]), ({"blank": 0, "-1": 0}, ["01", "00", "00"]):
        section = {"kind": "multilabel", "classes": ["MEL", "NV"], "separator": "|", "empty": True, "exclusive": None}
        labels = Labels.from_config({**section, "cells": "flags", "first_number": "auto", "values": values})
        # As a step gets them.
        again = Labels.from_config(json.loads(json.dumps(asdict(labels))))
        for read in labels, again:
            assert [row.target for row in rows_of(tmp_path, text, replace(ONE_HOT, labels=read))] == codes
    with pytest.raises(
        FoldlineError, match=r"'-1.0' in column MEL.*say what other cells mean in dataset.labels.values"
    ):
        rows_of(tmp_path, text, replace(ONE_HOT, labels=replace(labels, values=(("blank", "0"),))))


def test_an_absent_class_column_is_the_only_problem(tmp_path: Path) -> None:
    with pytest.raises(FoldlineError) as caught:
        rows_of(tmp_path, "MEL,name\n1,a\n0,b\n", ONE_HOT)
    assert str(caught.value).endswith("no column NV; the table has MEL, name")


def test_a_column_for_each_class_gives_the_label(tmp_path: Path) -> None:
    """As floats, Booleans and whole numbers, in any order of the columns."""
    found = rows_of(tmp_path, "NV,name,MEL\n0.0,a,1.0\nTrue,b,False\n1,c,0\n", ONE_HOT)
    assert [row.target for row in found] == ["10", "01", "01"]


def test_columns_of_a_multilabel_task_may_have_no_class(tmp_path: Path) -> None:
    labels = Labels("multilabel", ("MEL", "NV"), cells="flags", empty=True)
    found = rows_of(tmp_path, "name,MEL,NV\na,1,1\nb,0,0\n", replace(ONE_HOT, labels=labels))
    assert [row.target for row in found] == ["11", "00"]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("a,1,1\n", "line 2: label '1|1' (column MEL, NV) of id 'a' has 2 classes; each sample has one class"),
        ("a,0,0\n", "of id 'a' has 0 classes; each sample has one class"),
        ("a,1,0\nb,1,\n", "line 3: the label of id 'b' has '' in column NV, not 0 or 1; correct the table, say what"),
        (
            "a,1,1\nb,no,0\nc,0,0\n",
            "each sample has one class; line 3: the label of id 'b' has 'no' "
            "in column MEL, not 0 or 1; line 4: the label of id 'c' has 0 classes; each",
        ),
        ("a,2,yes\n", "has '2' in column MEL, 'yes' in column NV, not 0 or 1"),
        (
            "a,0.3,0.7\nb,1,0\nc,.5,.5\n",
            "line 2: the label of id 'a' has '0.3' in column MEL, '0.7' in column NV, not 0 or 1 (for votes or "
            "probabilities, set dataset.labels.kind to soft); line 4: ",
        ),
    ],
)
def test_columns_of_classes_that_do_not_fit_are_refused(tmp_path: Path, rows: str, words: str) -> None:
    with pytest.raises(FoldlineError, match=re.escape(words)):
        rows_of(tmp_path, f"name,MEL,NV\n{rows}", ONE_HOT)


def test_columns_may_have_other_names_or_be_absent(tmp_path: Path) -> None:
    columns = Columns("name", None, None, ("sex", "age"), optional=("age",), renamed={"name": "ImageId", "sex": "s"})
    assert rows_of(tmp_path, "s;ImageId\nf;a\n", columns) == [Row(2, "a", "", "a", ("f", ""))]
    assert rows_of(tmp_path, "age,s,ImageId\n5,f,a\n", columns) == [Row(2, "a", "", "a", ("f", "5"))]
    with pytest.raises(FoldlineError, match=r"no column ImageId; the table has name, s"):
        rows_of(tmp_path, "name,s\na,f\n", columns)


def test_the_group_may_also_be_metadata(tmp_path: Path) -> None:
    columns = Columns("name", "mark", "patient", ("patient",))
    assert rows_of(tmp_path, HEADER + "1,a,5,p1,f,\n", columns) == [Row(2, "a", "1", "p1", ("p1",))]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no column name, mark, patient, sex, age; the file is empty"),
        ("mark,name,age,sex\n1,a,5,f\n", "no column patient; the table has mark, name, age, sex"),
        (
            "mark,name,age,patient,sex,age\n",
            r"a column name occurs twice \(age\) in mark, name, age, patient, sex, age",
        ),
        (HEADER, "the table has a header and no rows"),
        (HEADER + "1,a,5,p,f,\n1,b,5,p,f\n", "line 3: 5 cells; the header has 6, separated by comma; correct"),
        (HEADER + "1,,5,p,f,\n", r"line 2: the id \(column name\) is empty"),
        (HEADER + "1, ,5,p,f,\n", "is empty"),
        (HEADER + "1,/,5,p,f,\n", "line 2: id '/' cannot be part of a path, such as a1 or cat/a1; give every"),
        (HEADER + "1,../a,5,p,f,\n", "cannot be part of a path"),
        (HEADER + '1,"a\nb",5,p,f,\n', "line 2: id 'a.nb' cannot be part of a path"),
        (HEADER + "1,..,5,p,f,\n", "cannot be part of a path"),
        (HEADER + "1,.,5,p,f,\n", "cannot be part of a path"),
        (HEADER + "2,a,5,p,f,\n", r"line 2: label '2' \(column mark\) of id 'a' is not 0 or 1"),
        (HEADER + "0.5,a,5,p,f,\n", "label '0.5'"),
        (HEADER + ",a,5,p,f,\n", "label ''"),
        (HEADER + "yes,a,5,p,f,\n", "label 'yes'"),
        (
            HEADER + "1,a,5,,f,\n",
            r"line 2: the group \(column patient\) of id 'a' is '', which counts as missing; give every",
        ),
        (HEADER + "1,a,5,NaN,f,\n", "of id 'a' is 'NaN'"),
        (HEADER + "1,a,5,p,f,\n1,b,5,p,f,\n0,a,5,p,f,\n", "line 4: id 'a' is also in line 2; ids must be unique"),
        (
            HEADER + "1,é,5,p,f,\n1,b,5,p,f,\n0,e\u0301,5,p,f,\n",
            "line 4: id 'e\u0301' is also in line 2, in another Unicode spelling of its accents .*; ids must be unique",
        ),
    ],
)
def test_invalid_tables_are_refused(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match=words):
        rows_of(tmp_path, text)


def test_accents_have_one_spelling_but_ids_stay(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, HEADER + "1,e\u0301,5,Zu\u0308rich,f,\n0,ü,5,Zürich,f,\n")
    assert [row.id for row in rows] == ["e\u0301", "ü"]
    assert {row.group for row in rows} == {"Zürich"}


def test_a_missing_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match=r"train\.csv: no such table; give its path relative to dataset\.root"):
        read_rows(tmp_path / "train.csv", COLUMNS)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": " "}, r"f\.tfrec, record 3: the id \(feature name\) is empty"),
        ({"name": "a\rb"}, r"record 3: id 'a\\rb' cannot be part of a path"),
        ({"patient": ""}, r"record 3, id 'a': the group \(feature patient\) is ''"),
        ({"patient": "N/A"}, r"record 3, id 'a': the group \(feature patient\) is 'N/A', which counts as missing"),
    ],
)
def test_features_of_a_record_are_checked_like_cells(change: dict[str, str], words: str) -> None:
    cells = {"name": " a ", "mark": "1.0", "patient": "3.0", "sex": "NA", "age": " 50"}
    assert parse_record("f.tfrec, record 3", cells, COLUMNS) == RecordCells("a", "1.0", "3", ("", "50"))
    with pytest.raises(FoldlineError, match=words):
        parse_record("f.tfrec, record 3", {**cells, **change}, COLUMNS)


def test_all_problems_of_a_kind_are_in_one_message(tmp_path: Path) -> None:
    lines = [f"{number % 2},i{number},5,p{number},f," for number in range(10)]
    for number in (2, 4):
        lines[number] = f"yes,i{number},5,p{number},f,"
    with pytest.raises(
        FoldlineError, match=r"line 4: label 'yes' \(.*\) of id 'i2' and of 1 more row is not 0 or 1; set"
    ):
        rows_of(tmp_path, HEADER + "\n".join(lines))
    lines = [line.replace("yes,", "0,").replace(f"p{number},", "N/A,") for number, line in enumerate(lines)]
    with pytest.raises(FoldlineError, match=r"line 2: the group .* 'i0' is 'N/A'.*; line 6: .*; and 5 more; give"):
        rows_of(tmp_path, HEADER + "\n".join(lines))


@pytest.mark.parametrize("character", [*"\t\x0b\x0c\x7f\x85\u2028\u2029"])
def test_an_id_with_a_control_character_or_a_line_separator_is_refused(character: str, tmp_path: Path) -> None:
    """Such ids broke the lines of caches and logs, or could not be found again."""
    with pytest.raises(FoldlineError, match=r"line 3: id 'x.*y' cannot be part of a path"):
        rows_of(tmp_path, f"{HEADER}1,a,5,p,f,\n1,x{character}y,5,p,f,\n")


@pytest.mark.parametrize(
    "name", ["a b", "ä", "日本", "a'b", 'a"b', "a,b", "a;b", "{id}", "{channel}", "-", "#1", "=1+1", "~"]
)
def test_other_unusual_ids_are_read(name: str, tmp_path: Path) -> None:
    quoted = name.replace('"', '""')
    assert [row.id for row in rows_of(tmp_path, f'{HEADER}1,"{quoted}",5,p,f,\n')] == [name]


def test_problems_of_ids_and_groups_are_in_one_report(tmp_path: Path) -> None:
    lines = ["0,i0,5,p0,f,", "1,i0,5,p1,f,", "1,i2,5,N/A,f,"]
    with pytest.raises(FoldlineError) as error:
        rows_of(tmp_path, HEADER + "\n".join(lines))
    title, ids, groups = str(error.value).splitlines()
    assert title == "2 problems"
    assert "line 3: id 'i0' is also in line 2" in ids
    assert "line 4: the group (column" in groups


def test_equal_values_have_one_spelling_in_labels_groups_and_metadata(tmp_path: Path) -> None:
    """A column of whole numbers is written as 3 or, if another row is empty, as 3.0; spreadsheets write TRUE."""
    found = rows_of(
        tmp_path, HEADER + "True,a,3.0,7.0,TRUE,\n1.0,b,3,7,1,\nFALSE,c,-0.0,07,no,\n0,d,2.50,1e+16,false,\n"
    )
    assert [row.target for row in found] == ["1", "1", "0", "0"]
    assert [row.group for row in found] == ["7", "7", "07", "10000000000000000"]
    assert [row.metadata for row in found] == [("1", "3"), ("1", "3"), ("no", "0"), ("0", "2.50")]


def test_missing_words_are_one_list_for_labels_groups_and_metadata(tmp_path: Path) -> None:
    columns = Columns("name", "mark", "patient", ("sex", "age"), missing=("unknown", "-1"))
    text = HEADER + "1,a,-1.0,NA,Unknown,\n"
    assert rows_of(tmp_path, text, columns) == [Row(2, "a", "1", "NA", ("", ""))]
    with pytest.raises(FoldlineError, match=r"the group .* of id 'a' is 'NA', which counts as missing"):
        rows_of(tmp_path, text)
    with pytest.raises(FoldlineError, match="is 'UNKNOWN', which counts as missing"):
        rows_of(tmp_path, HEADER + "1,a,5,UNKNOWN,f,\n", columns)
    with pytest.raises(FoldlineError, match=r"label '-1' .* counts as missing \(dataset.missing\) and is not 0 or 1"):
        rows_of(tmp_path, HEADER + "-1,a,5,p,f,\n", columns)


@pytest.mark.parametrize(
    "word", ["", "NA", "na", "N/A", "n/a", "<NA>", "#N/A", "#NA", "NaT", "None", "nan", "NaN", "null", "NULL", "-nan"]
)
def test_what_pandas_and_people_write_for_missing_is_missing(word: str, tmp_path: Path) -> None:
    assert rows_of(tmp_path, f"{HEADER}1,a,{word},p,{word},\n")[0].metadata == ("", "")
    with pytest.raises(FoldlineError, match="which counts as missing"):
        rows_of(tmp_path, f"{HEADER}1,a,5,{word},f,\n")


def test_an_error_of_a_label_says_how_the_cells_are_read(tmp_path: Path) -> None:
    message = (
        r"line 4: label '1' \(column dx\) of id 'c' contains '1', which is not a class; the classes are MEL, NV, BCC; "
        "the cells are read as class names; correct the table, or dataset.labels in the config"
    )
    with pytest.raises(FoldlineError, match=message):
        rows_of(tmp_path, "id,dx\na,MEL\nb,NV\nc,1\n", Columns("id", "dx", None, labels=DIAGNOSES))


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ("0\n0.3\n1\n", "regression is not supported; if these are probabilities, set dataset.labels.kind to soft"),
        ("0\n37.5\n0.3\n", "these are measurements, and regression is not supported; set dataset.target_column to a"),
        ("0\n63\n0.3\n", "if the numbers stand for classes, set dataset.labels.kind to multiclass; regression is not"),
        ("0\nyes\n0.3\n", "set dataset.labels.kind to multiclass if the words are classes, else correct the table"),
    ],
)
def test_regression_targets_are_refused_by_name(tmp_path: Path, cells: str, words: str) -> None:
    lines = "".join(f"{number},{cell}\n" for number, cell in enumerate(cells.split()))
    with pytest.raises(FoldlineError, match=f"line 3: .*is not 0 or 1; .*{re.escape(words)}"):
        rows_of(tmp_path, f"id,y\n{lines}", Columns("id", "y", None))


@pytest.mark.parametrize("start", ["./x/", ".//x/", "/x/", "x//", "x\\", ".\\x\\", "x/./"])
def test_ids_that_are_paths_have_one_spelling(start: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    table = tmp_path / "train.csv"
    table.write_text(f"path,y\n{start}a.png,0\nx/b.png,1\n")
    read = read_sample_table(table, Columns("path", "y", None))
    assert read.ids == ["x/a.png", "x/b.png"]
    assert read.spellings["x/a.png"] == f"{start}a.png"
    words = f"column path: {start + 'a.png'!r} has the id 'x/a.png' in all results but the submission, because ids have"
    assert words in caplog.text
    assert "number of such ids: 1" in caplog.text


def test_ids_that_differ_in_the_spelling_of_their_path_alone_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match="line 3: id 'x/a' is also in line 2"):
        rows_of(tmp_path, "path,y\n./x/a,0\nx/a,1\n", Columns("path", "y", None))


@pytest.mark.parametrize(
    ("labels", "cell", "words"),
    [
        (
            Labels(),
            "NA",
            "give every sample a label, or remove it from the table; if 'NA' is a class, set dataset.missing to a list "
            "without it, such as ['', NaN], and dataset.labels.kind to multiclass",
        ),
        (Labels(), "", "is not 0 or 1; give every sample a label, or remove it from the table"),
        (
            Labels("multiclass", ("0", "1")),
            "NA",
            "give every sample a label, or remove it from the table; if 'NA' is a class, set dataset.missing to a list "
            "without it, such as ['', NaN]",
        ),
        (Labels("soft"), "NA", "give every sample a label, or remove it from the table"),
    ],
)
def test_a_missing_label_is_no_word_of_a_class(tmp_path: Path, labels: Labels, cell: str, words: str) -> None:
    with pytest.raises(FoldlineError, match=f"line 3: .*{re.escape(words)}$"):
        rows_of(tmp_path, f"id,y\na,0\nb,{cell}\nc,1\n", Columns("id", "y", None, labels=labels))


def test_missing_labels_hide_no_remedy_of_others(tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match=r"multiclass; set dataset\.labels\.kind to multiclass if the words are"):
        rows_of(tmp_path, "id,y\na,0\nb,NA\nc,yes\n", Columns("id", "y", None))


SOFT = Columns("id", "A, B", None, labels=Labels("soft", ("A", "B"), cells="flags"), target_columns=("A", "B"))


def test_columns_of_votes_and_probabilities_are_soft_labels(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        rows = rows_of(tmp_path, "id,A,B\na,1,3\nb,0.5,0.5\nc,2,2\nd,0.0,1.0\n", SOFT)
    assert [row.target for row in rows] == ["0.25 0.75", "0.5 0.5", "0.5 0.5", "0.0 1.0"]
    scaled, tied = caplog.messages
    assert "the soft labels of 2 rows do not have the sum 1, but 4, so they are divided by" in scaled
    assert "2 soft labels without a single largest share, which count as the first of the tied classes" in tied


def test_soft_labels_that_are_no_shares_are_refused_by_row(tmp_path: Path) -> None:
    with pytest.raises(FoldlineError) as error:
        rows_of(tmp_path, "id,A,B\na,1,3\nb,-1,2\nc,,1\nd,0,0\ne,x,1\n", SOFT)
    for words in (
        "line 3: the label of id 'b' has '-1' in column A, which is not a number of at least 0",
        "line 4: the label of id 'c' has '' in column A, which is not a number of at least 0",
        "line 5: the label of id 'd' has 0 in all columns (A, B), so no class has a share",
        "line 6: the label of id 'e' has 'x' in column A, which",
    ):
        assert words in str(error.value)


def test_a_single_column_of_soft_labels_holds_probabilities(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    columns = Columns("id", "y", None, labels=Labels("soft"))
    with caplog.at_level("INFO"):
        rows = rows_of(tmp_path, "id,y\na,0.09\nb,1\nc,0.5\n", columns)
    assert [row.target for row in rows] == ["0.09", "1.0", "0.5"]
    assert "1 soft label without a single largest share, which count as negative" in caplog.text
    with pytest.raises(
        FoldlineError, match=r"line 3: label '7' \(column y\) of id 'b' is not a probability from 0 to 1"
    ):
        rows_of(tmp_path, "id,y\na,0.09\nb,7\n", columns)


DIAGNOSES = Labels("multiclass", ("MEL", "NV", "BCC"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "id,MEL,NV,BCC\na,1.0,0.0,0.0\nb,0.0,1.0,0.0\nc,0,0,1\n",
            "column MEL .* has the name of a class, beside columns of NV, BCC",
        ),
        ("id,MEL\na,1.0\nb,0.0\n", "column MEL .* has the name of a class, and its cells are numbers"),
    ],
)
def test_one_of_several_class_columns_is_no_target(text: str, words: str, tmp_path: Path) -> None:
    """Its cells of 0 and 1 were read as numbers of classes, and everything after that was wrong."""
    with pytest.raises(FoldlineError, match=words):
        rows_of(tmp_path, text, Columns("id", "MEL", None, labels=DIAGNOSES))


def test_one_of_several_class_columns_is_a_binary_target(tmp_path: Path) -> None:
    found = rows_of(tmp_path, "id,MEL,NV\na,1.0,0.0\nb,0.0,1.0\n", Columns("id", "MEL", None))
    assert [row.target for row in found] == ["1", "0"]


def test_an_absent_metadata_column_hides_no_repeated_id(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("id,target\na,1\na,0\n")
    columns = Columns("id", "target", None, ("age",))
    with pytest.raises(FoldlineError, match=r"^2 problems\n.*no column age; .*\n.*id 'a'"):
        read_sample_table(tmp_path / "train.csv", columns)
