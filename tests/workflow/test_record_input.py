"""The melanoma recipe, from the records of the competition's own folder to its submission; files are the folds."""

import collections
import csv
from pathlib import Path

import pandas as pd
import pytest
from fixtures.competitions import write_melanoma
from fixtures.project import Project, copy_workflow
from foldline.tfrecords.manifests import read_manifest
from foldline.tfrecords.record_files import read_records
from foldline.tfrecords.records import decode_record

pytestmark = pytest.mark.slow

FILES, ROWS, TEST = 4, 8, 4
METADATA = ["age_approx", "sex", "anatom_site_general_challenge"]
RECIPE = ("--configfile", "config/melanoma.yaml", "--config", "dataset={root: data}", "folds={count: 2}")
# As cheap as can be; everything else is the recipe's.
CHEAP = (
    "models={b3: {inputs: [metadata], backbone: null, image_size: 32, epochs: 1, batch_size: 8, "
    "schedule: {warmup_epochs: 0}}}",
    "prediction={views: 1}",
    "embeddings={enabled: false}",
    "preset=competition_records",
)
SHARD = Path("results", "shards", "32", "train", "00000-of-00001.tfrec")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("melanoma")
    copy_workflow(folder)
    write_melanoma(folder / "data", files=FILES, rows=ROWS, test=TEST)
    made = Project(folder)
    made.snakemake("results/submission.csv", *RECIPE, *CHEAP)
    return made


def rows_of(project: Project, split: str) -> list[dict[str, str]]:
    with (project.folder / "data" / f"{split}.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


def test_records_come_out_as_the_same_rows(project: Project) -> None:
    """Rows 2 and 3: written by TensorFlow's own writer, read back without encoding an image again."""
    path = project.folder / SHARD
    kinds = read_manifest(path.with_suffix(".json")).features
    records = {record.id: record for record in (decode_record(data, kinds) for data in read_records(path))}
    expected = {row["image_name"]: row for row in rows_of(project, "train")}
    assert set(records) == set(expected)
    for name, record in records.items():
        image = project.folder / "data" / "jpeg" / "train" / f"{name}.jpg"
        assert record.images == {"image": image.read_bytes()}
        assert record.target == expected[name]["target"]
        assert record.group == str(int(expected[name]["patient_id"].removeprefix("IP_")))
        assert record.metadata["age_approx"] == expected[name]["age_approx"]
        assert record.metadata["sex"] == {"female": "0", "male": "1"}[expected[name]["sex"]]
        assert set(record.metadata) == set(METADATA)


def test_files_are_the_folds(project: Project) -> None:
    """Row 12: every file has one fold, and every fold the same number of files."""
    folds = pd.read_csv(project.folder / "results" / "folds.csv").set_index("id")["fold"]
    held = collections.defaultdict(set)
    for number, row in enumerate(rows_of(project, "train")):
        held[number // ROWS].add(folds[row["image_name"]])
    assert sorted(len(found) for found in held.values()) == [1] * FILES
    assert sorted(next(iter(found)) for found in held.values()) == [0, 0, 1, 1]


def test_the_submission_has_a_probability_for_each_row_of_the_sample(project: Project) -> None:
    table = pd.read_csv(project.folder / "results" / "submission.csv")
    assert list(table.columns) == ["image_name", "target"]
    assert list(table["image_name"]) == [row["image_name"] for row in rows_of(project, "test")]
    assert table["target"].between(0, 1).all()
    assert table["target"].nunique() == TEST


def test_nothing_is_done_twice(project: Project) -> None:
    assert "Nothing to be done" in project.snakemake("results/submission.csv", *RECIPE, *CHEAP).stderr


def test_a_check_reads_the_records(project: Project) -> None:
    printed = project.snakemake("check", *RECIPE, *CHEAP).stderr
    assert f"train: {FILES * ROWS} rows" in printed
    assert f"of {FILES * ROWS // 2} rows, before" in printed
    assert "no problem was found" in printed
    assert "Nothing to be done" in project.snakemake("results/submission.csv", *RECIPE, *CHEAP).stderr


def test_a_cut_file_is_named_before_the_dag(project: Project) -> None:
    path = project.folder / "data" / "tfrecords" / "train01-2071.tfrec"
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    try:
        done = project.snakemake("-n", *RECIPE, *CHEAP, check=False)
    finally:
        path.write_bytes(whole)
    output = done.stdout + done.stderr
    assert f"train01-2071.tfrec, record {ROWS} is truncated" in output
    assert "Building DAG" not in output
