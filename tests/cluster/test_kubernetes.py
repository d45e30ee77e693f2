"""Jobs of Kubernetes: their specifications, and a job itself, run on this machine with results in a bucket."""

import json
import subprocess
from pathlib import Path

import pytest
from fixtures.buckets import Bucket, lacking
from fixtures.clouds import clone_with_bucket, forge_results, job_folder, storage
from fixtures.forked import SERVER
from fixtures.project import REPOSITORY, Project, with_environment

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

IMAGE = "europe-docker.pkg.dev/project/foldline/job:1"


@pytest.fixture
def project(bucket: Bucket, tmp_path: Path) -> Project:
    absent = lacking("snakemake_executor_plugin_kubernetes", "snakemake_storage_plugin_gcs")
    if absent:
        pytest.skip(f"not installed: {absent}")
    return clone_with_bucket(bucket, tmp_path)


@pytest.fixture
def pods(tmp_path: Path) -> Path:
    """Folder in which the jobs run."""
    (tmp_path / "pods").mkdir()
    return job_folder(tmp_path / "pods")


def submit(project: Project, bucket: Bucket, pods: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the workflow through the profile."""
    program = REPOSITORY / "tests" / "cluster" / "fake_kubernetes.py"
    command = [*arguments, "--profile", "workflow/profiles/kubernetes", *storage(bucket), "--container-image", IMAGE]
    command += ["--kubernetes-service-account-name", "foldline", "--seconds-between-status-checks", "1"]
    environment = with_environment() | {"FAKE_KUBERNETES": str(pods)}
    return SERVER.run(program, command, folder=project.folder, environment=environment)


def test_a_job_puts_its_results_into_the_bucket(project: Project, bucket: Bucket, pods: Path) -> None:
    done = submit(project, bucket, pods, "results/folds.csv")
    logs = "".join(path.read_text() for path in pods.glob("*/log"))
    assert done.returncode == 0, done.stdout + done.stderr + logs
    assert {"folds.csv", "inventory/train/00000-of-00001.parquet"} <= bucket.names("run/results")
    # The folds need two jobs that are not local: the scans of the training and test images.
    jobs = [json.loads(path.read_text()) for path in pods.glob("*/job.json")]
    assert len(jobs) == 2
    for job in jobs:
        pod = job["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert container["image"] == IMAGE
        assert container["resources"]["requests"]["cpu"] == "1900m"
        assert container["resources"]["requests"]["memory"] == "5251M"
        assert (pod["restartPolicy"], job["spec"]["backoffLimit"]) == ("Never", 0)
        assert pod["serviceAccountName"] == "foldline"


def test_training_requests_a_gpu_and_a_failing_job_fails_the_run(project: Project, bucket: Bucket, pods: Path) -> None:
    config = project.folder / "config" / "config.yaml"
    config.write_text(config.read_text() + "accelerator: gpu\n")
    forge_results(project, bucket)
    bucket.delete("run/results/models/m/fold1/history.csv")
    failing = pods / "bin" / "python"
    failing.write_text("#!/bin/sh\nexit 3\n")
    failing.chmod(0o755)
    done = submit(project, bucket, pods, "results/models/m/fold1/history.csv", "--retries", "0")
    assert done.returncode == 1
    (job,) = [json.loads(path.read_text()) for path in pods.glob("*/job.json")]
    requests = job["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]
    assert (requests["cpu"], requests["memory"], requests["nvidia.com/gpu"]) == ("3800m", "2017M", "1")
    # A GB, and the few kB of the shards.
    assert requests["ephemeral-storage"] == "1001M"
