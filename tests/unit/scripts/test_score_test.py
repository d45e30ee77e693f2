"""The test predictions are scored against known labels; nothing is chosen by these."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fixtures.results import Results, take, write_results, write_scores
from foldline.dataset.known_labels import KnownLabels
from foldline.dataset.labels import BINARY_LABELS, Labels
from foldline.errors import FoldlineError
from foldline.evaluation.scores import EvaluationConfig
from score_test import Inputs, score_test
from sklearn.metrics import accuracy_score, average_precision_score, f1_score, roc_auc_score

CLASSES = ("mole", "scar", "wart")


def write_labels(results: Results, seed: int = 1) -> tuple[KnownLabels, np.ndarray]:
    """Random labels of the test rows, in another order than the predictions; and the labels by sorted id."""
    ids = sorted(results.test_ids)
    several = len(results.class_names) > 1
    labels = np.random.default_rng(seed).integers(0, len(results.class_names) if several else 2, len(ids))
    path = results.folder / "solution.csv"
    with path.open("w", newline="", encoding="utf-8") as handle:
        cells = [results.class_names[label] if several else str(label) for label in labels]
        csv.writer(handle).writerows([("id", "label"), *reversed(list(zip(ids, cells, strict=True)))])
    kind = Labels("multiclass", results.class_names) if several else BINARY_LABELS
    codes = np.eye(len(results.class_names), dtype=int)[labels] if several else labels[:, np.newaxis]
    return KnownLabels(str(path), "id", "label", kind), codes


def scored(results: Results, known: KnownLabels, **changes: Any) -> dict[str, Any]:
    values = {
        **results.classes,
        "scored_classes": results.class_names,
        "threshold": 0.5,
        "confidence": 0.95,
        "metadata_columns": (),
        "weighted": False,
        "operating_points": ("sensitivity 0.9", "specificity 0.9"),
    } | changes
    inputs = Inputs(results.predictions("test.parquet"), results.folder / "blend.json", results.folder / "metrics.json")
    path = results.folder / "test_metrics.json"
    score_test(inputs, test_metrics=path, known_labels=known, config=take(EvaluationConfig, values))
    content: dict[str, Any] = json.loads(path.read_text())
    return content


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return write_scores(write_results(tmp_path / "r", test_rows=60))


def submitted(results: Results) -> pd.DataFrame:
    """The submission, which holds the probabilities of the blend, by sorted id."""
    return pd.read_csv(results.folder / "submission.csv").set_index("image_name").sort_index()


def test_scores_are_those_of_the_submission(results: Results) -> None:
    """Row 26."""
    known, labels = write_labels(results)
    found = scored(results, known)
    blend, scores = found["models"]["blend"], submitted(results)["target"].to_numpy()
    assert found["rows"] == 60
    assert found["classes"] == [{"name": "target", "positives": int(labels.sum()), "negatives": int(60 - labels.sum())}]
    assert blend["auc"]["value"] == pytest.approx(roc_auc_score(labels[:, 0], scores))
    assert blend["average_precision"]["value"] == pytest.approx(average_precision_score(labels[:, 0], scores))
    assert blend["auc"]["low"] < blend["auc"]["value"] < blend["auc"]["high"]
    assert set(found["models"]) == {"a", "b", "blend"}
    assert not {"folds", "folds_mean", "subgroups"} & blend.keys()


def test_the_gain_of_the_mean_over_the_folds_is_that_of_the_files(results: Results) -> None:
    known, labels = write_labels(results)
    found = scored(results, known)["fold_averaging"]
    areas = []
    for fold in range(results.count):
        paths = [path for path in results.predictions("test.parquet") if Path(path).parent.name == f"fold{fold}"]
        tables = [pd.read_parquet(path).set_index("id").sort_index()["probability/target"] for path in paths]
        areas.append(roc_auc_score(labels[:, 0], sum(tables) / len(tables)))
    assert (found["networks"], len(paths)) == (results.count, 2)
    assert found["single_auc"] == pytest.approx(np.mean(areas), abs=1e-6)
    area = roc_auc_score(labels[:, 0], submitted(results)["target"].to_numpy())
    assert found["gain"] == pytest.approx(area - np.mean(areas), abs=1e-6)
    assert found["low"] < found["gain"] < found["high"]


def test_scores_of_classes_are_those_of_their_columns(tmp_path: Path) -> None:
    results = write_results(tmp_path / "r", test_rows=60, class_names=CLASSES, activation="softmax")
    write_scores(results)
    known, labels = write_labels(results)
    classes = scored(results, known)["models"]["blend"]["classes"]
    scores = submitted(results)[list(CLASSES)].to_numpy()
    expected = [roc_auc_score(*columns) for columns in zip(labels.T, scores.T, strict=True)]
    assert [row["auc"]["value"] for row in classes] == pytest.approx(expected)
    assert [row["name"] for row in classes] == list(CLASSES)


def test_thresholds_are_those_of_the_out_of_fold_rows(results: Results) -> None:
    results.evaluate(threshold="best_f1")
    decided = json.loads((results.folder / "metrics.json").read_text())["models"]
    thresholds = {name: scores["classes"][0]["threshold"] for name, scores in decided.items()}
    scores = submitted(results)["target"].to_numpy()
    for seed in (1, 2):
        known, labels = write_labels(results, seed)
        models = scored(results, known, threshold="best_f1")["models"]
        assert {name: found["classes"][0]["threshold"] for name, found in models.items()} == thresholds
        expected = f1_score(labels[:, 0], scores >= thresholds["blend"])
        assert models["blend"]["f1"]["value"] == pytest.approx(expected)


def test_the_prevalence_is_that_of_the_out_of_fold_rows(tmp_path: Path) -> None:
    results = write_results(tmp_path / "r", test_rows=60, class_names=CLASSES, activation="softmax")
    write_scores(results)
    results.evaluate(threshold="prevalence")
    decided = json.loads((results.folder / "metrics.json").read_text())["models"]["blend"]["classes"]
    known, labels = write_labels(results)
    found = scored(results, known, threshold="prevalence")
    shares = [row["threshold"] for row in decided]
    assert [row["threshold"] for row in found["models"]["blend"]["classes"]] == shares
    predicted = (submitted(results)[list(CLASSES)].to_numpy() / shares).argmax(axis=1)
    expected = accuracy_score(labels.argmax(axis=1), predicted)
    assert found["models"]["blend"]["accuracy"]["value"] == pytest.approx(expected)


def test_the_blend_is_that_of_the_recipe(tmp_path: Path) -> None:
    results = write_scores(write_results(tmp_path / "r", test_rows=60), method="rank_mean")
    known, labels = write_labels(results)
    found = scored(results, known)
    assert found["blend_rule"] == "rank_mean"
    auc = roc_auc_score(labels[:, 0], submitted(results)["target"].to_numpy())
    assert found["models"]["blend"]["auc"]["value"] == pytest.approx(auc)
    assert found["models"]["blend"]["log_loss"]["value"] is None


def test_labels_of_other_rows_are_refused(results: Results) -> None:
    known, _ = write_labels(results)
    path = Path(known.table)
    path.write_text(path.read_text().replace("test_0003,", "other,"))
    with pytest.raises(FoldlineError, match=r"id test_0003"):
        scored(results, known)
