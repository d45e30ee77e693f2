"""The out-of-fold table survives writing and reading, or is refused; its CSV file has the same rows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from foldline.errors import FoldlineError
from foldline.evaluation.oof import Oof, class_columns, read_oof, write_oof, write_oof_csv
from foldline.io.parquet import read_parquet, write_parquet


def random_oof(class_names: list[str], *, rows: int = 500, models: tuple[str, ...] = ("a", "b")) -> Oof:
    random = np.random.default_rng(0)
    shape = (rows, len(class_names))
    scores = {
        name: (random.random(shape) * 10.0 ** random.integers(-20, 1, shape)).astype(np.float32)
        for name in (*models, "blend")
    }
    ids = [f"i{number:03d}" for number in range(rows)]
    return Oof(class_names, ids, np.arange(rows) % 3, random.integers(0, 2, shape), scores)


@pytest.mark.parametrize("class_names", [["mark"], ["Nuclear Membrane", "and/or, x"]])
def test_reading_returns_every_bit_that_was_written(class_names: list[str], tmp_path: Path) -> None:
    oof = random_oof(class_names)
    write_oof(tmp_path / "oof.parquet", oof)
    found = read_oof(tmp_path / "oof.parquet", class_names)
    assert (found.ids, found.models) == (oof.ids, ["a", "b"])
    assert (found.folds == oof.folds).all()
    assert (found.labels == oof.labels).all()
    assert list(found.scores) == ["a", "b", "blend"]
    assert all((found.scores[name] == oof.scores[name]).all() for name in oof.scores)
    assert {str(values.dtype) for values in found.scores.values()} == {"float64"}


@pytest.mark.parametrize("class_names", [["mark"], ["Nuclear Membrane", "and/or, x"]])
def test_the_text_of_a_score_is_the_shortest_that_gives_the_same_float32(
    class_names: list[str], tmp_path: Path
) -> None:
    oof = random_oof(class_names)
    assert write_oof_csv(tmp_path / "oof.csv", oof, "sigmoid")
    text = pd.read_csv(tmp_path / "oof.csv", dtype=str, keep_default_na=False)
    assert list(text["id"]) == oof.ids
    for name, values in oof.scores.items():
        for column, expected in zip(class_columns(name, class_names), values.T, strict=True):
            assert list(text[column]) == [str(value) for value in expected]
            assert (text[column].astype(np.float32) == expected).all()


def test_models_are_in_the_csv_file_up_to_a_number_of_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    oof = random_oof(["x", "y"], rows=5)
    monkeypatch.setattr("foldline.evaluation.oof.MOST_MODEL_SCORES", 20)
    assert write_oof_csv(tmp_path / "all.csv", oof, "sigmoid")
    monkeypatch.setattr("foldline.evaluation.oof.MOST_MODEL_SCORES", 19)
    assert not write_oof_csv(tmp_path / "few.csv", oof, "sigmoid")
    every, few = (pd.read_csv(tmp_path / f"{name}.csv", dtype=str) for name in ("all", "few"))
    columns = ["id", "fold", "target/x", "target/y", "blend/x", "blend/y"]
    pd.testing.assert_frame_equal(few, every[columns])


def test_scores_of_0_and_1_are_valid(tmp_path: Path) -> None:
    oof = Oof(["mark"], ["i0", "i1"], np.arange(2), np.eye(2, 1, dtype=int), {"a": np.eye(2, 1), "blend": np.eye(2, 1)})
    write_oof(tmp_path / "oof.parquet", oof)
    assert read_oof(tmp_path / "oof.parquet", ["mark"]).scores["a"].tolist() == [[1.0], [0.0]]


def test_columns_name_the_class_if_there_are_several(tmp_path: Path) -> None:
    write_oof(tmp_path / "one.parquet", random_oof(["mark"]))
    assert read_parquet(tmp_path / "one.parquet").column_names == ["id", "fold", "target", "a", "b", "blend"]
    write_oof(tmp_path / "two.parquet", random_oof(["x", "y"], models=("a",)))
    columns = ["id", "fold", "target/x", "target/y", "a/x", "a/y", "blend/x", "blend/y"]
    assert read_parquet(tmp_path / "two.parquet").column_names == columns
    assert class_columns("a", ["mark"]) == ["a"]


def test_pairs_have_a_row_per_sample_and_class() -> None:
    oof = random_oof(["x", "y"], rows=5)
    pairs = oof.pairs()
    assert list(pairs["id"]) == [name for name in oof.ids for _ in range(2)]
    assert list(pairs["class"]) == ["x", "y"] * 5
    assert (pairs["a"].to_numpy().reshape(5, 2) == oof.scores["a"]).all()
    assert (pairs["target"].to_numpy().reshape(5, 2) == oof.labels).all()


def test_a_model_with_the_name_of_a_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match="target is the name of a column of the OOF table; rename the model"):
        write_oof(tmp_path / "oof.parquet", random_oof(["mark"], models=("target",)))


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("a", pa.array([0.5, 1.5], pa.float32()), r"column a is not in \[0, 1\] for id i001"),
        ("target", pa.array([2, 1]), "column target is not 0 or 1 for id i000"),
        ("blend", pa.array([0.5, np.nan], pa.float32()), "column blend has missing values"),
        ("blend", pa.array([0.5, 0.5]), "column blend is double; every value must be a 32-bit number"),
        ("fold", pa.array(["0", "1"]), "column fold is string; every value must be a whole number"),
        ("id", pa.array(["i0", "i0"]), "id i0 occurs more than once"),
    ],
)
def test_a_table_with_other_values_is_refused(column: str, values: pa.Array, words: str, tmp_path: Path) -> None:
    write_oof(tmp_path / "oof.parquet", random_oof(["mark"], rows=2))
    table = read_parquet(tmp_path / "oof.parquet")
    write_parquet(table.set_column(table.column_names.index(column), column, values), tmp_path / "oof.parquet")
    with pytest.raises(FoldlineError, match=words):
        read_oof(tmp_path / "oof.parquet", ["mark"])


@pytest.mark.parametrize("class_names", [["mark"], ["A", "B", "C"]])
def test_soft_targets_are_written_as_they_are_and_read_with_their_classes(
    class_names: list[str], tmp_path: Path
) -> None:
    oof = random_oof(class_names)
    shares = np.random.default_rng(2).dirichlet([0.5] * max(2, len(class_names)), 500).astype(np.float32)
    shares = shares[:, : len(class_names)]
    hard = shares > 0.5 if len(class_names) == 1 else shares == shares.max(axis=1, keepdims=True)
    oof = replace(oof, labels=hard.astype(np.int64), shares=shares)
    write_oof(tmp_path / "oof.parquet", oof)
    found = read_oof(tmp_path / "oof.parquet", class_names)
    assert found.shares is not None
    assert (found.shares == shares).all()
    assert (found.labels == hard).all()
    assert (found.pairs()["target"] == hard.ravel()).all()
    write_oof_csv(tmp_path / "oof.csv", oof, "sigmoid")
    text = pd.read_csv(tmp_path / "oof.csv", dtype=str)
    columns = class_columns("target", class_names)
    assert text[columns].to_numpy().tolist() == [[str(value) for value in row] for row in shares]
    broken = read_parquet(tmp_path / "oof.parquet")
    broken = broken.set_column(2, broken.schema.field(2), pa.array(shares[:, 0] + 1))
    write_parquet(broken, tmp_path / "oof.parquet")
    with pytest.raises(FoldlineError, match=r"column target is not in \[0, 1\] for id"):
        read_oof(tmp_path / "oof.parquet", class_names)


def test_the_csv_file_names_the_true_and_the_predicted_class(tmp_path: Path) -> None:
    oof = random_oof(["nevus", "melanoma, x", "3"])
    labels = np.eye(3, dtype=np.int64)[np.arange(len(oof.ids)) % 3]
    write_oof_csv(tmp_path / "oof.csv", replace(oof, labels=labels), "softmax", labels[::-1].argmax(axis=1))
    text = pd.read_csv(tmp_path / "oof.csv", dtype=str)
    assert list(text.columns[:5]) == ["id", "fold", "label", "predicted", "target/nevus"]
    assert list(text["label"]) == [oof.class_names[number % 3] for number in range(len(oof.ids))]
    assert list(text["predicted"]) == list(text["label"])[::-1]
