"""The protein-atlas recipe, from the records of the competition's own folder to its submission of four columns."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from fixtures.competitions import ATLAS_CLASSES, RARE, atlas_labels, write_atlas
from fixtures.project import Project, copy_workflow

pytestmark = pytest.mark.slow

TRAIN, TEST = 57, 4
RECIPE = (
    *("--configfile", "config/hpa.yaml", "--config"),
    *("dataset={root: data, test_labels: solution.csv}", "folds={count: 2}"),
)
# As cheap as can be; everything else is the recipe's.
CHEAP = (
    "models={b0: {backbone: efficientnet-lite0, weights: none, trainable: head, image_size: 32, epochs: 1, "
    "batch_size: 16, schedule: {warmup_epochs: 0, hold_epochs: 0}}}",
    "leaks={near_duplicate_bits: null}",
    "prediction={views: 1}",
    "embeddings={image_size: 32}",
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, list[str], list[str]]:
    """The finished project, and the ids of its training and test samples."""
    folder = tmp_path_factory.mktemp("atlas")
    copy_workflow(folder)
    train, test = write_atlas(folder / "data", train=TRAIN, test=TEST)
    # As if the competition had published them; in another order.
    labels = [f"{name},{'|'.join(map(str, atlas_labels(TRAIN + number)))}\n" for number, name in enumerate(test)]
    (folder / "data" / "solution.csv").write_text("".join(["ID,Label\n", *reversed(labels)]))
    made = Project(folder)
    made.snakemake(*RECIPE, *CHEAP, "preset=records")
    return made, train, test


@pytest.fixture(scope="module")
def results(project: tuple[Project, list[str], list[str]]) -> Path:
    return project[0].folder / "results"


@pytest.fixture(scope="module")
def classes(project: tuple[Project, list[str], list[str]]) -> list[str]:
    recipe = yaml.safe_load((project[0].folder / "config" / "hpa.yaml").read_text())
    return recipe["dataset"]["labels"]["classes"]


def test_labels_are_the_same_rows_all_the_way(
    project: tuple[Project, list[str], list[str]], results: Path, classes: list[str]
) -> None:
    """Rows 15 and 17: one sample per four records."""
    folds = pd.read_csv(results / "folds.csv", dtype=str).set_index("id")
    oof = pd.read_csv(results / "oof.csv").set_index("id")
    assert list(oof.columns) == [
        "fold",
        *(f"{name}/{label}" for name in ("target", "b0", "blend") for label in classes),
    ]
    assert len(oof) == len(folds) == TRAIN
    for number, name in enumerate(project[1]):
        expected = [int(label in atlas_labels(number)) for label in range(ATLAS_CLASSES)]
        assert folds.loc[name, "target"] == "".join(map(str, expected))
        assert oof.loc[name, [f"target/{label}" for label in classes]].tolist() == expected
    assert oof[[f"b0/{label}" for label in classes]].to_numpy().min() >= 0


def test_classes_weigh_by_the_training_rows_of_the_fold(results: Path) -> None:
    """Rows 16 and 23."""
    folds = pd.read_csv(results / "folds.csv", dtype=str)
    for fold in range(2):
        rows = [list(map(int, code)) for code in folds.loc[folds["fold"] != str(fold), "target"]]
        counts = np.sum(rows, axis=0)
        threshold = sorted(counts[counts > 0])[3]
        weights = json.loads((results / "class_weights" / f"fold{fold}.json").read_text())["classes"]
        assert [row["positives"] for row in weights] == counts.tolist()
        expected = [min(1, threshold / count) if count else 1 for count in counts]
        assert [row["positive_weight"] for row in weights] == pytest.approx(expected)
        provenance = json.loads((results / "models" / "b0" / f"fold{fold}" / "provenance.json").read_text())
        assert provenance["class_weights"]["classes"] == weights


def test_rows_that_no_model_saw_are_scored_class_by_class(results: Path) -> None:
    """Row 26, corrected: the notebook evaluates on its training rows."""
    metrics = json.loads((results / "metrics.json").read_text())
    assert metrics["rows"] == TRAIN
    scores = metrics["models"]["blend"]
    defined = [row["auc"]["value"] for row in scores["classes"] if row["auc"]["value"] is not None]
    assert scores["auc"]["value"] == pytest.approx(sum(defined) / len(defined))


def test_labeled_test_rows_are_scored_apart(results: Path) -> None:
    """Row 26: by the thresholds of the out-of-fold rows, and shown in the report."""
    metrics, scored = (json.loads((results / name).read_text()) for name in ("metrics.json", "test_metrics.json"))
    assert (metrics["rows"], scored["rows"]) == (TRAIN, TEST)
    numbers = range(TRAIN, TRAIN + TEST)
    truth = np.array([[int(label in atlas_labels(number)) for label in range(ATLAS_CLASSES)] for number in numbers])
    assert [row["positives"] for row in scored["classes"]] == truth.sum(axis=0).tolist()
    for model, scores in scored["models"].items():
        decided = [row["threshold"] for row in metrics["models"][model]["classes"]]
        assert [row["threshold"] for row in scores["classes"]] == decided
    page = (results / "report.html").read_text(encoding="utf-8")
    assert f"The labels of the {TEST} test images are known." in page


def test_changed_test_labels_make_the_test_scores_and_the_report_stale(
    project: tuple[Project, list[str], list[str]],
) -> None:
    """Row 26: nothing else ever reads them."""
    table = project[0].folder / "data" / "solution.csv"
    text = table.read_text()
    lines = text.splitlines()
    first, second = (line.rsplit(",", 1) for line in lines[1:3])
    assert first[1] != second[1]
    lines[1:3] = [f"{first[0]},{second[1]}", f"{second[0]},{first[1]}"]
    try:
        table.write_text("\n".join(lines) + "\n")
        assert project[0].stale(*RECIPE, *CHEAP, "preset=records") == {"score_test", "render_report"}
    finally:
        table.write_text(text)
    assert project[0].stale(*RECIPE, *CHEAP, "preset=records") == set()


def test_a_class_of_one_sample_is_told_and_not_refused(
    project: tuple[Project, list[str], list[str]], results: Path, classes: list[str]
) -> None:
    metrics = json.loads((results / "metrics.json").read_text())
    assert classes[RARE] in [row["name"] for row in metrics["classes"] if row["rare"]]
    rare = metrics["models"]["b0"]["classes"][RARE]
    assert [row["auc"]["value"] is None for row in rare["folds"]].count(True) == 1
    assert metrics["models"]["b0"]["auc"]["value"] is not None
    log = (project[0].folder / "logs" / "make_folds.log").read_text()
    assert f"{classes[RARE]} (1 with it, {TRAIN - 1} without)" in log
    page = (results / "report.html").read_text(encoding="utf-8")
    assert "Scores per class of" in page
    assert f"{classes[RARE]} (1 image)" in page


def test_the_submission_has_numbers_and_the_other_columns_of_the_sample(
    project: tuple[Project, list[str], list[str]], results: Path
) -> None:
    """The cells of the sample are all equal, so the training labels decide: class numbers from 0."""
    table = pd.read_csv(results / "submission.csv", dtype=str, keep_default_na=False)
    sample = pd.read_csv(project[0].folder / "data" / "sample_submission.csv", dtype=str)
    assert list(table.columns) == ["ID", "ImageWidth", "ImageHeight", "PredictionString"]
    pd.testing.assert_frame_equal(table.iloc[:, :3], sample.iloc[:, :3])
    assert list(table["ID"]) == project[2]
    for cell in table["PredictionString"]:
        numbers = [int(number) for number in cell.split(" ")]
        assert numbers == sorted(set(numbers))
        assert set(numbers) <= set(range(ATLAS_CLASSES))
        assert numbers == [ATLAS_CLASSES - 1] or ATLAS_CLASSES - 1 not in numbers
    text = (
        "Column PredictionString of the submission has the predicted classes as numbers from 0, as in the training "
        "labels. Copied from the sample submission: column ImageWidth, ImageHeight."
    )
    assert text in (project[0].folder / "logs" / "blend_folds.log").read_text()
    assert text in (results / "report.html").read_text(encoding="utf-8")


def test_tables_and_images_of_the_folder_are_the_same_data(project: tuple[Project, list[str], list[str]]) -> None:
    """Without the preset the recipe reads the PNG files, and nothing is stale."""
    assert project[0].stale(*RECIPE, *CHEAP) == set()


def test_a_wrong_label_is_named_before_the_dag(project: tuple[Project, list[str], list[str]]) -> None:
    path = project[0].folder / "data" / "train.csv"
    whole = path.read_text()
    path.write_text(whole.replace(f"{project[1][4]},4\n", f"{project[1][4]},4|18\n"))
    try:
        done = project[0].snakemake("-n", *RECIPE, *CHEAP, check=False)
    finally:
        path.write_text(whole)
    output = done.stdout + done.stderr
    assert "train.csv, line 6: label '4|18' (column Label)" in output
    assert "contains 'Negative' together with" in output
    assert "Building DAG" not in output


def test_another_configuration_does_not_replace_the_results(project: tuple[Project, list[str], list[str]]) -> None:
    """A forgotten --configfile would take config/config.yaml, the embedded example."""
    done = project[0].snakemake("-n", check=False)
    output = done.stdout + done.stderr
    assert "the results in this directory were made from config/hpa.yaml; this run is from config/config.yaml" in output
    assert "Building DAG" not in output
    assert "Traceback" not in output
    assert "example_data" in project[0].snakemake("-n", "--config", "replace_results=true").stdout
