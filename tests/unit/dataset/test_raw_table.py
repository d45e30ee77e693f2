"""Tables of every origin are read alike, or refused with the lines that are wrong."""

import csv
import gzip
import io
import sys
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from foldline.dataset import plain_csv, raw_table
from foldline.dataset.raw_table import RawTable, read_raw_table
from foldline.errors import FoldlineError

WANTED = ("id", "target")


def read(
    folder: Path, content: str | bytes, wanted: Sequence[str] = WANTED, name: str = "train.csv", **options: Any
) -> RawTable:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_raw_table(path, wanted, **options)


def refused(folder: Path, content: str | bytes, **options: Any) -> str:
    with pytest.raises(FoldlineError) as caught:
        read(folder, content, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message.removeprefix(f"{folder}/")


PLAIN = "id,target,note\na,1,x\nb,0,y\n"


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.encode(),
        b"\xef\xbb\xbf" + PLAIN.encode(),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("\n", "\r").encode(),
        PLAIN.rstrip("\n").encode(),
        b"\n\n" + PLAIN.encode() + b"\n  \n\n",
        PLAIN.replace(",", ", ").encode(),
        PLAIN.replace(",", " ,").encode(),
        PLAIN.replace(",", "\xa0,").encode(),
        PLAIN.replace(",", ";").encode(),
        PLAIN.replace(",", "\t").encode(),
        PLAIN.replace(",", "|").encode(),
        b"sep=;\n" + PLAIN.replace(",", ";").encode(),
        b"sep=,\r\n" + PLAIN.replace("\n", "\r\n").encode(),
        b"sep=\t\n" + PLAIN.replace(",", "\t").encode(),
        b'"id","target","note"\n"a","1","x"\n"b", "0" ,"y"\n',
        gzip.compress(PLAIN.encode(), mtime=0),
        PLAIN.replace(",", "\t").replace("\n", "\r\n").encode("utf-16"),
        b"\xfe\xff" + PLAIN.encode("utf-16-be"),
        PLAIN.encode("utf-32"),
    ],
)
@pytest.mark.parametrize("name", ["train.csv", "train.csv.gz", "train.txt"])
def test_one_table_in_many_forms_is_read_alike(content: bytes, name: str, tmp_path: Path) -> None:
    table = read(tmp_path, content, name=name)
    assert {name: list(cells) for name, cells in table.columns.items()} == {"id": ["a", "b"], "target": ["1", "0"]}
    assert table.header == ("id", "target", "note")


def test_lines_are_those_on_which_rows_start(tmp_path: Path) -> None:
    text = 'id,note,target\na,"two\nlines",1\n\nb,"three\r\n\r\nlines",0\nc,,1\n'
    table = read(tmp_path, text)
    assert list(table.lines) == [2, 5, 8]
    assert table.columns["id"] == ["a", "b", "c"]
    assert read(tmp_path, text, ("note",)).columns["note"] == ["two\nlines", "three\r\n\r\nlines", ""]


def test_every_column_is_read_on_request(tmp_path: Path) -> None:
    columns = {"id": ["a", "b"], "target": ["1", "0"], "note": ["x", "y"]}
    assert read(tmp_path, PLAIN, ("note",), every=True).columns == columns
    assert read(tmp_path, "id,,\na,,\n", ("id",), every=True).columns == {"id": ["a"], "": [""]}
    assert read(tmp_path, PLAIN, ()).columns == {}


def test_masks_of_any_length_are_read(tmp_path: Path) -> None:
    mask = " ".join(map(str, range(100_000)))
    assert len(mask) > csv.field_size_limit()
    before = csv.field_size_limit()
    table = read(tmp_path, f"id,mask,target\na,{mask},1\n", ("id", "mask"))
    assert table.columns["mask"] == [mask]
    assert csv.field_size_limit() == before


