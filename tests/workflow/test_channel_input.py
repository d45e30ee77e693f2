"""Samples of channels go through the workflow: from PNG files, and from records of the same files, to equal shards."""

import shutil
from pathlib import Path

import pytest
import yaml
from fixtures.channels import CHANNELS, dataset_section, write_channels
from fixtures.project import Project, copy_workflow
from fixtures.tfrecords import write_tfrecord
from foldline.tfrecords.manifests import read_manifest

pytestmark = pytest.mark.slow

MODEL = {"backbone": "efficientnet-lite0", "weights": "none", "image_size": 32, "epochs": 1, "batch_size": 8}
SHARD = Path("results", "shards", "32", "train", "00000-of-00001.tfrec")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("channels")
    copy_workflow(folder)
    write_channels(folder / "data")
    for split in ("train", "test"):
        records = []
        for path in sorted((folder / "data" / split).iterdir(), reverse=True):
            labels = {"target": str(int(path.name[1:4]) % 2).encode()} if split == "train" else {}
            records.append({"image": path.read_bytes(), "image_name": path.stem.encode(), **labels})
        write_tfrecord(folder / "data" / f"{split}.tfrec", records)
    return Project(folder)


def configure(project: Project, **changes: object) -> None:
    dataset = dataset_section("data", **changes)
    config = {"dataset": dataset, "folds": {"count": 2}, "leaks": {"near_duplicate_bits": None}, "models": {"a": MODEL}}
    config["embeddings"] = {"enabled": False}
    (project.folder / "config" / "config.yaml").write_text(yaml.safe_dump(config))


def test_files_and_records_become_the_same_shard(project: Project) -> None:
    """Row 17."""
    configure(project)
    project.snakemake("results/folds.csv", str(SHARD))
    from_files = (project.folder / SHARD).read_bytes()
    assert read_manifest((project.folder / SHARD).with_suffix(".json")).channels == CHANNELS
    assert len((project.folder / "results" / "folds.csv").read_text().splitlines()) == 25
    shutil.rmtree(project.folder / "results")
    records = {
        "train_records": ["train.tfrec"],
        "test_records": ["test.tfrec"],
        "record_features": {"id": "image_name"},
    }
    configure(project, train_images=None, test_images=None, **records)
    project.snakemake("results/folds.csv", str(SHARD))
    assert (project.folder / SHARD).read_bytes() == from_files


def test_a_missing_channel_stops_the_workflow_before_the_dag(project: Project) -> None:
    configure(project)
    path = project.folder / "data" / "train" / "s003_yellow.png"
    data = path.read_bytes()
    path.unlink()
    try:
        done = project.snakemake("-n", check=False)
    finally:
        path.write_bytes(data)
    output = done.stdout + done.stderr
    assert "train.csv, line 5: id 's003': image data/train/s003_yellow.png does not exist" in output
    assert "Building DAG" not in output
