"""The table of predictions."""

from pathlib import Path

import numpy as np
from fixtures.settings import model_config
from foldline.inference.predictions import prediction_table
from foldline.inference.trained_model import TrainedModel
from foldline.io.tables import PREDICTIONS, write_table


def test_the_table_has_a_row_for_each_id_and_class(tmp_path: Path) -> None:
    model = TrainedModel("m", 3, "weights.h5", "metadata.json", model_config(), ["y", "x"], "sigmoid")
    table = prediction_table(["b", "a"], np.array([[0.1, 0.2], [0.3, 0.4]]), model=model, views=4)
    write_table(table, tmp_path / "t.csv", PREDICTIONS, key=("id", "class"))
    assert list(zip(table["id"], table["class"], table["probability"], strict=True)) == [
        ("a", "x", 0.4),
        ("a", "y", 0.3),
        ("b", "x", 0.2),
        ("b", "y", 0.1),
    ]
    assert set(table["model"]) == {"m"}
    assert set(table["fold"]) == {3}
    assert set(table["views"]) == {4}