def test_short_and_long_lines_are_reported_together(tmp_path: Path) -> None:
    lines = ["a,1,x", "b,0", "c,1,x,y", "d", "e,0,x"]
    assert refused(tmp_path, "id,target,note\n" + "\n".join(lines)) == (
        "train.csv, line 3: 2 cells; line 4: 4 cells; line 5: 1 cell; the header has 3, separated by comma; correct "
        "these lines"
    )
    many = refused(tmp_path, "id,target,note\n" + "a,1\n" * 30)
    assert "line 21: 2 cells; and 10 more; the header" in many


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no column id, target; the file is empty"),
        (b"\n\n", "no column id, target; the file is empty"),
        (
            b"id:target\na:1\n",
            "the table has id:target; cells are separated by comma, semicolon, tab, vertical bar, so",
        ),
        (b"id,target_x\na,1\n", "no column target; the table has id, target_x; did you mean target_x?"),
        (b"id,t\na,1\n", "no column target; the table has id, t"),
        (b"sep=;\nid;target\na\n", "line 3: "),
        (b"id,target\n", "the table has a header and no rows"),
        (b"ID,Target\n", "no column id, target; the table has ID, Target; did you mean ID, Target?"),
        (b"id,targe\xc2\xa0t\na,1\n", "no column target; the table has id, 'targe\\xa0t'"),
        (b"id,target,id\na,1,b\n", "a column name occurs twice (id) in id, target, id; rename a column"),
        (b"id,target,x, x\na,1,b,c\n", "a column name occurs twice"),
        (b'id,target\na,1\n"b,0\nc,1\n', "line 3: a quotation mark opens a cell that never ends"),
        (b'id,"target\na,1\n', "line 1: a quotation mark opens a cell that never ends"),
        ("id,target\nä,1\n".encode("latin-1"), "line 2: not a CSV table in UTF-8: byte 0xE4 ('ä' in Windows-1252"),
        ("id,target\na,1\n€,1\nb,0\n“,1".encode("cp1252"), "line 3: not a CSV table in UTF-8: byte 0x80 ('€' in"),
        ("id,target\na,1\n€,1\nb,0\n“,1".encode("cp1252"), "; also line 5; save the table as 'CSV UTF-8'"),
        (b"id,target\n\x81,1\n", "byte 0x81 (the encoding is unknown)"),
        (PLAIN.encode("utf-16")[:-1], "damaged UTF-16: 'utf-16-le' codec can't decode byte"),
        ((PLAIN + "c,\0,y\n").encode("utf-16"), "a NUL character"),
        (PLAIN.encode("utf-16-le"), "the encoding is UTF-16 or UTF-32, not UTF-8; save"),
        (PLAIN.encode("utf-16-be"), "the encoding is UTF-16 or UTF-32, not UTF-8; save"),
        (PLAIN.encode() * 50 + b"c,\0,y\n", "line 151: a NUL character"),
        (b"PK\x03\x04rest", "this is an Excel workbook or a ZIP archive"),
        (gzip.compress(PLAIN.encode(), mtime=0)[:-9], "the gzip file is damaged"),
        (gzip.compress(PLAIN.encode(), mtime=0)[:12] + b"xx", "the gzip file is damaged"),
        (b"\x1f\x8b", "the gzip file is damaged"),
        (b"version https://git-lfs.github.com/spec/v1\n", "this is a pointer of Git LFS"),
    ],
)
def test_what_is_no_table_is_refused_by_name(content: bytes, words: str, tmp_path: Path) -> None:
    assert words in refused(tmp_path, content)


def test_an_absent_column_hides_no_repeated_name(tmp_path: Path) -> None:
    message = refused(tmp_path, "id,note,note\na,1,x\n")
    assert "a column name occurs twice (note) in id, note, note, and there is no column target; rename" in message


def test_empty_column_names_at_the_edge_are_allowed(tmp_path: Path) -> None:
    assert read(tmp_path, "id,target,,\na,1,,\n").columns == {"id": ["a"], "target": ["1"]}


def test_a_table_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match=r"none\.csv: no such table; give its path relative to dataset\.root"):
        read_raw_table(tmp_path / "none.csv", WANTED)
    with pytest.raises(FoldlineError, match="a folder, not a file; give the path of a file"):
        read_raw_table(tmp_path, WANTED)


@pytest.mark.parametrize(("separator", "key"), [(",", ","), (";", ";"), ("\t", "tab"), ("|", "|")])
def test_a_separator_is_found_or_set(separator: str, key: str, tmp_path: Path) -> None:
    text = separator.join(["id", "target", '"a,b;c\td"']) + "\n" + separator.join(["a", "1", "0,5"]) + "\n"
    if separator == ",":
        text = text.replace("0,5", '"0,5"')
    table = read(tmp_path, text, ("id", "a,b;c\td"))
    assert table.columns["a,b;c\td"] == ["0,5"]
    assert read(tmp_path, text, ("id", "a,b;c\td"), separator=key) == table


