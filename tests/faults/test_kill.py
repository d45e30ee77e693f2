"""After Snakemake was killed, the same command completes the run, with the same bytes."""

import shutil
import signal
import time
from pathlib import Path

import pytest
from fixtures.processes import wait_for_file
from fixtures.project import Project
from fixtures.whole_runs import LiveRun
from foldline.planning.run_lock import RunLock

TARGET = "results/predictions/a/fold0/oof.parquet"


@pytest.mark.faults
@pytest.mark.slow
def test_a_run_whose_snakemake_was_killed_is_repeated_by_the_same_command(
    finished_project: Project, tmp_path: Path
) -> None:
    """The training that outlives it is requested to stop, and its fold resumes there."""
    shutil.copytree(
        finished_project.folder,
        tmp_path,
        ignore=shutil.ignore_patterns(".snakemake", ".foldline", "logs"),
        dirs_exist_ok=True,
    )
    project = Project(tmp_path)
    model = Path("results/models/a/fold0")
    for name in (model / "weights.weights.h5", Path(TARGET)):
        (tmp_path / name).unlink()
    live = LiveRun(project, TARGET)
    running = live.process
    try:
        lock = tmp_path / ".foldline" / "run.lock"
        wait_for_file(lock, running)
        while not lock.read_text().startswith("running"):
            assert running.poll() is None
            time.sleep(0.05)
        refused = project.snakemake(TARGET, check=False)
        assert refused.returncode == 1
        assert f"another run works in this directory (running, process {running.pid} on" in refused.stderr
        wait_for_file(tmp_path / "logs" / "train_fold" / "a" / "fold0.log", running)
    finally:
        live.signal(signal.SIGKILL, group=False)
        live.wait()

    assert not (tmp_path / "results/keys/train_fold/a/fold0.built").exists()
    project.snakemake(TARGET)
    log = tmp_path / "logs" / "train_fold" / "a" / "fold0.log"
    assert log.read_text().count("INFO device cpu") == 2, "the second attempt continues the log of the first"
    assert list(log.parent.glob(".*")) == []
    for name in (model / "weights.weights.h5", Path(TARGET)):
        assert (tmp_path / name).read_bytes() == (finished_project.folder / name).read_bytes()
    assert list((tmp_path / ".foldline" / "checkpoints").iterdir()) == []
    lock = RunLock(tmp_path / ".foldline" / "run.lock")
    assert lock.holder == ""
    lock.release()
