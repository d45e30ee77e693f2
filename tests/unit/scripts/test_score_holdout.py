"""The holdout is scored once, with its groups, by the means over the folds."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fixtures.results import take, write_results, write_scores
from foldline.errors import FoldlineError
from foldline.evaluation.prediction_files import PredictionFile, write_prediction_file
from foldline.evaluation.scores import EvaluationConfig
from foldline.io.result_paths import Member
from score_holdout import score_holdout
from score_test import Inputs
from sklearn.metrics import roc_auc_score


def test_the_scores_are_those_of_the_rows_of_the_holdout(tmp_path: Path) -> None:
    results = write_scores(write_results(tmp_path / "r"))
    random, ids = np.random.default_rng(2), [f"h{number:02d}" for number in range(40)]
    labels = random.integers(0, 2, 40)
    scores = {(model, fold): random.random((40, 1)) for model in "ab" for fold in range(3)}
    paths = []
    for (model, fold), values in scores.items():
        paths.append(results.folder / f"holdout_{model}{fold}.parquet")
        write_prediction_file(PredictionFile(paths[-1], model, Member(1, fold), 1), ids, values, class_names=["target"])
    table = pd.read_csv(results.folder / "folds.csv", dtype=str, keep_default_na=False)
    rows = {"id": ids, "target": labels.astype(str), "group": [f"g{number // 4}" for number in range(40)]}
    rows |= {"fold": "-2", "split": "train", "row_weight": "1.0"}
    pd.concat([table, pd.DataFrame(rows)]).fillna("").to_csv(results.folder / "folds.csv", index=False)
    settings = {"scored_classes": ["target"], "threshold": 0.5, "confidence": 0.95, "metadata_columns": ()}
    settings |= {"operating_points": ("sensitivity 0.9",)}
    config = take(EvaluationConfig, {**results.classes, **settings, "weighted": False})
    files = {"folds": results.folder / "folds.csv", "holdout_metrics": tmp_path / "m.json"}
    inputs = Inputs(paths, results.folder / "blend.json", results.folder / "metrics.json")
    score_holdout(inputs, **files, config=config)
    found = json.loads((tmp_path / "m.json").read_text())
    assert (found["rows"], found["classes"][0]["positives"]) == (40, labels.sum())
    blend = np.mean([np.float32(values) for values in scores.values()], axis=0)[:, 0]
    assert found["models"]["blend"]["auc"]["value"] == pytest.approx(roc_auc_score(labels, blend), abs=1e-6)
    with pytest.raises(FoldlineError, match="holdout predictions of model b: fold 2 is missing"):
        score_holdout(Inputs(paths[:-1], inputs.recipe, inputs.metrics), **files, config=config)
