"""Results in a bucket: exactly the stale jobs run again, on any machine; `test_google_batch.py` runs them."""

from pathlib import Path

import pytest
import yaml
from fixtures.buckets import Bucket, lacking
from fixtures.clouds import forge_results, storage, write_small_config
from fixtures.images import write_dataset
from fixtures.project import Project, copy_workflow

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

AFTER = {"blend_folds", "evaluate", "render_report"}


def of_fold(fold: int) -> set[str]:
    return {f"{rule}/m/fold{fold}" for rule in ("train_fold", "predict_oof", "predict_test")}


@pytest.fixture
def machine(bucket: Bucket, tmp_path: Path) -> Project:
    """A machine that holds the workflow alone; tables and images are in the bucket."""
    absent = lacking("snakemake_storage_plugin_gcs")
    if absent:
        pytest.skip(f"not installed: {absent}")
    write_dataset(tmp_path / "data", train=24, test=6, external=0)
    bucket.upload(tmp_path / "data", "skin")
    return another_machine(bucket, tmp_path / "machine")


def another_machine(bucket: Bucket, folder: Path) -> Project:
    copy_workflow(folder)
    write_small_config(folder / "config" / "config.yaml", bucket.url("skin"))
    return Project(folder)


def test_exactly_the_stale_jobs_run_on_any_machine(machine: Project, bucket: Bucket, tmp_path: Path) -> None:
    forge_results(machine, bucket)
    assert machine.stale(*storage(bucket)) == set()
    other = another_machine(bucket, tmp_path / "other")
    # As after a copy to another bucket: the file that all others depend on is the newest.
    bucket.write("run/results/folds.csv", bucket.read("run/results/folds.csv"))
    assert other.stale(*storage(bucket)) == set()

    config = other.folder / "config" / "config.yaml"
    before = config.read_text()
    changed = yaml.safe_load(before)
    changed["models"]["m"]["fold_overrides"] = {1: {"seed": 5}}
    config.write_text(yaml.safe_dump(changed))
    assert other.stale(*storage(bucket)) == of_fold(1) | AFTER
    config.write_text(before)
    bucket.delete("run/results/models/m/fold0/history.csv")
    assert other.stale(*storage(bucket)) == of_fold(0) | AFTER


def test_a_prefix_that_is_no_bucket_is_an_error(machine: Project) -> None:
    arguments = ["--default-storage-provider", "gcs", "--default-storage-prefix", "runs/skin"]
    done = machine.snakemake("-n", *arguments, "--storage-gcs-project", "foldline", check=False)
    assert "--default-storage-prefix runs/skin: results can be on a disk" in done.stdout + done.stderr
