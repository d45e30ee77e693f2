"""Jobs of Google Batch: what is asked of Google, and what the jobs do, run on this machine against a bucket."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from fixtures.buckets import Bucket, lacking
from fixtures.clouds import clone_with_bucket, job_folder
from fixtures.project import REPOSITORY, Project, with_environment

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

IMAGE = "europe-docker.pkg.dev/project/foldline/job:1"
# Every rule that is not run on the submitting machine.
SENT = {"scan-images", "shard-records", "train-fold", "predict-oof", "predict-test"}


@pytest.fixture(scope="module")
def batch_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the jobs run."""
    absent = lacking("snakemake_executor_plugin_googlebatch", "snakemake_storage_plugin_gcs")
    if absent:
        pytest.skip(f"not installed: {absent}")
    return job_folder(tmp_path_factory.mktemp("batch"))


def submit(project: Project, bucket: Bucket, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the workflow through the profile."""
    command = [sys.executable, str(REPOSITORY / "tests" / "cluster" / "fake_batch.py")]
    command += ["--profile", "profile", "--default-storage-prefix", bucket.url("run")]
    command += ["--googlebatch-project", "project", "--googlebatch-region", "europe-west4"]
    command += ["--storage-gcs-project", "project", "--container-image", IMAGE]
    command += ["--jobs", "2", "--seconds-between-status-checks", "1", "--max-status-checks-per-second", "100"]
    return subprocess.run(
        [*command, *arguments],
        cwd=project.folder,
        env=with_environment() | {"FAKE_BATCH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def project(bucket: Bucket, tmp_path: Path) -> Project:
    """A clone whose data stand in the bucket, and the profile with a GPU for training, as its comment says."""
    made = clone_with_bucket(bucket, tmp_path)
    profile = yaml.safe_load((made.folder / "workflow/profiles/googlebatch/profile.yaml").read_text())
    gpu = {"googlebatch_machine_type": "'n1-standard-8'", "nvidia_gpu": "'nvidia-tesla-t4'"}
    profile["set-resources"]["train_fold"] |= gpu
    (made.folder / "profile").mkdir()
    (made.folder / "profile" / "profile.yaml").write_text(yaml.safe_dump(profile))
    return made


def specifications(folder: Path) -> dict[str, dict[str, Any]]:
    """What was asked of Google, one job of each rule."""
    jobs = [json.loads(path.read_text()) for path in folder.glob("*/job.json")]
    return {job["labels"]["snakemake-job"]: job for job in jobs}


def test_jobs_end_in_a_submission_in_the_bucket(project: Project, bucket: Bucket, batch_folder: Path) -> None:
    done = submit(project, bucket, batch_folder)
    logs = "".join(path.read_text() for path in batch_folder.glob("*/log"))
    assert done.returncode == 0, done.stdout + done.stderr + logs
    names = bucket.names("run/results")
    assert {"submission.csv", "oof.csv", "report.html", "models/m/fold0/weights.weights.h5"} <= names
    submission = bucket.read("run/results/submission.csv").decode().splitlines()
    sample = bucket.read("skin/sample_submission.csv").decode().splitlines()
    assert [line.split(",")[0] for line in submission] == [line.split(",")[0] for line in sample]
    assert "not installed: install --target" in logs

    jobs = specifications(batch_folder)
    assert set(jobs) == SENT
    for name, job in jobs.items():
        policy = job["allocationPolicy"]["instances"][0]["policy"]
        task = job["taskGroups"][0]["taskSpec"]
        training = name == "train-fold"
        assert policy["machineType"] == ("n1-standard-8" if training else "n2-standard-2")
        assert task["computeResource"]["cpuMilli"] == ("8000" if training else "2000")
        assert task["computeResource"]["memoryMib"] == ("30000" if training else "7000")
        assert task["maxRunDuration"] == ("86400s" if training else "14400s")
        assert task["maxRetryCount"] == 0
        # 3 is PREEMPTIBLE, which the plugin takes for spot machines; training is not taken away.
        assert policy["provisioningModel"] == (0 if training else 3)
        assert policy["bootDisk"]["sizeGb"] == "50"
        assert policy["bootDisk"]["image"].endswith(
            "/batch-custom-image/global/images/family/batch-cos-stable-official"
        )
        gpus = [(gpu["type"], gpu["count"]) for gpu in policy["accelerators"]]
        assert gpus == ([("nvidia-tesla-t4", "1")] if training else [])
        assert job["allocationPolicy"]["instances"][0]["installGpuDrivers"] is training
        containers = [step["container"] for step in task["runnables"] if "container" in step]
        assert [container["imageUri"] for container in containers] == [IMAGE]
        entry = task["runnables"][0]["script"]["text"]
        assert re.search(r"^set -e && ", entry, re.MULTILINE)
        assert f"--default-storage-prefix '{bucket.url('run')}'" in entry

    assert _ended(entry, batch_folder) == 3
    assert "Nothing to be done" in submit(project, bucket, batch_folder).stderr


def _ended(entry: str, folder: Path) -> int:
    """How a job ends whose sources arrive and whose rule then fails with 3."""
    script = re.search(r"<<EOF > \S+entrypoint\.sh\n(.*?)\nEOF", entry, re.DOTALL)[1]
    (folder / "failing").mkdir()
    python = folder / "failing" / "python"
    python.write_text('#!/bin/sh\ncase "$*" in *--deploy-sources*) exit 0;; esac\nexit 3\n')
    python.chmod(0o755)
    path = f"{folder / 'failing'}:{folder / 'bin'}:/usr/bin:/bin"
    return subprocess.run(["bash", "-c", script], env={"PATH": path}, capture_output=True, check=False).returncode
