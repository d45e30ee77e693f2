"""A run of several labels, from a table of class numbers to a submission of class numbers."""

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from fixtures.project import Project, copy_workflow
from PIL import Image

pytestmark = pytest.mark.slow

CLASSES = ["red", "green", "blue", "rare", "Negative"]
TRAIN, TEST = 48, 6


def labels_of(number: int) -> list[int]:
    """Classes of a sample: some of the colors, or Negative; the fourth class is that of one sample only."""
    colors = [color for color in range(3) if number >> color & 1]
    return [*colors, *([3] if number == 9 else [])] or [4]


def write_pictures(root: Path) -> None:
    """Write 32 x 32 pictures, each with a band of every color that it is labeled with, and the tables."""
    random = np.random.default_rng(1)
    (root / "images").mkdir(parents=True)
    for number in range(TRAIN + TEST):
        pixels = random.integers(0, 100, (32, 32, 3), dtype=np.uint8)
        for color in [label for label in labels_of(number) if label < 3]:
            pixels[:, 8 * color : 8 * color + 8, color] += 150
        Image.fromarray(pixels).save(root / "images" / f"s{number:02d}.png")
    names = [f"s{number:02d}" for number in range(TRAIN + TEST)]
    sites = [("arm", "leg")[number % 2] for number in range(TRAIN + TEST)]
    labels = ["|".join(map(str, labels_of(number))) for number in range(TRAIN + TEST)]
    tables = {
        "train.csv": [("ID", "site", "Label"), *zip(names[:TRAIN], sites[:TRAIN], labels[:TRAIN], strict=True)],
        "test.csv": [("ID", "site", "Label"), *zip(names[TRAIN:], sites[TRAIN:], labels[TRAIN:], strict=True)],
        "sample_submission.csv": [("ID", "Predicted"), *((name, "0") for name in reversed(names[TRAIN:]))],
    }
    for name, rows in tables.items():
        with (root / name).open("w", newline="", encoding="utf-8") as handle:
            csv.writer(handle, lineterminator="\n").writerows(rows)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("multilabel")
    copy_workflow(folder)
    write_pictures(folder / "data")
    config = {
        "dataset": {
            "root": "data",
            "id_column": "ID",
            "target_column": "Label",
            "labels": {"kind": "multilabel", "classes": CLASSES, "exclusive": "Negative"},
            "submission": {"form": "labels", "column": "Predicted", "separator": " "},
            "metadata_columns": ["site"],
            "metadata": {"site": {"kind": "categorical", "vocabulary": ["arm", "leg"]}},
            "train_images": "images/{id}.png",
            "test_images": "images/{id}.png",
            "test_labels": "own",
        },
        "leaks": {"near_duplicate_bits": None},
        "folds": {"count": 2},
        "class_weights": {"method": "capped", "rank": 2},
        "models": {
            "a": {
                "backbone": None,
                "inputs": ["metadata"],
                "image_size": 32,
                "epochs": 1,
                "batch_size": 12,
                "loss": {"label_smoothing": 0.1},
            }
        },
        "prediction": {"views": 1},
        "evaluation": {"threshold": "best_f1", "bootstrap_draws": 100},
    }
    (folder / "config" / "config.yaml").write_text(yaml.safe_dump(config))
    made = Project(folder)
    made.snakemake()
    return made


def test_labels_are_the_same_rows_all_the_way(project: Project) -> None:
    """Row 15."""
    results = project.folder / "results"
    folds = pd.read_csv(results / "folds.csv", dtype=str).set_index("id")
    oof = pd.read_csv(results / "oof.csv").set_index("id")
    assert list(oof.columns) == ["fold", *(f"{name}/{label}" for name in ("target", "a", "blend") for label in CLASSES)]
    assert len(oof) == TRAIN
    for number in range(TRAIN):
        expected = [int(label in labels_of(number)) for label in range(5)]
        name = f"s{number:02d}"
        assert folds.loc[name, "target"] == "".join(map(str, expected))
        assert oof.loc[name, [f"target/{label}" for label in CLASSES]].tolist() == expected
    assert oof[[f"a/{label}" for label in CLASSES]].to_numpy().min() >= 0


