"""Ready-made TFRecords go in and come out as shards of the same rows; their files may be the folds."""

import collections
from pathlib import Path

import pandas as pd
import pytest
import yaml
from fixtures.project import Project, copy_workflow
from fixtures.tfrecords import METADATA, examples, write_tfrecord
from foldline.tfrecords.manifests import read_manifest
from foldline.tfrecords.record_files import read_records
from foldline.tfrecords.records import decode_record

pytestmark = pytest.mark.slow

SIZE, FILES, ROWS = 32, 4, 8
MODEL = {"backbone": "efficientnet-lite0", "weights": "none", "image_size": SIZE, "epochs": 1, "batch_size": 8}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("records")
    copy_workflow(folder)
    (folder / "data").mkdir()
    for number in range(FILES):
        # A count in the name that is wrong, and names without one, mean nothing.
        name = f"train{number:02d}-999.tfrec" if number else "train.tfrec"
        write_tfrecord(folder / "data" / name, examples(ROWS, first=number * ROWS, size=SIZE))
    write_tfrecord(folder / "data" / "test.tfrec", examples(5, first=100, size=SIZE, labeled=False))
    config = {
        "dataset": {
            "root": "data",
            "id_column": "image_name",
            "target_column": "target",
            "group_column": "patient_id",
            "metadata_columns": METADATA,
            "train_records": ["train*.tfrec"],
            "test_records": ["test.tfrec"],
            "sample_submission": None,
        },
        "leaks": {"near_duplicate_bits": None},
        "folds": {"method": "files", "count": 2},
        "models": {"a": MODEL},
    }
    (folder / "config" / "config.yaml").write_text(yaml.safe_dump(config))
    made = Project(folder)
    made.snakemake("results/folds.csv", f"results/shards/{SIZE}/train/00000-of-00001.tfrec")
    return made


def rows() -> dict[str, dict]:
    return {example["image_name"].decode(): example for example in examples(FILES * ROWS, size=SIZE)}


def test_records_come_out_as_the_same_rows(project: Project) -> None:
    """Rows 2 and 3: written by TensorFlow's own writer, read back without encoding an image again."""
    path = project.folder / "results" / "shards" / str(SIZE) / "train" / "00000-of-00001.tfrec"
    kinds = read_manifest(path.with_suffix(".json")).features
    records = {record.id: record for record in (decode_record(data, kinds) for data in read_records(path))}
    expected = rows()
    assert set(records) == set(expected)
    for name, record in records.items():
        example = expected[name]
        assert record.images == {"image": example["image"]}
        assert record.target == str(example["target"])
        assert record.group == str(example["patient_id"])
        assert record.metadata == {column: str(example[column]) for column in METADATA}


def test_files_are_the_folds(project: Project) -> None:
    """Row 12: every file has one fold, and every fold the same number of files."""
    folds = pd.read_csv(project.folder / "results" / "folds.csv").set_index("id")["fold"]
    held = collections.defaultdict(set)
    for number, name in enumerate(rows()):
        held[number // ROWS].add(folds[name])
    assert sorted(len(found) for found in held.values()) == [1] * FILES
    assert sorted(next(iter(found)) for found in held.values()) == [0, 0, 1, 1]


def test_nothing_is_done_twice_and_the_submission_has_the_test_rows(project: Project) -> None:
    assert "Nothing to be done" in project.snakemake("results/folds.csv").stderr
    table = pd.read_csv(project.folder / "results" / "raw" / "sample_submission.csv")
    assert list(table.columns) == ["image_name", "target"]
    assert len(table) == 5


def test_a_cut_file_is_named_before_the_dag(project: Project, tmp_path: Path) -> None:
    path = project.folder / "data" / "train01-999.tfrec"
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    try:
        done = project.snakemake("-n", check=False)
    finally:
        path.write_bytes(whole)
    output = done.stdout + done.stderr
    assert f"train01-999.tfrec, record {ROWS} is truncated" in output
    assert "Building DAG" not in output
