"""The workflow on a SLURM cluster of two nodes: one fold at a time on a GPU, jobs and a node lost, the same bytes."""

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from fixtures.images import write_config, write_dataset
from fixtures.project import Project, copy_workflow, with_environment
from fixtures.slurm import NODES, Cluster, cluster, missing_programs

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

PLUGIN = "snakemake_executor_plugin_slurm"
PATIENCE_SECONDS = 1200
WEIGHTS = "results/models/b/fold{}/weights.weights.h5"
# A job or more of each rule that is not a local one.
TARGETS = (
    *(WEIGHTS.format(fold) for fold in range(3)),
    "results/predictions/b/fold0/oof.parquet",
    "results/predictions/b/fold0/test.parquet",
)


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The cluster, where its packages are installed."""
    if os.geteuid():
        pytest.skip("SLURM's daemons are started by root only")
    if missing := missing_programs():
        pytest.skip(f"no {', '.join(missing)}: apt-get install slurm-wlm munge")
    if importlib.util.find_spec(PLUGIN) is None:
        pytest.skip(f"no {PLUGIN}: pip install -r envs/requirements.lock")
    with cluster(tmp_path_factory.mktemp("slurm")) as made:
        yield made


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with all that training needs, and nothing of the test split."""
    project = small_project(tmp_path / "project")
    project.snakemake(
        "results/shards/32/train/00000-of-00001.tfrec", *(f"results/class_weights/fold{n}.json" for n in range(3))
    )
    return project


def small_project(folder: Path) -> Project:
    """A project of one small model whose folds take many steps, each of them with a checkpoint."""
    copy_workflow(folder)
    write_dataset(folder / "data")
    path = folder / "config" / "config.yaml"
    write_config(path)
    config = yaml.safe_load(path.read_text())
    config["models"] = {"b": config["models"]["b"] | {"epochs": 300, "ema_decay": 0.9}}
    config |= {"folds": {"count": 3}, "shards": {"megabytes": 1}, "checkpoints": {"seconds": 0, "share": 1}}
    config["embeddings"] = {"enabled": False}
    del config["dataset"]["external"]
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return Project(folder)


def steps(project: Project, fold: str) -> int:
    """The step of the newest checkpoint of a fold; 0 without any."""
    key = (project.folder / "results/keys/train_fold/b" / f"fold{fold}.key").read_text().splitlines()[0]
    folder = project.folder / ".foldline" / "checkpoints" / f"b.fold{fold}.{key}"
    return max((int(path.stem) for path in folder.glob("*.snapshot")), default=0)


def trained_here(project: Project, folder: Path, folds: list[str]) -> list[Path]:
    """Train folds again in a copy of the project, on this machine and without interruption; gives their weights."""
    shutil.copytree(project.folder, folder, ignore=shutil.ignore_patterns(".snakemake", ".foldline"))
    shutil.rmtree(folder / "results" / "models")
    names = [WEIGHTS.format(fold) for fold in folds]
    Project(folder).snakemake(*names)
    return [folder / name for name in names]


def test_folds_survive_a_cancelled_job_and_a_lost_node(slurm: Cluster, project: Project, tmp_path: Path) -> None:
    log = (tmp_path / "snakemake.log").open("w")
    config = project.folder / "config" / "config.yaml"
    planned = config.read_text()
    running = subprocess.Popen(
        [
            *(sys.executable, "-m", "snakemake", "--profile", "workflow/profiles/slurm", *TARGETS),
            *("--slurm-status-command", "squeue", "--slurm-no-account", "--latency-wait", "5"),
            *("--slurm-init-seconds-before-status-checks", "2", "--set-resources", "train_fold:gpu=1"),
        ],
        cwd=project.folder,
        env=with_environment() | slurm.environment() | {"PATH": with_path(slurm)},
        stdout=log,
        stderr=subprocess.STDOUT,
    )

    def wait_until(happened: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not happened():
            assert running.poll() is None, (tmp_path / "snakemake.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.2)

    try:
        wait_until(lambda: len(slurm.running("train_fold")) == 2)
        folds = {node: (wildcards[-1], job) for wildcards, (job, node) in slurm.running("train_fold").items()}
        assert sorted(folds) == sorted(NODES)
        # Each node has one GPU, so that the third fold waits; scans of other splits may wait for a core.
        waiting = slurm.command("squeue", "--noheader", "--states=PENDING", "--format=%k|%r").splitlines()
        assert len([line for line in waiting if line.startswith("rule_train")]) == 1

        (canceled, job), (lost, other) = (folds[node] for node in NODES)
        wait_until(lambda: steps(project, canceled) > 3)
        # Each job parses the configuration again; that of the run counts, although it was edited and planned since.
        config.write_text(planned.replace("epochs: 300", "epochs: 5").replace("count: 3", "count: 2"))
        assert "another run works in this directory" in project.snakemake("-n").stderr
        slurm.command("scancel", job)
        wait_until(lambda: steps(project, lost) > 3)
        slurm.lose_node(NODES[1])
        # SLURM waits two minutes before it starts a job of a lost node again.
        slurm.command("scontrol", "update", f"JobId={other}", "StartTime=now")
        assert running.wait(PATIENCE_SECONDS) == 0, (tmp_path / "snakemake.log").read_text()
    finally:
        running.kill()
        running.wait()
        log.close()

    config.write_text(planned)
    assert not {name for name in project.stale(*TARGETS) if name.startswith(("train_fold", "predict"))}
    for fold in (canceled, lost):
        log_text = (project.folder / "logs" / "train_fold" / "b" / f"fold{fold}.log").read_text()
        assert f"b fold {fold}  resuming from the checkpoint at step" in log_text
    assert list((project.folder / ".foldline" / "checkpoints").iterdir()) == []
    # The second attempt after the canceled one asks for twice the memory; a restart by SLURM is no new attempt.
    table = slurm.command("squeue", "--noheader", "--states=all", "--format=%k|%m").splitlines()
    memory = {
        fold: [line for line in table if line.startswith(f"rule_train_fold_wildcards_b_{fold}|")] for fold in "012"
    }
    assert sorted(line.partition("|")[2] for line in memory[canceled]) == ["2066M", "4132M"]
    assert [line.partition("|")[2] for line in memory[lost]] == ["2066M"]
    assert [name for name in TARGETS if not (project.folder / name).is_file()] == []
    for path in trained_here(project, tmp_path / "unbroken", [canceled, lost]):
        assert path.read_bytes() == (project.folder / path.relative_to(tmp_path / "unbroken")).read_bytes()


def with_path(slurm: Cluster) -> str:
    """Search path with the interpreter of the tests and the commands of the cluster."""
    return f"{Path(sys.executable).parent}:{slurm.environment()['PATH']}"