def test_classes_weigh_by_the_training_rows_of_the_fold(project: Project) -> None:
    """Rows 16 and 23."""
    results = project.folder / "results"
    folds = pd.read_csv(results / "folds.csv", dtype=str)
    for fold in range(2):
        rows = [list(map(int, code)) for code in folds.loc[folds["fold"] != str(fold), "target"]]
        counts = np.sum(rows, axis=0)
        threshold = sorted(counts[counts > 0])[1]
        classes = json.loads((results / "class_weights" / f"fold{fold}.json").read_text())["classes"]
        assert [row["positives"] for row in classes] == counts.tolist()
        expected = [min(1, threshold / count) if count else 1 for count in counts]
        assert [row["positive_weight"] for row in classes] == pytest.approx(expected)
        provenance = json.loads((results / "models" / "a" / f"fold{fold}" / "provenance.json").read_text())
        assert provenance["class_weights"]["classes"] == classes


def test_rows_that_no_model_saw_are_scored_class_by_class(project: Project) -> None:
    """Row 26, corrected: the notebook evaluates on its training rows."""
    metrics = json.loads((project.folder / "results" / "metrics.json").read_text())
    assert metrics["rows"] == TRAIN
    scores = metrics["models"]["blend"]
    defined = [row["auc"]["value"] for row in scores["classes"] if row["auc"]["value"] is not None]
    assert scores["auc"]["value"] == pytest.approx(sum(defined) / len(defined))


def test_labeled_test_rows_are_scored_apart(project: Project) -> None:
    """Row 26: by the thresholds of the out-of-fold rows, and shown in the report."""
    results = project.folder / "results"
    metrics, scored = (json.loads((results / name).read_text()) for name in ("metrics.json", "test_metrics.json"))
    assert (metrics["rows"], scored["rows"]) == (TRAIN, TEST)
    truth = np.array([[int(label in labels_of(number)) for label in range(5)] for number in range(TRAIN, TRAIN + TEST)])
    assert [row["positives"] for row in scored["classes"]] == truth.sum(axis=0).tolist()
    for model, scores in scored["models"].items():
        decided = [row["threshold"] for row in metrics["models"][model]["classes"]]
        assert [row["threshold"] for row in scores["classes"]] == decided
    page = (results / "report.html").read_text(encoding="utf-8")
    assert f"The labels of the {TEST} test images are known." in page


def test_changed_test_labels_make_the_test_scores_and_the_report_stale(project: Project) -> None:
    """Row 26: nothing else ever reads them."""
    table = project.folder / "data" / "test.csv"
    text = table.read_text()
    lines = text.splitlines()
    first, second = (line.rsplit(",", 1) for line in lines[1:3])
    assert first[1] != second[1]
    lines[1:3] = [f"{first[0]},{second[1]}", f"{second[0]},{first[1]}"]
    try:
        table.write_text("\n".join(lines) + "\n")
        assert project.stale() == {"score_test", "render_report"}
    finally:
        table.write_text(text)
    assert project.stale() == set()


def test_a_class_of_one_sample_is_told_and_not_refused(project: Project) -> None:
    metrics = json.loads((project.folder / "results" / "metrics.json").read_text())
    assert [row["name"] for row in metrics["classes"] if row["rare"]] == ["rare"]
    rare = metrics["models"]["a"]["classes"][3]
    assert [row["auc"] is None for row in rare["folds"]].count(True) == 1
    assert metrics["models"]["a"]["auc"]["value"] is not None
    assert "rare (1 with it, 47 without)" in (project.folder / "logs" / "make_folds.log").read_text()
    page = (project.folder / "results" / "report.html").read_text(encoding="utf-8")
    assert "Scores per class of" in page
    assert "rare (1 image)" in page


def test_the_submission_has_numbers_in_the_order_of_the_sample(project: Project) -> None:
    table = pd.read_csv(project.folder / "results" / "submission.csv", dtype=str, keep_default_na=False)
    assert list(table.columns) == ["ID", "Predicted"]
    assert list(table["ID"]) == [f"s{number:02d}" for number in reversed(range(TRAIN, TRAIN + TEST))]
    for cell in table["Predicted"]:
        numbers = [int(number) for number in cell.split(" ")]
        assert numbers == sorted(set(numbers))
        assert set(numbers) <= set(range(5))
        assert numbers == [4] or 4 not in numbers


def test_a_wrong_label_is_named_before_the_dag(project: Project) -> None:
    path = project.folder / "data" / "train.csv"
    whole = path.read_text()
    path.write_text(whole.replace("s03,leg,0|1\n", "s03,leg,0|4\n"))
    try:
        done = project.snakemake("-n", check=False)
    finally:
        path.write_text(whole)
    output = done.stdout + done.stderr
    assert "train.csv, line 5: label '0|4' (column Label) of id 's03' contains 'Negative' together with" in output
    assert "Building DAG" not in output
