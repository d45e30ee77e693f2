"""The finished project has diagnoses, one to an image, and submits the probability of one of them."""

import json

import numpy as np
import pandas as pd
import pytest
from fixtures.images import DIAGNOSES
from fixtures.project import Project
from sklearn.metrics import roc_auc_score

pytestmark = pytest.mark.slow


def test_each_row_has_one_class_and_probabilities_that_sum_to_one(finished_project: Project) -> None:
    diagnoses = pd.read_csv(finished_project.folder / "data" / "train.csv").set_index("image_name")["diagnosis"]
    folds = pd.read_csv(finished_project.folder / "results" / "folds.csv", dtype=str).set_index("id")
    oof = pd.read_csv(finished_project.folder / "results" / "oof.csv").set_index("id")
    assert set(oof.index) == set(diagnoses.index)
    for name, diagnosis in diagnoses.items():
        expected = [int(label == diagnosis) for label in DIAGNOSES]
        assert folds.loc[name, "target"] == "".join(map(str, expected))
        assert oof.loc[name, [f"target/{label}" for label in DIAGNOSES]].tolist() == expected
    for name in ("a", "b", "blend"):
        sums = oof[[f"{name}/{label}" for label in DIAGNOSES]].sum(axis=1)
        assert sums.to_numpy() == pytest.approx(np.ones(len(oof)), abs=1e-5)


def test_external_rows_count_in_the_weights_of_the_classes(finished_project: Project) -> None:
    weights = json.loads((finished_project.folder / "results" / "class_weights" / "fold0.json").read_text())
    folds = pd.read_csv(finished_project.folder / "results" / "folds.csv", dtype=str)
    own = (folds["fold"] != "0") & ~folds["id"].str.startswith("e")
    assert sum(row["positives"] for row in weights["classes"]) > own.sum()


def test_the_class_that_is_submitted_is_the_one_that_is_scored(finished_project: Project) -> None:
    oof = pd.read_csv(finished_project.folder / "results" / "oof.csv")
    metrics = json.loads((finished_project.folder / "results" / "metrics.json").read_text())
    for name in ("a", "b", "blend"):
        expected = roc_auc_score(oof["target/mel"], oof[f"{name}/mel"])
        assert metrics["models"][name]["auc"]["value"] == pytest.approx(expected, abs=1e-6)
    submission = pd.read_csv(finished_project.folder / "results" / "submission.csv")
    sample = pd.read_csv(finished_project.folder / "data" / "sample_submission.csv")
    assert list(submission.columns) == ["image_name", "target"]
    assert list(submission["image_name"]) == list(sample["image_name"])
    assert submission["target"].between(0, 1).all()
    assert submission["target"].nunique() == len(sample)


def test_a_class_that_the_config_does_not_know_is_named_before_the_dag(finished_project: Project) -> None:
    path = finished_project.folder / "data" / "train.csv"
    whole = path.read_text()
    path.write_text(whole.replace(",nv\n", ",scc\n", 1))
    try:
        done = finished_project.snakemake("-n", check=False)
    finally:
        path.write_text(whole)
    output = done.stdout + done.stderr
    assert "train.csv, line " in output
    assert "'scc'" in output
    assert "Building DAG" not in output
