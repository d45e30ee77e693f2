"""Compressed records without ids, with images of many sizes and formats and the votes of annotators, to the report."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from fixtures.pictures import photograph, saved
from fixtures.project import Project, copy_workflow
from fixtures.tfrecords import write_tfrecord
from foldline.dataset.soft_labels import hard_code
from foldline.images.headers import read_header
from foldline.tfrecords.manifests import read_manifest
from foldline.tfrecords.record_files import read_records
from foldline.tfrecords.records import decode_record

pytestmark = pytest.mark.slow

FILES, ROWS, TEST = 3, 8, 12
CLASSES = ["a", "b", "c"]
CONFIG: dict[str, Any] = {
    "dataset": {
        "root": "data",
        "id_column": "id",
        "target_column": "votes",
        "labels": {"kind": "soft", "classes": CLASSES},
        "train_records": ["train*.tfrecord"],
        "test_records": ["test*.tfrecord"],
        "record_ids": "position",
        "test_labels": "own",
        "sample_submission": None,
        "metadata_columns": ["age"],
        "metadata": {"age": {"kind": "numeric"}},
    },
    "folds": {"count": 2},
    "class_weights": {"method": "balanced"},
    "models": {
        "m": {
            "inputs": ["metadata"],
            "backbone": None,
            "image_size": 32,
            "epochs": 2,
            "batch_size": 8,
            "select_epoch": "best",
            "loss": {"label_smoothing": 0.1},
        }
    },
    "prediction": {"views": 1},
    "embeddings": {"enabled": False},
}
TARGETS = ("results/submission.csv", "results/report.html")


def records(count: int, *, first: int) -> list[dict[str, Any]]:
    """Votes that follow the age; every class has the most votes of some."""
    made = []
    for number in range(first, first + count):
        votes = [1.0, 0.0, 2.0]
        votes[number % 3] += 3
        kind = ("JPEG", "PNG", "WEBP")[number % 3]
        image = saved(photograph(30 + number, 40 + 2 * number, seed=number), kind)
        made.append({"image": image, "votes": votes, "age": float(number % 3)})
    return made


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("soft")
    copy_workflow(folder)
    (folder / "data").mkdir()
    for number in range(FILES):
        path = folder / "data" / f"train-0000{number}-of-00003.tfrecord"
        write_tfrecord(path, records(ROWS, first=number * ROWS), compression="GZIP")
    write_tfrecord(folder / "data" / "test.tfrecord", records(TEST, first=100), compression="ZLIB")
    (folder / "config" / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    made = Project(folder)
    done = made.snakemake(*TARGETS)
    assert "of 8 rows do not have the sum 1, but 6, so they are divided" in done.stdout + done.stderr
    return made


def votes_of(split: str) -> dict[str, np.ndarray]:
    """Shares of each id."""
    if split == "test":
        named = {f"test.tfrecord/{n + 1}": row for n, row in enumerate(records(TEST, first=100))}
    else:
        named = {
            f"train-0000{number}-of-00003.tfrecord/{n + 1}": row
            for number in range(FILES)
            for n, row in enumerate(records(ROWS, first=number * ROWS))
        }
    return {name: np.float32(row["votes"]) / 6 for name, row in named.items()}


def cross_entropy(shares: np.ndarray, scores: np.ndarray) -> float:
    return float(-(shares * np.log(scores)).sum(axis=1).mean())


def test_ids_are_files_and_numbers_and_labels_are_shares(project: Project) -> None:
    oof = pd.read_csv(project.folder / "results" / "oof.csv").set_index("id")
    expected = votes_of("train")
    assert set(oof.index) == set(expected)
    for name, shares in expected.items():
        assert oof.loc[name, [f"target/{label}" for label in CLASSES]].tolist() == pytest.approx(shares, abs=1e-6)
    folds = pd.read_csv(project.folder / "results" / "folds.csv", dtype=str)
    counts = folds.assign(label=folds["target"].map(hard_code)).groupby(["label", "fold"]).size()
    assert set(counts) == {4}


def test_images_of_all_sizes_and_formats_are_resized(project: Project) -> None:
    path = project.folder / "results" / "shards" / "32" / "train" / "00000-of-00001.tfrec"
    kinds = read_manifest(path.with_suffix(".json")).features
    made = [decode_record(data, kinds) for data in read_records(path)]
    headers = [read_header(record.images["image"]) for record in made]
    assert {(header.width, header.height) for header in headers} == {(32, 32)}
    assert len(made) == FILES * ROWS


def test_the_cross_entropy_of_the_shares_is_reported(project: Project) -> None:
    results = project.folder / "results"
    oof, metrics = pd.read_csv(results / "oof.csv"), json.loads((results / "metrics.json").read_text())
    shares, scores = (oof[[f"{name}/{label}" for label in CLASSES]].to_numpy() for name in ("target", "blend"))
    found = metrics["models"]["blend"]["soft_cross_entropy"]["value"]
    assert found == pytest.approx(cross_entropy(shares, scores), abs=1e-5)
    assert found > metrics["soft_label_entropy"] > 0
    assert [row["share_sum"] for row in metrics["classes"]] == pytest.approx(shares.sum(axis=0), abs=1e-4)
    submission = pd.read_csv(results / "submission.csv").set_index("id")
    assert list(submission.columns) == CLASSES
    tested = votes_of("test")
    assert set(submission.index) == set(tested)
    test_metrics = json.loads((results / "test_metrics.json").read_text())
    expected = cross_entropy(np.stack([tested[name] for name in submission.index]), submission.to_numpy())
    assert test_metrics["models"]["blend"]["soft_cross_entropy"]["value"] == pytest.approx(expected, abs=1e-5)
    report = (results / "report.html").read_text()
    assert "Soft cross entropy" in report
    assert "Sum of soft labels" in report


def test_nothing_is_done_twice(project: Project) -> None:
    assert "Nothing to be done" in project.snakemake(*TARGETS).stderr


def test_a_changed_vote_changes_its_rows(project: Project) -> None:
    path = Path(project.folder, "data", "train-00000-of-00003.tfrecord")
    whole = path.read_bytes()
    changed = records(ROWS, first=0)
    changed[0]["votes"] = [1.0, 0.0, 5.0]
    write_tfrecord(path, changed, compression="GZIP")
    try:
        stale = project.stale(*TARGETS)
    finally:
        path.write_bytes(whole)
    assert {"make_folds", "train_fold/m/fold0", "evaluate"} <= stale
