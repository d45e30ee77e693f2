"""Checkpoints in a bucket: a fold whose machine is lost resumes on another one."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from fixtures.buckets import Bucket, lacking
from fixtures.clouds import storage, write_small_config
from fixtures.images import write_dataset
from fixtures.project import Project, copy_workflow, with_environment
from foldline.errors import StoppedError
from foldline.training.checkpoint_store import BucketStore
from foldline.training.checkpoints import Checkpoints
from foldline.training.snapshot_file import Snapshot
from foldline.training.training_config import CheckpointConfig

pytestmark = [pytest.mark.cluster]

TARGET = "results/models/m/fold0/weights.weights.h5"
PATIENCE_SECONDS = 900


def checkpoints_in(bucket: Bucket, job: str = "m.fold0", key: str = "key") -> Checkpoints:
    return Checkpoints(CheckpointConfig(bucket.url("saved"), seconds=0, share=1), job, key)


def loaded(checkpoints: Checkpoints) -> list[int]:
    steps: list[int] = []
    checkpoints.load(lambda snapshot: steps.append(snapshot.facts["step"]))
    return steps


def test_one_process_at_a_time_owns_the_checkpoints(bucket: Bucket) -> None:
    first, other = checkpoints_in(bucket), checkpoints_in(bucket, "m.fold00")
    for step in (3, 12, 100):
        for checkpoints in (first, other):
            checkpoints.save(Snapshot({"step": step}, {"network": [np.ones(3, np.float32)]}), step=step)
    assert bucket.names("saved/m.fold0.key") == {"owner", "000000000012.snapshot", "000000000100.snapshot"}
    second = checkpoints_in(bucket)
    assert loaded(second) == [100]
    first._polled_at = -BucketStore.POLL_SECONDS
    with pytest.raises(StoppedError, match=r"run the same command again to resume from gs://.*/saved/m\.fold0\.key"):
        first.check_stop()
    second.remove()
    assert {name.partition("/")[0] for name in bucket.names("saved")} == {"m.fold00.key"}


def a_machine(bucket: Bucket, folder: Path) -> Project:
    copy_workflow(folder)
    path = folder / "config" / "config.yaml"
    write_small_config(path, bucket.url("skin"))
    config = yaml.safe_load(path.read_text())
    config["models"]["m"]["epochs"] = 80
    path.write_text(yaml.safe_dump(config | {"checkpoints": {"seconds": 0, "share": 1}}))
    return Project(folder)


def steps(bucket: Bucket) -> list[int]:
    """Steps of the checkpoints in the bucket."""
    names = bucket.names("run/.foldline/checkpoints")
    return [int(found[1]) for name in names if (found := re.search(r"/(\d+)\.snapshot$", name))]


@pytest.mark.slow
def test_a_fold_resumes_on_another_machine(bucket: Bucket, tmp_path: Path) -> None:
    absent = lacking("snakemake_storage_plugin_gcs")
    if absent:
        pytest.skip(f"not installed: {absent}")
    write_dataset(tmp_path / "data", train=24, test=6, external=0)
    bucket.upload(tmp_path / "data", "skin")
    lost = a_machine(bucket, tmp_path / "lost")
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *storage(bucket), "--", TARGET]
    running = subprocess.Popen(
        command,
        cwd=lost.folder,
        env=with_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + PATIENCE_SECONDS
    try:
        while max(steps(bucket), default=0) < 10:
            assert running.poll() is None, "the workflow ended before its machine was lost"
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    assert not (lost.folder / ".foldline" / "checkpoints").exists()
    at_least = min(steps(bucket))

    a_machine(bucket, tmp_path / "other").snakemake(*storage(bucket), "--", TARGET)
    log_text = bucket.read("run/logs/train_fold/m/fold0.log").decode()
    resumed = re.search(r"m fold 0  resuming from the checkpoint at step (\d+)", log_text)
    assert int(resumed[1]) >= at_least
    assert bucket.names("run/.foldline") == {"data_index.parquet"}
    assert TARGET in bucket.names("run")
