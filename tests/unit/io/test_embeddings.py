"""Tables of embeddings: the same rows give the same bytes, and a table of the user names all of its problems."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from foldline.errors import FoldlineError
from foldline.io.embeddings import (
    embeddings_of,
    feature_problems,
    read_embeddings,
    read_features,
    write_embeddings,
)

VECTORS = np.random.default_rng(1).random((3, 4)).astype(np.float32)


def test_vectors_come_back_sorted_by_id_in_16_bits(tmp_path: Path) -> None:
    write_embeddings(tmp_path / "a.parquet", ["b", "c", "a"], VECTORS)
    ids, vectors = read_embeddings(tmp_path / "a.parquet")
    assert (ids, vectors.dtype) == (["a", "b", "c"], np.float16)
    np.testing.assert_array_equal(vectors, VECTORS[[2, 0, 1]].astype(np.float16))
    np.testing.assert_array_equal(embeddings_of(tmp_path / "a.parquet", ["c", "a"]), vectors[[2, 0]])
    write_embeddings(tmp_path / "b.parquet", ["a", "b", "c"], VECTORS[[2, 0, 1]])
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_what_cannot_be_stored_is_refused(tmp_path: Path) -> None:
    wrong = VECTORS.copy()
    wrong[1, 2], wrong[2, 0] = 1e6, np.nan
    with pytest.raises(FoldlineError, match=r"1 id more than once: a\n.*2 vectors with values beyond .* a, b"):
        write_embeddings(tmp_path / "a.parquet", ["a", "a", "b"], wrong)
    assert not (tmp_path / "a.parquet").exists()


@pytest.mark.parametrize(
    "columns",
    [
        {"id": ["a"], "vector": pa.array([[1.0]], pa.list_(pa.float16()))},
        {"id": ["a"], "vector": pa.array([[1.0]], pa.list_(pa.float32(), 1))},
        {"id": ["a"], "other": ["b"]},
    ],
)
def test_another_table_is_refused(columns: dict[str, Any], tmp_path: Path) -> None:
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    with pytest.raises(FoldlineError, match=r"a\.parquet: is no table of embeddings; remove the file and run"):
        read_embeddings(tmp_path / "a.parquet")


def test_a_missing_id_is_refused(tmp_path: Path) -> None:
    write_embeddings(tmp_path / "a.parquet", ["a"], VECTORS[:1])
    with pytest.raises(FoldlineError, match="no vector of b, c"):
        embeddings_of(tmp_path / "a.parquet", ["a", "b", "c"])


def features(path: Path, ids: list[Any], vectors: Any, **columns: list[str]) -> Path:
    """Write a table of a user."""
    pq.write_table(pa.table({"id": ids, "vector": vectors, **columns}), path)
    return path


def test_features_may_be_of_any_numbers_and_of_more_samples(tmp_path: Path) -> None:
    path = features(tmp_path / "f.parquet", ["b", "x", "a"], [[1, 2], [3, 4], [5, 6]])
    assert feature_problems(path, {"train": ["a", "b"], "test": ["x"]}) == []
    np.testing.assert_array_equal(read_features(path, "train", ["a", "b"]), [[5, 6], [1, 2]])


def test_features_of_two_splits_with_one_id(tmp_path: Path) -> None:
    path = features(tmp_path / "f.parquet", ["a", "a"], [[1.0], [2.0]], split=["train", "test"])
    assert feature_problems(path, {"train": ["a"], "test": ["a"]}) == []
    assert read_features(path, "test", ["a"]).tolist() == [[2.0]]
    assert feature_problems(path, {"old": ["a"]}) == [
        "split old: 1 sample without a vector: a; the column split has train, test"
    ]


def test_all_problems_of_features_are_named(tmp_path: Path) -> None:
    vectors = [[1.0, 2.0], [1.0], [float("nan"), 1.0], [1.0, None], [70_000.0, 1.0], [1.0, 3.0]]
    path = features(tmp_path / "f.parquet", ["a", "b", "c", "d", "e", "a"], vectors)
    assert feature_problems(path, {"train": ["a", "z"]}) == [
        "split train: 1 id more than once: a (rows 1, 6)",
        "split train: 1 sample without a vector: z; the file has a, b, c and 2 more",
        "vectors of another length than the usual 2: b (row 2: 1)",
        "3 vectors with values that are missing, infinite or beyond 65,504: c (row 3), d (row 4), e (row 5)",
    ]


def test_a_file_without_features_is_a_problem(tmp_path: Path) -> None:
    assert feature_problems(tmp_path / "none.parquet", {}) == ["there is no such file"]
    (tmp_path / "text.parquet").write_text("id,vector\n")
    (problem,) = feature_problems(tmp_path / "text.parquet", {})
    assert problem.startswith("cannot be read as a Parquet file (")
    path = features(tmp_path / "f.parquet", ["a"], ["1 2"])
    (problem,) = feature_problems(path, {})
    assert "the columns id (string), vector (string); write a column id of text" in problem
    path = features(tmp_path / "f.parquet", ["a", None, "c"], [[1.0], [2.0], None])
    assert feature_problems(path, {}) == [
        "row 2 has no id, row 3 has no vector (id c); write an id and a vector in each row, or remove the row"
    ]


@pytest.mark.parametrize(
    ("vectors", "problem"),
    [
        (
            [[1.0, 0.0], [0.0, 0.0], [0.0, 2.0]],
            "1 vector of zeros alone, or of less than 16 bits can hold (6e-08): b (ro",
        ),
        (
            [[1e-8, 0.0], [0.0, 1e-9], [0.0, 2.0]],
            "2 vectors of zeros alone, or of less than 16 bits can hold (6e-08): a",
        ),
        ([[3, 4], [3, 4], [3, 4]], "all 3 vectors are equal, so they tell no images apart"),
    ],
)
def test_vectors_that_tell_nothing_are_refused(vectors: Any, problem: str, tmp_path: Path) -> None:
    (found,) = feature_problems(features(tmp_path / "f.parquet", ["a", "b", "c"], vectors), {"train": ["a", "b", "c"]})
    assert found.startswith(problem)
