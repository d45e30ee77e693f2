"""Jobs of Google Batch: their specifications, and the jobs themselves, run on this machine with results in a bucket.

A run on this machine makes the shards to train on, Batch what belongs to one fold, and this machine again the rest, all
in one bucket.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from fixtures.buckets import Bucket, lacking
from fixtures.clouds import clone_with_bucket, job_folder, storage
from fixtures.forked import SERVER
from fixtures.project import REPOSITORY, Project, with_environment

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

IMAGE = "europe-docker.pkg.dev/project/foldline/job:1"
FOLD = [f"results/predictions/m/fold0/{name}.parquet" for name in ("oof", "test")]
# Every rule that is not run on the submitting machine.
SENT = {"scan-images", "shard-records", "train-fold", "predict-oof", "predict-test"}


@dataclass(frozen=True)
class Submitted:
    """A clone whose jobs were sent to Batch.

    Attributes:
        project: the clone.
        bucket: its data and results.
        folder: where the jobs ran.
    """

    project: Project
    bucket: Bucket
    folder: Path

    def jobs(self) -> dict[str, dict[str, Any]]:
        """Specifications that Google would get, one for each rule."""
        jobs = [json.loads(path.read_text()) for path in self.folder.glob("*/job.json")]
        return {job["labels"]["snakemake-job"]: job for job in jobs}

    def log(self) -> str:
        """Output of all jobs."""
        return "".join(path.read_text() for path in self.folder.glob("*/log"))


def with_gpu(project: Project) -> None:
    """Write a profile with a GPU for training, as the comment in the profile describes."""
    profile = yaml.safe_load((project.folder / "workflow/profiles/googlebatch/config.yaml").read_text())
    gpu = {"googlebatch_machine_type": "'n1-standard-8'", "nvidia_gpu": "'nvidia-tesla-t4'"}
    profile["set-resources"]["train_fold"] |= gpu
    (project.folder / "profile").mkdir()
    (project.folder / "profile" / "profile.yaml").write_text(yaml.safe_dump(profile))


@pytest.fixture(scope="module")
def submitted(storage_address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Submitted]:
    """A clone whose data are in a bucket, after one fold on Batch."""
    absent = lacking("snakemake_executor_plugin_googlebatch", "snakemake_storage_plugin_gcs")
    if absent:
        pytest.skip(f"not installed: {absent}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", storage_address)
        bucket = Bucket.make("batch")
        project = clone_with_bucket(bucket, tmp_path_factory.mktemp("batch"))
        with_gpu(project)
        project.snakemake(*storage(bucket), "--", "results/inventory/train/00000-of-00001.parquet")
        made = Submitted(project, bucket, job_folder(tmp_path_factory.mktemp("jobs")))
        done = submit(made)
        assert done.returncode == 0, done.stdout + done.stderr + made.log()
        yield made


@pytest.fixture(scope="module")
def completed(submitted: Submitted) -> Submitted:
    """The same after a run on this machine of all that was left to do."""
    submitted.project.snakemake(*storage(submitted.bucket))
    return submitted


def submit(made: Submitted) -> subprocess.CompletedProcess[str]:
    """Run the workflow for one fold through the profile."""
    program = REPOSITORY / "tests" / "cluster" / "fake_batch.py"
    command = ["--profile", "profile", "--default-storage-prefix", made.bucket.url("run")]
    command += ["--googlebatch-project", "project", "--googlebatch-region", "europe-west4"]
    command += ["--storage-gcs-project", "project", "--container-image", IMAGE]
    command += ["--jobs", "2", "--seconds-between-status-checks", "1", "--max-status-checks-per-second", "100"]
    environment = with_environment() | {"FAKE_BATCH": str(made.folder)}
    return SERVER.run(program, [*command, "--", *FOLD], folder=made.project.folder, environment=environment)


def test_jobs_have_the_resources_of_the_profile(submitted: Submitted) -> None:
    jobs = submitted.jobs()
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
        assert f"--default-storage-prefix '{submitted.bucket.url('run')}'" in entry


def test_jobs_install_packages_and_put_their_results_into_the_bucket(submitted: Submitted) -> None:
    assert "not installed: install --target" in submitted.log()
    assert set(FOLD) | {"results/models/m/fold0/weights.weights.h5"} <= submitted.bucket.names("run")


def test_a_job_fails_when_its_rule_fails(submitted: Submitted) -> None:
    """Its sources arrive, and its rule fails with 3."""
    entry = submitted.jobs()["train-fold"]["taskGroups"][0]["taskSpec"]["runnables"][0]["script"]["text"]
    script = re.search(r"<<EOF > \S+entrypoint\.sh\n(.*?)\nEOF", entry, re.DOTALL)[1]
    failing = submitted.folder / "failing"
    failing.mkdir()
    (failing / "python").write_text('#!/bin/sh\ncase "$*" in *--deploy-sources*) exit 0;; esac\nexit 3\n')
    (failing / "python").chmod(0o755)
    path = f"{failing}:{submitted.folder / 'bin'}:/usr/bin:/bin"
    done = subprocess.run(["bash", "-c", script], env={"PATH": path}, capture_output=True, check=False)
    assert done.returncode == 3


def test_another_run_completes_the_results_in_the_bucket(completed: Submitted) -> None:
    bucket = completed.bucket
    made = bucket.names("run")
    assert {f"results/{name}" for name in ("submission.csv", "oof.csv", "metrics.json", "report.html")} <= made
    submission = bucket.read("run/results/submission.csv").decode().splitlines()
    sample = bucket.read("skin/sample_submission.csv").decode().splitlines()
    assert [line.split(",")[0] for line in submission] == [line.split(",")[0] for line in sample]
    built = {name.removeprefix("results/keys/").removesuffix(".built") for name in made if name.endswith(".built")}
    assert {"train_fold/m/fold0", "train_fold/m/fold1"} <= built
    assert {"results/keys/plan.json", *(f"logs/{name}.log" for name in built)} <= made


def test_only_keys_and_the_plan_stay_on_the_machine(completed: Submitted) -> None:
    stored = {path.suffix for path in (completed.project.folder / "results").rglob("*") if path.is_file()}
    assert stored == {".key", ".json"}
    assert not [name for name in completed.bucket.names("run") if name.endswith(".key")]


def test_nothing_is_left_to_do(completed: Submitted) -> None:
    assert "Nothing to be done" in submit(completed).stderr
    assert "Nothing to be done" in completed.project.snakemake(*storage(completed.bucket)).stderr
