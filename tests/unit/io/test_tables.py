"""Tables are checked when they are written and when they are read."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from foldline.errors import FoldlineError
from foldline.io.parquet import read_parquet, write_parquet
from foldline.io.tables import (
    FLOAT32,
    FOLDS,
    INTEGER,
    LEAKS,
    REAL,
    TEXT,
    read_table,
    read_tables,
    write_table,
)

COLUMNS = {"id": TEXT, "size": INTEGER, "score": REAL}
# Text that tables in the wild have, and that must not become anything else.
NASTY = [
    "NA",
    "nan",
    "",
    "007",
    " x ",
    'ä,"b"',
    "a\nb",
    "a\rb",
    "a\r\nb",
    "\u2028",
    "\x85",
    "\x0b",
    "=1+1",
    "\ufeffq",
    "'",
    "#",
]
both_formats = pytest.mark.parametrize("suffix", ["csv", "parquet"])


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": ["007", "NA", 'ä,"b"'],
            "score": [0.1, 1e-300, 1 / 3],
            "size": [1, -2, 3],
            "x": ["", "nan", "1"],
        }
    )


@both_formats
def test_a_written_table_is_read_back(suffix: str, table: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "folder" / f"table.{suffix}"
    write_table(table, path, COLUMNS)
    found = read_table(path, COLUMNS)
    assert list(found.columns) == ["id", "size", "score", "x"]
    pd.testing.assert_frame_equal(found, table[list(found.columns)], check_exact=True)


def test_the_suffix_decides_the_format(table: pd.DataFrame, tmp_path: Path) -> None:
    for suffix in ("csv", "parquet"):
        write_table(table, tmp_path / f"table.{suffix}", COLUMNS)
    assert (tmp_path / "table.csv").read_bytes().startswith(b"id,size,score,x\n007,1,0.1,\n")
    schema = read_parquet(tmp_path / "table.parquet").schema
    assert schema.types == [pa.string(), pa.int64(), pa.float64(), pa.string()]
    assert schema.metadata is None


@both_formats
def test_text_is_read_as_it_was_written(suffix: str, tmp_path: Path) -> None:
    table = pd.DataFrame({"id": [f"i{text}" for text in NASTY], "x": NASTY, "y": NASTY[::-1]})
    write_table(table, tmp_path / f"table.{suffix}", {"id": TEXT, "x": TEXT})
    pd.testing.assert_frame_equal(read_table(tmp_path / f"table.{suffix}", {"id": TEXT, "x": TEXT}), table)


def test_a_row_can_be_longer_than_a_megabyte(tmp_path: Path) -> None:
    table = pd.DataFrame({"id": ["a", "b"], "x": ["1 2 " * 600_000, ""]})
    write_table(table, tmp_path / "table.csv", {"id": TEXT})
    pd.testing.assert_frame_equal(read_table(tmp_path / "table.csv", {"id": TEXT}), table)


@both_formats
def test_floats_keep_all_bits_and_equal_tables_equal_bytes(suffix: str, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    values = random.random(1000) * 10.0 ** random.integers(-300, 300, 1000)
    columns = {**COLUMNS, "small": FLOAT32}
    table = pd.DataFrame({"id": [f"i{number}" for number in range(1000)], "size": 0, "score": values})
    table["small"] = random.random(1000, np.float32) * np.float32(10.0) ** random.integers(-30, 30, 1000).astype(
        np.int8
    )
    table = table.astype({"small": "float32"})
    first, second = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
    write_table(table, first, columns)
    found = read_table(first, columns)
    assert (found["score"].to_numpy() == values).all()
    assert (found["small"].to_numpy() == table["small"].to_numpy()).all()
    write_table(found, second, columns)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: table.drop(columns="size"), "no column size; the table has id, score, x"),
        (
            lambda table: table.assign(size=[1.0, 2.0, 3.0]),
            "column size is float64; every value must be a whole number",
        ),
        (lambda table: table.assign(id=["a", 1, "c"]), "column id is object; every value must be text"),
        (lambda table: table.assign(score=[0.1, np.nan, 0.2]), "column score has missing values"),
        (lambda table: table.assign(id=["a", "", "c"]), "an id is empty"),
        (lambda table: table.assign(id=["a", "b", "a"]), "id a occurs more than once"),
    ],
)
@both_formats
def test_an_invalid_table_is_not_written(
    suffix: str, change: Callable[[pd.DataFrame], pd.DataFrame], words: str, table: pd.DataFrame, tmp_path: Path
) -> None:
    with pytest.raises(FoldlineError, match=words):
        write_table(change(table), tmp_path / f"table.{suffix}", COLUMNS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id,score\na,1\n", "no column size; the table has id, score"),
        (
            "id,size,score\na,1,1\nb,x,1\n",
            r"table\.csv: column size of row 2 is 'x'; it must be a whole number; remove the file and run the workflow",
        ),
        ("id,size,score\na,1,\n", "column score of row 1 is ''; it must be a number; remove the file"),
        ("id,size,score\na,1.0,1\n", "column size of row 1 is '1.0'; it must be a whole number"),
        ("id,size,score\na,1,1\nb,1\n", "Expected 3 columns, got 2"),
        ("id,size,score\na,1,1\n\nb,1,1\n", "column size of row 2 is ''; it must be a whole number"),
        ("id,size,score,x,x\na,1,1,2,3\n", "column x occurs more than once"),
        ("id,size,score\n\udcff,1,1\n", r"table\.csv: .*; remove the file and run the workflow again"),
        ("id,size,score\na,1,nan\n", "column score has missing values"),
        ("id,size,score\n,1,1\n", "an id is empty"),
        ("id,size,score\nb,1,1\na,1,1\nb,2,2\na,3,3\n", "id a, b occurs more than once"),
    ],
)
def test_an_invalid_file_is_not_read(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(text, errors="surrogateescape")
    with pytest.raises(FoldlineError, match=words):
        read_table(tmp_path / "table.csv", COLUMNS)


@both_formats
def test_the_key_may_have_several_columns(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"table.{suffix}"
    pairs = [("a", "x", "train", "exact", 0, "yes"), ("a", "y", "train", "exact", 0, "yes")]
    table = pd.DataFrame(pairs, columns=list(LEAKS))
    write_table(table, path, LEAKS, key=("id", "other_id"))
    assert len(read_table(path, LEAKS, key=("id", "other_id"))) == 2
    with pytest.raises(FoldlineError, match="id a occurs more than once"):
        read_table(path, LEAKS)
    with pytest.raises(FoldlineError, match="id/other_id a/x occurs more than once"):
        write_table(table.assign(other_id="x"), path, LEAKS, key=("id", "other_id"))


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("size", pa.array([1.0]), r"table\.parquet: column size is double; every value must be a whole number; remove"),
        ("score", pa.array([1.0], pa.float32()), "column score is float; every value must be a number"),
        ("id", pa.array([b"a"]), "column id is binary; every value must be text"),
        ("id", pa.array([None], pa.string()), "column id has missing values"),
        ("x", pa.array([5]), "column x is int64; every value must be text"),
        ("x", pa.array([None], pa.string()), "column x has missing values"),
    ],
)
def test_a_parquet_file_with_other_types_is_not_read(
    column: str, values: pa.Array, words: str, table: pd.DataFrame, tmp_path: Path
) -> None:
    write_table(table[:1], tmp_path / "table.parquet", COLUMNS)
    found = read_parquet(tmp_path / "table.parquet")
    found = found.set_column(found.column_names.index(column), column, values)
    write_parquet(found, tmp_path / "table.parquet")
    with pytest.raises(FoldlineError, match=words):
        read_table(tmp_path / "table.parquet", COLUMNS)


def test_columns_of_a_parquet_file_that_are_not_declared_are_text(table: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match="column x is int64; every value must be text"):
        write_table(table.assign(x=1), tmp_path / "table.parquet", COLUMNS)


@both_formats
def test_shards_are_joined_sorted_and_unique(suffix: str, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.{suffix}" for number in range(3)]
    columns = {"group": "g", "target": "1", "fold": 0, "split": "train", "row_weight": 1.0, "site": "NA"}
    for path, names in zip(paths, (["c", "a"], [], ["b"]), strict=True):
        write_table(pd.DataFrame({"id": names, **columns}).astype({"fold": "int64"}), path, FOLDS)
    found = read_tables(paths, FOLDS)
    assert list(found["id"]) == ["a", "b", "c"]
    assert list(found.index) == [0, 1, 2]
    assert list(found["site"]) == ["NA"] * 3
    with pytest.raises(FoldlineError, match="id a, c occurs more than once"):
        read_tables([paths[0], *paths], FOLDS)
    write_table(found.drop(columns="site").assign(id=["d", "e", "f"]), paths[2], FOLDS)
    with pytest.raises(
        FoldlineError,
        match=r"the columns are id, group, target, fold, split, row_weight, those of .* are id, .*, site;",
    ):
        read_tables(paths, FOLDS)


@both_formats
def test_a_table_without_rows_keeps_its_types(suffix: str, tmp_path: Path) -> None:
    empty = pd.DataFrame(columns=list(COLUMNS))
    path = tmp_path / f"table.{suffix}"
    write_table(empty, path, COLUMNS)
    assert [str(kind) for kind in read_table(path, COLUMNS).dtypes] == ["object", "int64", "float64"]


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "folds.csv"
    path.touch()
    with pytest.raises(FoldlineError, match=r"folds\.csv: the file is empty"):
        read_table(path, FOLDS)


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("x", "plain"),
        ("x", ""),
        ("x", " NaN"),
        ("x", "a,b"),
        ("x", 'a"b'),
        ("x", "a\nb"),
        ("x,y", "plain"),
        ("\u00e9", "\u4e2d"),
    ],
)
def test_a_csv_file_is_that_of_pandas(name: str, cell: str, tmp_path: Path) -> None:
    scores = [0.1, 1.0, -0.0, 1e-7, 1e16, 1e22, 123456789.125, float("inf")]
    table = pd.DataFrame({"id": list("abcdefgh"), "size": range(8), "score": scores, name: [*"1234567", cell]})
    write_table(table, tmp_path / "table.csv", COLUMNS)
    assert (tmp_path / "table.csv").read_bytes() == table.to_csv(index=False, lineterminator="\n").encode()
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_columns_that_are_skipped_are_not_read(tmp_path: Path) -> None:
    table = pd.DataFrame({"id": ["b", "a"], "size": [1, 2], "score": [0.5, 1.0], "x": ["u", "v"]})
    write_table(table, tmp_path / "table.parquet", COLUMNS)
    found = read_tables([tmp_path / "table.parquet"], COLUMNS, skipped={"score"})
    pd.testing.assert_frame_equal(found, table[["id", "size", "x"]][::-1].reset_index(drop=True))
