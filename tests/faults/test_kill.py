"""A run whose Snakemake is killed leaves nothing half made, and the same command again ends in the same bytes."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fixtures.images import write_config, write_dataset
from fixtures.project import Project, copy_workflow, with_environment
from foldline.planning.run_lock import hold

TARGET = "results/predictions/a/fold0/oof.csv"
PATIENCE_SECONDS = 900


@pytest.mark.faults
@pytest.mark.slow
def test_a_run_whose_snakemake_was_killed_is_repeated_by_the_same_command(
    finished_project: Project, tmp_path: Path
) -> None:
    """The training that outlives it is asked to leave, and its fold goes on from there."""
    copy_workflow(tmp_path)
    write_dataset(tmp_path / "data")
    write_config(tmp_path / "config" / "config.yaml")
    project = Project(tmp_path)
    command = [sys.executable, "-m", "snakemake", "--cores", "2", TARGET]
    running = subprocess.Popen(
        command, cwd=tmp_path, env=with_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(tmp_path / ".foldline" / "run.lock", running)
        refused = project.snakemake(TARGET, check=False)
        assert refused.returncode == 1
        assert f"another run works in this directory (process {running.pid} on" in refused.stderr
        wait_for(tmp_path / "logs" / "train_fold" / "a" / "fold0.log", running)
    finally:
        running.kill()
        running.wait()

    model = Path("results/models/a/fold0")
    assert not (tmp_path / "results/keys/train_fold/a/fold0.built").exists()
    project.snakemake(TARGET)
    for name in (model / "weights.weights.h5", Path(TARGET)):
        assert (tmp_path / name).read_bytes() == (finished_project.folder / name).read_bytes()
    assert list((tmp_path / ".foldline" / "checkpoints").iterdir()) == []
    os.close(hold(tmp_path / ".foldline" / "run.lock"))


def wait_for(path: Path, running: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (path.is_file() and path.stat().st_size):
        assert running.poll() is None, "the workflow ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.05)