def test_a_separator_within_a_column_name_is_none(tmp_path: Path) -> None:
    assert read(tmp_path, "id,a;b;c;d\nx,1;2\n", ("id",), every=True).columns == {"id": ["x"], "a;b;c;d": ["1;2"]}


def test_a_separator_that_is_not_that_of_the_table_is_an_error(tmp_path: Path) -> None:
    assert "no column id, target; the table has id,target,note" in refused(tmp_path, PLAIN, separator=";")


def test_a_separator_that_stays_open_is_an_error(tmp_path: Path) -> None:
    text = "id;x,id\na;b,c\n"
    with pytest.raises(
        FoldlineError, match="line 1: the header has the column id with each of the separators comma, s"
    ):
        read(tmp_path, text, ("id",))
    assert read(tmp_path, text, ("id",), separator=",").columns["id"] == ["c"]


def test_a_table_of_one_column_needs_no_separator(tmp_path: Path) -> None:
    assert read(tmp_path, "id\na\nb\n", ("id",)).columns == {"id": ["a", "b"]}


FRAME = pd.DataFrame(
    {
        "id": ["a", "b,c", 'd"e', "ä"],
        "target": [1, 0, 1, 0],
        "patient": [1.0, None, 3.0, 2.5],
        "seen": [True, False, True, None],
        "site": pd.Categorical(["arm", "leg", None, "arm"]),
    }
)


def test_what_pandas_writes_is_read(tmp_path: Path) -> None:
    expected = {
        "id": ["a", "b,c", 'd"e', "ä"],
        "target": ["1", "0", "1", "0"],
        "patient": ["1.0", "", "3.0", "2.5"],
        "seen": ["True", "False", "True", ""],
        "site": ["arm", "leg", "", "arm"],
    }
    for options in ({}, {"sep": ";"}, {"sep": "\t"}, {"quoting": csv.QUOTE_ALL}, {"lineterminator": "\r\n"}):
        assert read(tmp_path, FRAME.to_csv(index=False, **options), every=True).columns == expected


def test_parquet_is_read_like_csv(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    buffer = io.BytesIO()
    FRAME.to_parquet(buffer)
    table = read(tmp_path, buffer.getvalue(), name="train.parquet", every=True)
    assert table.columns["id"] == ["a", "b,c", 'd"e', "ä"]
    assert table.columns["target"] == ["1", "0", "1", "0"]
    assert table.columns["patient"] == ["1", "", "3", "2.5"]
    assert table.columns["seen"] == ["true", "false", "true", ""]
    assert table.columns["site"] == ["arm", "leg", "", "arm"]
    assert (list(table.lines), table.unit) == ([1, 2, 3, 4], "row")
    assert "no column label; the table has id, target, patient, seen, site" in refused(
        tmp_path, buffer.getvalue(), wanted=("label",)
    )
    damaged = buffer.getvalue()[:-20] + b"x" * 16 + b"PAR1"
    assert "the Parquet file is damaged" in refused(tmp_path, damaged)


def test_lists_in_parquet_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    buffer = io.BytesIO()
    pd.DataFrame({"id": ["a"], "target": [[1, 2]]}).to_parquet(buffer)
    assert "column target holds lists (list<element: int64>)" in refused(tmp_path, buffer.getvalue())
    assert read(tmp_path, buffer.getvalue(), ("id",)).columns == {"id": ["a"]}


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "needs pyarrow to read Parquet" in refused(tmp_path, b"PAR1rest")


def test_a_broken_stream_is_not_a_traceback(tmp_path: Path) -> None:
    broken = gzip.compress(b"x" * 1000, mtime=0)
    broken = broken[:15] + bytes([broken[15] ^ 255]) + broken[16:]
    with pytest.raises((OSError, EOFError, zlib.error)):
        gzip.decompress(broken)
    assert "the gzip file is damaged" in refused(tmp_path, broken)


LONG_TABLE = "id,target,note\n" + "".join(f"s{number}, {number % 2} ,{'x' * 40}\n" for number in range(50))


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_long_table_is_read_as_a_short_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: str, separator: str
) -> None:
    text = LONG_TABLE.replace(",", separator).replace("\n", ends)
    short = read(tmp_path, text)
    monkeypatch.setattr(plain_csv, "LONG", 0)
    monkeypatch.setattr(raw_table, "_read_lines", None)
    long = read(tmp_path, text)
    assert long.columns == short.columns
    assert list(long.lines) == list(short.lines)
    assert long.header == short.header


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("s7,", '"s7",'),
        lambda text: text.replace("\ns7", "\n\ns7"),
        lambda text: text.replace("\ns7", "\rs7"),
        lambda text: "\n" + text,
    ],
    ids=["quote", "empty line", "bare CR", "first line empty"],
)
def test_what_the_fast_reader_cannot_read_is_read_line_by_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[str], str]
) -> None:
    short = read(tmp_path, change(LONG_TABLE))
    monkeypatch.setattr(plain_csv, "LONG", 0)
    long = read(tmp_path, change(LONG_TABLE))
    assert (long.columns, list(long.lines)) == (short.columns, list(short.lines))
    assert len(long.lines) == 50


