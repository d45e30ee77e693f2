"""The weights of a fold depend on the rows it trains on, and on no others."""

import json
import logging
from pathlib import Path

import pandas as pd
import pytest
from class_weights import class_weights
from foldline.errors import FoldlineError
from foldline.io.tables import FOLDS, read_table, write_table
from foldline.splits.class_weights import ClassWeightsConfig


def written(
    path: Path, target: list[int], fold: list[int], split: list[str], weight: list[float] | float = 1.0
) -> Path:
    names = [f"s{number}" for number in range(len(target))]
    table = pd.DataFrame(
        {"id": names, "group": names, "target": [str(label) for label in target], "fold": fold, "split": split}
    )
    write_table(table.assign(row_weight=weight), path, FOLDS)
    return path


@pytest.fixture
def folds(tmp_path: Path) -> Path:
    return written(tmp_path / "f.csv", [1, 1, 1, 0, 1, 0, 0, 0, 1], [0, 0, 0, 0, 1, 1, 1, 2, 2], ["train"] * 9)


def weights(folds: Path, fold: int, method: str = "balanced") -> dict:
    path = folds.with_name("weights.json")
    config = ClassWeightsConfig(method=method, rank=4, beta=0.9, class_names=("mark",), activation="sigmoid")
    class_weights(folds=folds, weights=path, fold=fold, config=config)
    return json.loads(path.read_text())


def test_held_out_rows_do_not_count(folds: Path) -> None:
    assert weights(folds, 0) == {
        "method": "balanced",
        "classes": [
            {
                "name": "mark",
                "positives": 2,
                "negatives": 3,
                "positive_weight": 5 / 4,
                "negative_weight": 5 / 6,
            }
        ],
    }
    assert [weights(folds, fold)["classes"][0]["positives"] for fold in (1, 2)] == [4, 4]


def test_the_log_has_the_weights_that_the_loss_uses(folds: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    weights(folds, 0)
    assert "fold 0, class mark: 2 positives with weight 1.2500, 3 negatives with weight 0.8333" in caplog.text
    table = read_table(folds, FOLDS)
    write_table(table.assign(target=["100", "010", "001"] * 3), folds, FOLDS)
    config = ClassWeightsConfig(method="balanced", rank=4, beta=0.9, class_names=("a", "b", "c"), activation="softmax")
    class_weights(folds=folds, weights=folds.with_name("weights.json"), fold=0, config=config)
    assert caplog.messages[-1] == "fold 0, class c: 2 rows with weight 0.8333"


def test_external_rows_count_if_they_are_trained_on(tmp_path: Path) -> None:
    split = ["train"] * 4 + ["external"] * 4
    folds = written(tmp_path / "f.csv", [1, 0, 1, 0, 1, 1, 0, 1], [0, 0, 1, 1, 0, 0, 1, -1], split)
    counts = [weights(folds, fold)["classes"][0] for fold in (0, 1)]
    assert [(row["positives"], row["negatives"]) for row in counts] == [(2, 2), (4, 1)]
    with pytest.raises(FoldlineError, match="no fold -1; the table has 0, 1"):
        weights(folds, -1)


def test_the_method_none_counts_the_rows_too(folds: Path) -> None:
    found = weights(folds, 1, "none")["classes"][0]
    assert (found["positives"], found["negatives"], found["positive_weight"]) == (4, 2, 1.0)


def test_a_fold_that_is_not_in_the_table_is_refused(folds: Path) -> None:
    with pytest.raises(FoldlineError, match="no fold 3; the table has 0, 1, 2"):
        weights(folds, 3)


def test_a_row_of_weight_2_is_as_good_as_two_rows(tmp_path: Path) -> None:
    """Also if all weights are multiplied; rows of weight 0 count for nothing."""
    target, fold = [1, 1, 0, 0, 0, 1, 0], [0, 1, 1, 1, 1, 1, 1]
    weighted = written(tmp_path / "w.csv", target, fold, ["train"] * 7, [3.0, 3.0, 1.5, 1.5, 4.5, 0.0, 0.0])
    repeated = written(tmp_path / "r.csv", [1, 1, 1, 0, 0, 0, 0, 0], [0] + [1] * 7, ["train"] * 8)
    for method in ("balanced", "capped"):
        (found,), (expected,) = weights(weighted, 0, method)["classes"], weights(repeated, 0, method)["classes"]
        for key in ("positive_weight", "negative_weight"):
            assert found[key] == pytest.approx(expected[key])
    assert (found["positives"], found["negatives"]) == (1, 3)


def test_a_fold_without_rows_to_train_on_is_refused(tmp_path: Path) -> None:
    folds = written(tmp_path / "f.csv", [1, 0, 1, 0], [0, 0, 1, 1], ["train"] * 4, [1.0, 1.0, 0.0, 0.0])
    assert weights(folds, 1)["classes"][0]["positives"] == 1
    with pytest.raises(FoldlineError, match=r"no row with a weight above 0 is left to train on while fold 0 is held"):
        weights(folds, 0)
