"""Commands beside a live run plan apart from it: it does what was planned, and then exactly the edits are stale."""

import os
import shutil
import signal
import time
from pathlib import Path

import pytest
import yaml
from fixtures.processes import wait_for_file
from fixtures.project import Project
from fixtures.whole_runs import LiveRun

PATIENCE_SECONDS = 900
WEIGHTS = "results/models/a/fold0/weights.weights.h5"
OF_THE_EDIT = {f"{rule}/b/fold1" for rule in ("train_fold", "predict_oof", "predict_test")}
OF_THE_EDIT |= {"blend_folds", "evaluate", "render_report"}
OF_THE_RUN = {path.replace("b/fold1", "a/fold0") for path in OF_THE_EDIT}
PLANNING_COMMANDS = (["-n"], ["--summary"], ["--dag"], ["--rulegraph"], ["--lint"])


@pytest.mark.faults
@pytest.mark.slow
def test_commands_beside_a_run_change_nothing(finished_project: Project, tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    shutil.copytree(
        finished_project.folder, project.folder, ignore=shutil.ignore_patterns(".snakemake", ".foldline", "logs")
    )
    (project.folder / WEIGHTS).unlink()
    # The clock was set back since the results were made.
    future = time.time_ns() + 10**13
    for path in (project.folder / "results").rglob("*"):
        os.utime(path, ns=(future, future))
    live = LiveRun(project)
    try:
        wait_for_file(project.folder / "logs/train_fold/a/fold0.log", live.process)
        live.signal(signal.SIGSTOP)
        before = own_files(project.folder)
        edit_config(project.folder / "config/config.yaml")
        for command in PLANNING_COMMANDS:
            done = project.snakemake(*command, check=False)
            assert f"another run works in this directory (running, process {live.process.pid} on" in done.stderr, (
                command
            )
        assert project.stale() == OF_THE_RUN | OF_THE_EDIT
        refused = project.snakemake(check=False)
        assert refused.returncode == 1
        assert "another run works in this directory" in refused.stderr
        assert own_files(project.folder) == before
        live.signal(signal.SIGCONT)
        assert live.wait(PATIENCE_SECONDS) == 0
    finally:
        live.end()
    assert (project.folder / WEIGHTS).read_bytes() == (finished_project.folder / WEIGHTS).read_bytes()
    assert project.stale() == OF_THE_EDIT


def own_files(folder: Path) -> dict[Path, tuple[bytes, int]]:
    """Content and mtime of key files, records, plan and data index."""
    paths = [path for name in ("results/keys", ".foldline") for path in (folder / name).rglob("*") if path.is_file()]
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths if "checkpoints" not in path.parts}


def edit_config(path: Path) -> None:
    config = yaml.safe_load(path.read_text())
    config["models"]["b"]["fold_overrides"] = {1: {"seed": 5}}
    path.write_text(yaml.safe_dump(config, sort_keys=False))
