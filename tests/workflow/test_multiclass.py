"""A run on diagnoses, one to an image, whose submission is the probability of one of them."""

import json

import numpy as np
import pandas as pd
import pytest
import yaml
from fixtures.images import EXTERNAL, dataset_section, write_dataset
from fixtures.project import Project, copy_workflow
from sklearn.metrics import roc_auc_score

pytestmark = pytest.mark.slow

CLASSES = ["bkl", "mel", "nv"]
TRAIN, TEST = 48, 6


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("multiclass")
    copy_workflow(folder)
    write_dataset(folder / "data", train=TRAIN, test=TEST, external=8)
    for name in ("train.csv", "external.csv"):
        table = pd.read_csv(folder / "data" / name)
        number = np.arange(len(table))
        table["diagnosis"] = np.where(table.pop("target") == 1, "mel", np.where(number // 2 % 2, "nv", "bkl"))
        table.to_csv(folder / "data" / name, index=False)
    training = {"image_size": 32, "epochs": 1, "batch_size": 12}
    config = {
        "dataset": dataset_section(
            "data",
            target_column="diagnosis",
            labels={"kind": "multiclass", "classes": CLASSES},
            submission={"class": "mel", "column": "target"},
            external=EXTERNAL,
        ),
        "folds": {"count": 2},
        "class_weights": {"method": "balanced"},
        "models": {
            "a": {
                **training,
                "backbone": "efficientnet-lite0",
                "weights": "none",
                "loss": {"label_smoothing": 0.1},
                "augment": {"mixup": {"probability": 0.5}},
            },
            "b": {**training, "backbone": None, "inputs": ["metadata"]},
        },
        "prediction": {"views": 1},
        "evaluation": {"bootstrap_draws": 100},
    }
    (folder / "config" / "config.yaml").write_text(yaml.safe_dump(config))
    made = Project(folder)
    made.snakemake()
    return made


def test_each_row_has_one_class_and_probabilities_that_sum_to_one(project: Project) -> None:
    diagnoses = pd.read_csv(project.folder / "data" / "train.csv").set_index("image_name")["diagnosis"]
    folds = pd.read_csv(project.folder / "results" / "folds.csv", dtype=str).set_index("id")
    oof = pd.read_csv(project.folder / "results" / "oof.csv").set_index("id")
    assert set(oof.index) == set(diagnoses.index)
    for name, diagnosis in diagnoses.items():
        expected = [int(label == diagnosis) for label in CLASSES]
        assert folds.loc[name, "target"] == "".join(map(str, expected))
        assert oof.loc[name, [f"target/{label}" for label in CLASSES]].tolist() == expected
    for model in ("a", "b"):
        sums = oof[[f"{model}/{label}" for label in CLASSES]].sum(axis=1)
        assert sums.to_numpy() == pytest.approx(np.ones(TRAIN), abs=1e-5)


def test_external_rows_train_and_are_never_scored(project: Project) -> None:
    metrics = json.loads((project.folder / "results" / "metrics.json").read_text())
    assert metrics["rows"] == TRAIN
    weights = json.loads((project.folder / "results" / "class_weights" / "fold0.json").read_text())
    folds = pd.read_csv(project.folder / "results" / "folds.csv", dtype=str)
    own = (folds["fold"] != "0") & ~folds["id"].str.startswith("e")
    assert sum(row["positives"] for row in weights["classes"]) > own.sum()


def test_the_class_that_is_submitted_is_the_one_that_is_scored(project: Project) -> None:
    oof = pd.read_csv(project.folder / "results" / "oof.csv")
    metrics = json.loads((project.folder / "results" / "metrics.json").read_text())
    for name in ("a", "b", "blend"):
        expected = roc_auc_score(oof["target/mel"], oof[f"{name}/mel"])
        assert metrics["models"][name]["auc"]["value"] == pytest.approx(expected, abs=1e-6)
    submission = pd.read_csv(project.folder / "results" / "submission.csv")
    sample = pd.read_csv(project.folder / "data" / "sample_submission.csv")
    assert list(submission.columns) == ["image_name", "target"]
    assert list(submission["image_name"]) == list(sample["image_name"])
    assert submission["target"].between(0, 1).all()
    assert submission["target"].nunique() == TEST


def test_a_class_that_the_config_does_not_know_is_named_before_the_dag(project: Project) -> None:
    path = project.folder / "data" / "train.csv"
    whole = path.read_text()
    path.write_text(whole.replace(",nv\n", ",scc\n", 1))
    try:
        done = project.snakemake("-n", check=False)
    finally:
        path.write_text(whole)
    output = done.stdout + done.stderr
    assert "train.csv, line " in output
    assert "'scc'" in output
    assert "Building DAG" not in output
