"""Which rows a fold trains on, holds out and scores."""

import pandas as pd
import pytest
from foldline.splits.fold_membership import (
    external_rows,
    held_out_rows,
    holdout_rows,
    rows_without_oof,
    scored_rows,
    train_rows,
    training_rows,
    training_weights,
)


@pytest.fixture
def table() -> pd.DataFrame:
    """Two folds of train rows, an external row in each of them, and one in no fold; unsorted."""
    rows = [
        ("d", 0, "train"),
        ("a", 1, "train"),
        ("z", 0, "external"),
        ("c", 0, "train"),
        ("b", 1, "train"),
        ("x", -1, "external"),
        ("y", 1, "external"),
    ]
    return pd.DataFrame(rows, columns=["id", "fold", "split"]).assign(row_weight=1.0)


def test_rows_are_trained_on_held_out_or_withheld(table: pd.DataFrame) -> None:
    assert [list(training_rows(table, fold)["id"]) for fold in (0, 1)] == [["a", "b", "x", "y"], ["c", "d", "x", "z"]]
    assert [list(held_out_rows(table, fold)["id"]) for fold in (0, 1)] == [["c", "d"], ["a", "b"]]
    assert list(scored_rows(table)["id"]) == ["a", "b", "c", "d"]
    assert list(external_rows(table)["id"]) == ["x", "y", "z"]


def test_selected_rows_are_numbered_from_0(table: pd.DataFrame) -> None:
    assert list(scored_rows(table).index) == [0, 1, 2, 3]


def test_rows_without_a_weight_are_held_out_but_not_trained_on(table: pd.DataFrame) -> None:
    table.loc[table["id"].isin(["b", "x"]), "row_weight"] = 0.0
    assert list(training_rows(table, 0)["id"]) == ["a", "y"]
    assert list(held_out_rows(table, 1)["id"]) == ["a", "b"]
    assert len(scored_rows(table)) == 4


def test_the_mean_of_the_weights_of_training_rows_is_1(table: pd.DataFrame) -> None:
    assert training_weights(training_rows(table, 0)) is None
    assert training_weights(training_rows(table.assign(row_weight=0.3), 0)) is None
    table.loc[table["id"] == "a", "row_weight"] = 5.0
    assert list(training_weights(training_rows(table, 0))) == [2.5, 0.5, 0.5, 0.5]
    assert training_weights(training_rows(table, 1)) is None


def test_the_final_model_is_trained_on_all_rows_but_those_of_no_model(table: pd.DataFrame) -> None:
    table = table.assign(withheld=["1"] * len(table))
    assert list(training_rows(table, None)["id"]) == ["a", "b", "c", "d", "x", "y", "z"]
    table.loc[table["id"].isin(["a", "z"]), "fold"] = -2
    table.loc[table["id"] == "c", "fold"] = -3
    table.loc[table["id"] == "x", "row_weight"] = 0.0
    assert list(training_rows(table, None)["id"]) == ["b", "d", "y"]


def test_a_row_is_withheld_from_further_folds(table: pd.DataFrame) -> None:
    withheld = {"x": "1 10", "d": "1"}
    table = table.assign(withheld=[withheld.get(name, "") for name in table["id"]])
    assert [list(training_rows(table, fold)["id"]) for fold in (0, 1)] == [["a", "b", "x", "y"], ["c", "z"]]
    assert list(training_rows(table, 10)["id"]) == ["a", "b", "c", "d", "y", "z"]
    assert list(held_out_rows(table, 0)["id"]) == ["c", "d"]


def test_a_train_row_without_a_fold_is_trained_on_and_not_scored(table: pd.DataFrame) -> None:
    table.loc[table["id"] == "c", "fold"] = -1
    assert list(scored_rows(table)["id"]) == ["a", "b", "d"]
    assert list(rows_without_oof(table)["id"]) == ["c"]
    assert list(training_rows(table, 0)["id"]) == ["a", "b", "c", "x", "y"]


def test_no_model_is_trained_on_the_holdout(table: pd.DataFrame) -> None:
    table.loc[table["id"].isin(["c", "x"]), "fold"] = -2
    assert [list(training_rows(table, fold)["id"]) for fold in (0, 1)] == [["a", "b", "y"], ["d", "z"]]
    assert list(scored_rows(table)["id"]) == ["a", "b", "d"]
    assert list(holdout_rows(table)["id"]) == list(rows_without_oof(table)["id"]) == ["c"]
    assert list(train_rows(table)["id"]) == ["a", "b", "c", "d"]