def test_a_long_table_with_a_short_line_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_csv, "LONG", 0)
    message = refused(tmp_path, LONG_TABLE.replace("s7, 1 ,", "s7,"))
    assert message.startswith("train.csv, line 9: 2 cells; the header has 3")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('id,target,note\na,1,"scar\nb,0,x\nc,1,"red\nd,0,y\n', "line 2: 'red' stands behind the quotation mark"),
        ('id,target,note\na,1,x\nb,0,"y"z\n', "line 3: 'z' stands behind"),
        ('id,target,note\r\n"a\r\nb",1,x\r\nc,0,"y" "z"\r\n', "line 4: '\"z\"' stands behind"),
        ('id,target,note\n"a""b"c,1,x\n', "line 2: 'c' stands behind"),
    ],
)
def test_text_behind_a_quoted_cell_is_refused(tmp_path: Path, content: str, words: str) -> None:
    """Two marks that are never closed would swallow the rows between them."""
    message = refused(tmp_path, content)
    assert message.startswith(f"train.csv, {words}")


@pytest.mark.parametrize(
    "content",
    ['id,target\n"a" ,1\nb,0\n', 'id,target\n "a",1\nb , "0" \n', 'id;target\n"a" ;1\nb;0\n', 'id,target\n"a",1\nb,0'],
)
def test_spaces_around_a_quoted_cell_are_ignored(tmp_path: Path, content: str) -> None:
    assert read(tmp_path, content).columns == {"id": ["a", "b"], "target": ["1", "0"]}


def parquet(**columns: Any) -> bytes:
    handle = io.BytesIO()
    pq.write_table(pa.table(columns), handle)
    return handle.getvalue()


def test_whole_floats_of_parquet_have_all_their_digits(tmp_path: Path) -> None:
    names = [3.0, 10_000_000_001.0, -1e12 - 1, 2.0**53 - 1, None]
    content = parquet(id=list("abcde"), target=pa.array(names), half=pa.array([0.5, 1.5, 0.1, 1e-3, -0.0]))
    table = read(tmp_path, content, ["id", "target", "half"])
    assert table.columns["target"] == ["3", "10000000001", "-1000000000001", "9007199254740991", ""]
    assert table.columns["half"] == ["0.5", "1.5", "0.1", "0.001", "0"]


@pytest.mark.parametrize(("kind", "limit"), [("float16", 2**11), ("float32", 2**24), ("float64", 2**53)])
def test_floats_that_may_be_rounded_are_no_names(tmp_path: Path, kind: str, limit: int) -> None:
    numbers = pa.array(np.array([limit - 1, limit, limit + 2], kind))
    content = parquet(id=["a", "b", "c"], target=numbers)
    assert read(tmp_path, content).columns["target"][0] == str(limit - 1)
    message = refused(tmp_path, content, exact=["target"])
    assert message.startswith(f"train.csv, row 2 ({limit}), 3 ({limit + 2}): column target holds")
    assert f"rounds whole numbers from {limit} on" in message
