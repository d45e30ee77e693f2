"""Tables are checked when they are written and when they are read."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from foldline.errors import FoldlineError
from foldline.io.tables import FOLDS, INTEGER, PREDICTIONS, REAL, TEXT, read_table, read_tables, write_table

COLUMNS = {"id": TEXT, "size": INTEGER, "score": REAL}


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


def test_a_written_table_is_read_back(table: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "folder" / "table.csv"
    write_table(table, path, COLUMNS)
    found = read_table(path, COLUMNS)
    assert list(found.columns) == ["id", "size", "score", "x"]
    pd.testing.assert_frame_equal(found, table[list(found.columns)], check_exact=True)
    assert path.read_bytes().startswith(b"id,size,score,x\n007,1,0.1,\n")


def test_floats_keep_all_bits_and_equal_tables_equal_bytes(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    values = random.random(1000) * 10.0 ** random.integers(-300, 300, 1000)
    table = pd.DataFrame({"id": [f"i{number}" for number in range(1000)], "size": 0, "score": values})
    write_table(table, tmp_path / "a.csv", COLUMNS)
    found = read_table(tmp_path / "a.csv", COLUMNS)
    assert (found["score"].to_numpy() == values).all()
    write_table(found, tmp_path / "b.csv", COLUMNS)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


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
def test_an_invalid_table_is_not_written(
    change: Callable[[pd.DataFrame], pd.DataFrame], words: str, table: pd.DataFrame, tmp_path: Path
) -> None:
    with pytest.raises(FoldlineError, match=words):
        write_table(change(table), tmp_path / "table.csv", COLUMNS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id,score\na,1\n", "no column size; the table has id, score"),
        ("id,size,score\na,x,1\n", r"table\.csv: .*'x'.*remove the file and run the workflow again"),
        ("id,size,score\na,1,\n", "remove the file and run the workflow again"),
        ("id,size,score\na,1,nan\n", "column score has missing values"),
        ("id,size,score\n,1,1\n", "an id is empty"),
        ("id,size,score\nb,1,1\na,1,1\nb,2,2\na,3,3\n", "id a, b occurs more than once"),
    ],
)
def test_an_invalid_file_is_not_read(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(FoldlineError, match=words):
        read_table(tmp_path / "table.csv", COLUMNS)


def test_the_key_may_have_several_columns(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"id": ["a", "a"], "class": ["x", "y"], "probability": 0.5, "model": "m", "fold": 0, "views": 1}
    )
    write_table(table, tmp_path / "table.csv", PREDICTIONS, key=("id", "class"))
    assert len(read_table(tmp_path / "table.csv", PREDICTIONS, key=("id", "class"))) == 2
    with pytest.raises(FoldlineError, match="id a occurs more than once"):
        read_table(tmp_path / "table.csv", PREDICTIONS)
    with pytest.raises(FoldlineError, match="id/class a/x occurs more than once"):
        write_table(table.assign(**{"class": "x"}), tmp_path / "b.csv", PREDICTIONS, key=("id", "class"))


def test_shards_are_joined_sorted_and_unique(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.csv" for number in range(2)]
    for path, names in zip(paths, (["c", "a"], ["b"]), strict=True):
        write_table(
            pd.DataFrame({"id": names, "group": "g", "target": "1", "fold": 0, "split": "train", "site": "NA"}),
            path,
            FOLDS,
        )
    found = read_tables(paths, FOLDS)
    assert list(found["id"]) == ["a", "b", "c"]
    assert list(found["site"]) == ["NA"] * 3
    with pytest.raises(FoldlineError, match="id a, c occurs more than once"):
        read_tables([paths[0], *paths], FOLDS)


def test_a_table_without_rows_keeps_its_types(tmp_path: Path) -> None:
    empty = pd.DataFrame(
        {"id": pd.Series(dtype=str), "size": pd.Series(dtype="int64"), "score": pd.Series(dtype=float)}
    )
    write_table(empty, tmp_path / "table.csv", COLUMNS)
    assert [str(kind) for kind in read_table(tmp_path / "table.csv", COLUMNS).dtypes] == ["object", "int64", "float64"]


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "folds.csv"
    path.touch()
    with pytest.raises(FoldlineError, match=r"folds\.csv: the file is empty"):
        read_table(path, FOLDS)
