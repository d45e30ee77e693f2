"""The out-of-fold table survives writing and reading, or is refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from foldline.errors import FoldlineError
from foldline.evaluation.oof import Oof, class_columns, read_oof, write_oof


def random_oof(class_names: list[str], *, rows: int = 500, models: tuple[str, ...] = ("a", "b")) -> Oof:
    random = np.random.default_rng(0)
    shape = (rows, len(class_names))
    scores = {name: random.random(shape) * 10.0 ** random.integers(-20, 1, shape) for name in (*models, "blend")}
    ids = [f"i{number:03d}" for number in range(rows)]
    return Oof(class_names, ids, np.arange(rows) % 3, random.integers(0, 2, shape), scores)


@pytest.mark.parametrize("class_names", [["mark"], ["Nuclear Membrane", "and/or, x"]])
def test_reading_returns_every_bit_that_was_written(class_names: list[str], tmp_path: Path) -> None:
    oof = random_oof(class_names)
    write_oof(tmp_path / "oof.csv", oof)
    found = read_oof(tmp_path / "oof.csv", class_names)
    assert (found.ids, found.models) == (oof.ids, ["a", "b"])
    assert (found.folds == oof.folds).all()
    assert (found.labels == oof.labels).all()
    assert list(found.scores) == ["a", "b", "blend"]
    assert all((found.scores[name] == oof.scores[name]).all() for name in oof.scores)


def test_scores_of_0_and_1_are_valid(tmp_path: Path) -> None:
    oof = Oof(["mark"], ["i0", "i1"], np.arange(2), np.eye(2, 1, dtype=int), {"a": np.eye(2, 1), "blend": np.eye(2, 1)})
    write_oof(tmp_path / "oof.csv", oof)
    assert read_oof(tmp_path / "oof.csv", ["mark"]).scores["a"].tolist() == [[1.0], [0.0]]


def test_columns_name_the_class_if_there_are_several(tmp_path: Path) -> None:
    write_oof(tmp_path / "one.csv", random_oof(["mark"]))
    assert list(pd.read_csv(tmp_path / "one.csv")) == ["id", "fold", "target", "a", "b", "blend"]
    write_oof(tmp_path / "two.csv", random_oof(["x", "y"], models=("a",)))
    columns = ["id", "fold", "target/x", "target/y", "a/x", "a/y", "blend/x", "blend/y"]
    assert list(pd.read_csv(tmp_path / "two.csv")) == columns
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
        write_oof(tmp_path / "oof.csv", random_oof(["mark"], models=("target",)))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("i0,0,1,1.5,0.5", r"column a is not in \[0, 1\] for id i0"),
        ("i0,0,2,0.5,0.5", "column target is not 0 or 1 for id i0"),
    ],
)
def test_values_out_of_range_are_refused(line: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "oof.csv").write_text(f"id,fold,target,a,blend\n{line}\n")
    with pytest.raises(FoldlineError, match=words):
        read_oof(tmp_path / "oof.csv", ["mark"])
