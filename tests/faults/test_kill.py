"""A run that is killed in the middle leaves nothing half made, and the same command again ends in the same bytes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fixtures.images import write_config, write_dataset
from fixtures.project import Project, copy_workflow, with_environment

TARGET = "results/predictions/a/fold0/oof.csv"
PATIENCE_SECONDS = 240


@pytest.mark.faults
@pytest.mark.slow
def test_a_training_that_was_killed_ends_in_the_same_bytes(finished_project: Project, tmp_path: Path) -> None:
    copy_workflow(tmp_path)
    write_dataset(tmp_path / "data")
    write_config(tmp_path / "config" / "config.yaml")
    project = Project(tmp_path)
    command = [sys.executable, "-m", "snakemake", "--cores", "2", TARGET]
    running = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=with_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_for(tmp_path / "logs" / "train_fold" / "a" / "fold0.log", running)
    os.killpg(running.pid, signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL

    model = Path("results/models/a/fold0")
    assert not (tmp_path / "results/keys/train_fold/a/fold0.built").exists()
    project.snakemake("--unlock")
    project.snakemake(TARGET)
    for name in (model / "weights.weights.h5", Path(TARGET)):
        assert (tmp_path / name).read_bytes() == (finished_project.folder / name).read_bytes()


def wait_for(path: Path, running: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (path.is_file() and path.stat().st_size):
        assert running.poll() is None, "the workflow ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.05)
