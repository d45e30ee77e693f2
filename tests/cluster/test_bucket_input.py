"""Tables, images and TFRecords are read from a bucket; its listing decides what is stale."""

import csv
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from fixtures.buckets import Bucket
from fixtures.images import write_config, write_dataset
from fixtures.project import Project, copy_workflow
from fixtures.tfrecords import METADATA, examples, write_tfrecord
from foldline.dataset.id_hash import shard_index, shard_name
from foldline.errors import FoldlineError
from foldline.io import storage
from foldline.planning.image_files import BucketListings

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

SHARD = "results/shards/32/train/00000-of-00002.tfrec"


def project_in(folder: Path, change: Mapping[str, Any]) -> Project:
    """The tiny project without data and with a changed `dataset` section."""
    copy_workflow(folder)
    path = folder / "config" / "config.yaml"
    write_config(path)
    config = yaml.safe_load(path.read_text())
    config["dataset"] |= change
    config["embeddings"] = {"enabled": False}
    path.write_text(yaml.safe_dump(config))
    return Project(folder)


def test_images_in_a_bucket_give_the_same_shards_as_local_ones(bucket: Bucket, tmp_path: Path) -> None:
    write_dataset(tmp_path / "data")
    bucket.upload(tmp_path / "data", "skin")
    targets = ("results/folds.csv", SHARD)
    local = project_in(tmp_path / "local", {"root": str(tmp_path / "data")})
    local.snakemake(*targets)
    shutil.rmtree(tmp_path / "data")

    project = project_in(tmp_path / "bucket", {"root": bucket.url("skin")})
    project.snakemake(*targets)
    for name in targets:
        assert (project.folder / name).read_bytes() == (local.folder / name).read_bytes()
    assert "Nothing to be done" in project.snakemake(*targets).stderr

    before = project.stale()
    bucket.write("skin/images/s000.png", bucket.read("skin/images/s001.png"))
    scans = {name for name in project.stale() - before if name.startswith("scan_images")}
    assert scans == {f"scan_images/train/{shard_name(shard_index('s000', 4), 4)}"}

    bucket.delete("skin/images/s000.png")
    done = project.snakemake("-n", check=False)
    missing = f"train.csv, line 2: id 's000': image {bucket.url('skin/images/s000.png')} does not exist"
    assert missing in done.stdout + done.stderr


def test_records_in_a_bucket_are_read_without_copies(bucket: Bucket, tmp_path: Path) -> None:
    """Row 2: TFRecords from `gs://`, by a pattern relative to the root and by a URL."""
    (tmp_path / "records").mkdir()
    write_tfrecord(tmp_path / "records" / "train00.tfrec", examples(32, size=32))
    write_tfrecord(tmp_path / "records" / "test00.tfrec", examples(4, first=32, size=32, labeled=False))
    bucket.upload(tmp_path / "records", "tfrecords")
    project = project_in(
        tmp_path / "project",
        {
            "root": bucket.url("tfrecords"),
            "metadata_columns": METADATA,
            "metadata": {"sex": {"kind": "numeric"}},
            "external": None,
            "train_images": None,
            "test_images": None,
            "train_records": ["train*.tfrec"],
            "test_records": [bucket.url("tfrecords/test*.tfrec")],
            "sample_submission": None,
        },
    )
    project.snakemake("results/folds.csv", "results/shards/32/test/00000-of-00001.tfrec")
    folds = pd.read_csv(project.folder / "results" / "folds.csv")
    assert sorted(folds["id"]) == [f"ISIC_{number:04d}" for number in range(32)]
    with (project.folder / "results" / "raw" / "train.csv").open() as handle:
        assert next(csv.DictReader(handle))["path"].startswith("train00.tfrec#")


def test_a_listing_has_checksums_and_sizes(bucket: Bucket) -> None:
    for path in ("images/a/1.png", "images/b/1.png", "else/1.png"):
        bucket.write(path, b"one")
    urls = [bucket.url(f"images/{name}/1.png") for name in "ab"]
    listings = BucketListings()
    facts = listings.facts(urls, row_of=urls.__getitem__)
    first, second = facts.checksums
    assert (first, facts.sizes) == (second, [3, 3])
    assert first.startswith("md5Hash:")
    assert listings.file_names(bucket.url("images/a")) == ["1.png"]
    with pytest.raises(FoldlineError, match=r"row 2: image gs://.*/images/c/1\.png does not exist"):
        BucketListings().facts([urls[0], bucket.url("images/c/1.png")], row_of=["row 1", "row 2"].__getitem__)
    with pytest.raises(FoldlineError, match=r"gs://no-such-bucket/a cannot be listed: .*; check the URL"):
        storage.list_objects("gs://no-such-bucket/a")


def test_an_unchanged_object_is_not_written_again(bucket: Bucket) -> None:
    url = bucket.url("table.csv")
    storage.write_if_changed(url, b"1")
    before = storage.size_and_version(url)
    storage.write_if_changed(url, b"1")
    assert storage.size_and_version(url) == before
    storage.write_if_changed(url, b"2")
    assert storage.read(url) == b"2"
    with pytest.raises(FileNotFoundError):
        storage.read(bucket.url("none"))
