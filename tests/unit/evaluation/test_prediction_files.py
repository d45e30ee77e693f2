"""A prediction file holds what was predicted, as float32, and refuses to be something else."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from foldline.errors import FoldlineError
from foldline.evaluation.prediction_files import PredictionFile, open_prediction_file, write_prediction_file
from foldline.io.parquet import read_parquet, write_parquet
from foldline.io.result_paths import Member

CLASSES = ["y", "id", "and/or, x"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = PredictionFile(tmp_path / "oof.parquet", "m", Member(1, 3), 4)
    write_prediction_file(file, ["b", "ä", "a"], np.arange(9).reshape(3, 3) / 9, class_names=CLASSES)
    return file.path


def test_rows_are_sorted_by_id_and_classes_are_found_by_name(path: Path) -> None:
    file = open_prediction_file(path, CLASSES[::-1])
    assert (file.path, file.model, file.member, file.views) == (path, "m", Member(1, 3), 4)
    ids, values = file.read(CLASSES[::-1])
    assert ids.to_pylist() == ["a", "b", "ä"]
    expected = (np.arange(9).reshape(3, 3) / 9)[[2, 0, 1], ::-1].astype(np.float32)
    assert values.dtype == np.float32
    assert (values == expected).all()


def test_the_columns_are_declared_types(path: Path) -> None:
    schema = read_parquet(path).schema
    assert schema.names == ["id", "probability/y", "probability/id", "probability/and/or, x"]
    assert schema.types == [pa.string(), pa.float32(), pa.float32(), pa.float32()]


@pytest.mark.parametrize(
    ("ids", "values", "words"),
    [
        (["a", "a"], [[0.1], [0.2]], "id a occurs more than once"),
        (["a", ""], [[0.1], [0.2]], "an id is empty"),
        (["a", "b"], [[0.1], [np.nan]], "column probability/x has missing values"),
    ],
)
def test_predictions_that_cannot_be_merged_are_not_written(
    ids: list[str], values: list[list[float]], words: str, tmp_path: Path
) -> None:
    with pytest.raises(FoldlineError, match=words):
        write_prediction_file(
            PredictionFile(tmp_path / "a.parquet", "m", Member(1, 0), 1), ids, np.array(values), class_names=["x"]
        )
    assert list(tmp_path.iterdir()) == []


def test_other_classes_are_refused(path: Path) -> None:
    with pytest.raises(
        FoldlineError, match=r"oof\.parquet: class z is missing; class id is not one of the classes y, z,"
    ):
        open_prediction_file(path, ["y", "z", "and/or, x"])


def test_another_table_is_refused(tmp_path: Path) -> None:
    write_parquet(pa.table({"id": ["a"], "x": pa.array([0.5], pa.float32())}), tmp_path / "a.parquet")
    with pytest.raises(FoldlineError, match=r"a\.parquet: is not a file of predictions; remove the file"):
        open_prediction_file(tmp_path / "a.parquet", ["x"])


def test_columns_of_another_type_are_refused(path: Path) -> None:
    table = read_parquet(path)
    index = table.column_names.index("probability/id")
    table = table.set_column(index, "probability/id", table.column(index).cast(pa.float64()))
    write_parquet(table, path)
    with pytest.raises(FoldlineError, match="column probability/id is double; every value must be a 32-bit number"):
        open_prediction_file(path, CLASSES).read(CLASSES)
