"""One finished run on tiny data: its results are complete, and a second run has nothing to do."""

import json
from pathlib import Path

import pandas as pd
import pytest
from fixtures.images import DIAGNOSES
from fixtures.project import Project

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def results(finished_project: Project) -> Path:
    return finished_project.folder / "results"


def test_the_submission_has_the_form_of_the_sample(results: Path) -> None:
    sample = pd.read_csv(results.parent / "data" / "sample_submission.csv")
    submission = pd.read_csv(results / "submission.csv")
    assert list(submission.columns) == list(sample.columns)
    assert list(submission["image_name"]) == list(sample["image_name"])
    assert submission["target"].between(0, 1).all()


def test_every_training_row_has_one_out_of_fold_score_of_every_model(results: Path) -> None:
    table = pd.read_csv(results.parent / "data" / "train.csv")
    oof = pd.read_csv(results / "oof.csv")
    columns = [f"{name}/{label}" for name in ("target", "a", "b", "blend") for label in DIAGNOSES]
    assert list(oof.columns) == ["id", "fold", "label", "predicted", *columns]
    assert sorted(oof["id"]) == sorted(table["image_name"])
    merged = oof.merge(table, left_on="id", right_on="image_name")
    assert merged.groupby("patient_id")["fold"].nunique().max() == 1


def test_external_rows_are_trained_on_and_never_scored(results: Path) -> None:
    folds = pd.read_csv(results / "folds.csv").set_index("id")
    external = folds[folds["split"] == "external"]
    assert len(external) == 8
    # The first is of the first training row's patient: it is withheld where that row is held out.
    assert external.loc["e000", "fold"] == folds.loc["s000", "fold"]
    assert set(external["fold"].drop("e000")) == {-1}
    assert not pd.read_csv(results / "oof.csv")["id"].str.startswith("e").any()
    for fold in range(2):
        provenance = json.loads((results / "models" / "a" / f"fold{fold}" / "provenance.json").read_text())
        rows = folds[(folds["split"] == "train") & (folds["fold"] != fold)]
        assert provenance["train_rows"] == len(rows) + 8 - (fold == external.loc["e000", "fold"])


def test_metrics_and_report_are_there(results: Path) -> None:
    metrics = json.loads((results / "metrics.json").read_text())
    assert {"a", "b", "blend"} <= set(metrics["models"])
    assert metrics["rows"] == 60
    page = (results / "report.html").read_text(encoding="utf-8")
    assert "Foldline report" in page
    assert 'src="http' not in page


def test_models_of_one_size_share_their_shards(results: Path) -> None:
    assert [path.name for path in (results / "shards").iterdir()] == ["32"]
    assert len(list((results / "shards" / "32" / "train").glob("*.tfrec"))) == 2


def test_classes_and_vocabularies_are_listed(results: Path) -> None:
    words = json.loads((results / "classes.json").read_text(encoding="utf-8"))
    assert words == {"classes": list(DIAGNOSES), "vocabularies": {"site": ["arm", "leg"]}}


def test_a_second_run_has_nothing_to_do(finished_project: Project) -> None:
    done = finished_project.snakemake("results/submission.csv")
    assert "Nothing to be done" in done.stdout + done.stderr


def test_every_job_left_a_log_and_a_benchmark(finished_project: Project) -> None:
    built = names(finished_project.folder / "results" / "keys", ".built")
    assert len(built) > 25
    assert names(finished_project.folder / "logs", ".log") == built
    assert names(finished_project.folder / "benchmarks", ".tsv") == built


def names(folder: Path, suffix: str) -> set[str]:
    return {str(path.relative_to(folder)).removesuffix(suffix) for path in folder.rglob(f"*{suffix}")}


def test_snakemake_makes_its_own_report(finished_project: Project, tmp_path: Path) -> None:
    finished_project.snakemake("--report", str(tmp_path / "report.zip"))
    assert (tmp_path / "report.zip").stat().st_size > 10_000
