"""Snakemake's command with Google Batch replaced by this machine: each job that is sent there is run here.

Usage: FAKE_BATCH=FOLDER python fake_batch.py --executor googlebatch ...

FOLDER/NAME/job.json is what Google would get, FOLDER/NAME/log what the job wrote. A job runs in its folder, which takes
the role of /tmp/workdir, with FOLDER/bin first on its PATH; containers run without their image.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import google.cloud.logging
from google.cloud import batch_v1

FOLDER = Path(os.environ["FAKE_BATCH"])
WORKDIR = "/tmp/workdir"


class Client:
    """The methods of `batch_v1.BatchServiceClient` that the executor uses."""

    def __init__(self) -> None:
        self._jobs: dict[str, batch_v1.Job] = {}

    def create_job(self, request: batch_v1.CreateJobRequest) -> batch_v1.Job:
        """Start a job and write its specification to a file."""
        job = batch_v1.Job(request.job)
        job.name, job.uid = f"{request.parent}/jobs/{request.job_id}", request.job_id
        folder = FOLDER / request.job_id
        folder.mkdir()
        (folder / "job.json").write_text(batch_v1.Job.to_json(job), encoding="utf-8")
        job.status.state = batch_v1.JobStatus.State.RUNNING
        self._jobs[job.name] = job
        threading.Thread(target=_run, args=(job, folder), daemon=True).start()
        return job

    def get_job(self, request: batch_v1.GetJobRequest) -> batch_v1.Job:
        """The job and its state."""
        return self._jobs[request.name]


def _run(job: batch_v1.Job, folder: Path) -> None:
    state = batch_v1.JobStatus.State
    with (folder / "log").open("w") as log:
        codes = (
            subprocess.run(
                ["bash", "-c", text.replace(WORKDIR, str(folder))],
                cwd=folder,
                env=_environment() | dict(variables),
                stdout=log,
                stderr=log,
                check=False,
            ).returncode
            for text, variables in _commands(job.task_groups[0].task_spec)
        )
        job.status.state = state.FAILED if any(codes) else state.SUCCEEDED


def _commands(task: batch_v1.TaskSpec) -> Iterator[tuple[str, Any]]:
    """Command and environment variables of each runnable; `any` above stops at the first that fails."""
    for runnable in task.runnables:
        container = runnable.container
        text = runnable.script.text or " ".join([container.entrypoint, *container.commands])
        if not runnable.barrier.name:
            yield text, runnable.environment.variables


def _environment() -> dict[str, str]:
    path = [str(FOLDER / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    return {**os.environ, "PATH": os.pathsep.join(path)}


def _no_logs(**_: Any) -> SimpleNamespace:
    return SimpleNamespace(logger=lambda _: SimpleNamespace(list_entries=lambda **_: []))


batch_v1.BatchServiceClient = Client
google.cloud.logging.Client = _no_logs

if __name__ == "__main__":
    from snakemake.cli import main

    sys.exit(main(sys.argv[1:]))
